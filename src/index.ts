/** The library: a gateway for a protocol of your own, or for chat. */
export { createChatProtocol, defaultChatOptions, type ChatOptions } from "./chat.js";
export { createArchive, type Archive, type ArchivePlace } from "./archive/index.js";
export { GatewayError, errorCodes, type ErrorCode } from "./errors.js";
export { createGateway, type Gateway, type GatewayOptions } from "./gateway.js";
export type { HookClient, HookPolicy } from "./hook/index.js";
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
  createMemoryMqttClientStore,
  createMemoryPresenceStore,
  createMemoryRoomLog,
  createMemorySessionStore,
  createRedisStores,
  type ArchiveSource,
  type MqttClientStore,
  type PresenceStore,
  type RoomLog,
  type SessionStore,
} from "./store/index.js";
