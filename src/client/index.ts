/**
 * The chat client: a library for apps that talk to the gateway over TCP or TLS.
 *
 * core/ is pure: what happens goes in, what is to be done comes out. Here are the engine that runs
 * it (client.ts), the way to the app (delivery.ts) and the transport (transport.ts is the port,
 * tcp.ts the one for node). Nothing of the server's is used but the codec and the table of codes.
 */
export { createChatClient, type ChatClient, type SayOptions } from "./client.js";
export { ChatError, type ChatErrorCode } from "./core/error.js";
export type {
  ChatEvent,
  ChatEventOf,
  ChatEventType,
  ChatMessage,
  Destination,
  Gap,
  HistoryPage,
  Joined,
  JoinOptions,
  Member,
  PresenceEvent,
  Qos,
  Said,
  SavedState,
} from "./core/effect.js";
export type { Phase } from "./core/link.js";
export type { Reconnect } from "./core/settings.js";
export type { ChatClientOptions } from "./options.js";
export { createTcpTransport, type TcpOptions } from "./tcp.js";
export type { Transport, Wire, WireEvents } from "./transport.js";
