/** The library: a gateway for a protocol of your own, or for chat. */
export { createChatProtocol, defaultChatOptions, type ChatOptions } from "./chat.js";
export { GatewayError, errorCodes, type ErrorCode } from "./errors.js";
export { createGateway, type Gateway, type GatewayOptions } from "./gateway.js";
export type { Logger } from "./logger.js";
export type {
  Answer,
  BrokerMessage,
  Call,
  CallValues,
  Effect,
  Failure,
  Link,
  Peer,
  Protocol,
  ProtocolConnection,
  ProtocolEvent,
} from "./protocol.js";
export {
  createMemoryPresenceStore,
  createMemorySessionStore,
  createRedisStores,
  type PresenceStore,
  type SessionStore,
} from "./store/index.js";
