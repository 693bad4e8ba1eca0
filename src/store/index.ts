/**
 * What must outlive a connection, behind two ports: sessions and presence. Each port has an
 * implementation in memory and one in Redis, and one contract suite that both pass. Nothing here
 * knows of gRPC, of EMQX or of the chat protocol's frames; types of Redis stay in redis/.
 */
export { createMemoryMqttClientStore } from "./memory/mqtt-client-store.js";
export { createMemoryPresenceStore } from "./memory/presence-store.js";
export { createMemoryRoomLog } from "./memory/room-log.js";
export type { MemoryRoomLogOptions } from "./memory/room-log.js";
export { createMemorySessionStore } from "./memory/session-store.js";
export { parseAddresses as parseRedisUrl } from "./redis/address.js";
export { createRedisStores } from "./redis/stores.js";
export type { RedisStores, RedisStoresOptions } from "./redis/stores.js";
export { defaultRetention } from "./room-log.js";
export type {
  Appended,
  ArchiveSource,
  Publication,
  RetentionOptions,
  RoomLog,
  Settled,
} from "./room-log.js";
export { NOTE_MAX_AGE_SECONDS, SESSION_MAX_AGE_SECONDS } from "./session-store.js";
export type { SessionStore, SessionTake } from "./session-store.js";
export type { MqttClientName, MqttClientStore } from "./mqtt-client-store.js";
export type { PresenceEntry, PresenceStore } from "./presence-store.js";
export type {
  LogEntry,
  LogHead,
  LogMessage,
  LogPage,
  LogPosition,
  Member,
  MqttClientRecord,
  RoomOptions,
  SessionRecord,
} from "./records.js";
