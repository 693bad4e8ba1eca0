/**
 * What must outlive a connection, behind two ports: sessions and presence. Each port has an
 * implementation in memory and one in Redis, and one contract suite that both pass. Nothing here
 * knows of gRPC, of EMQX or of the chat protocol's frames; types of Redis stay in redis/.
 */
export { createMemoryPresenceStore } from "./memory/presence-store.js";
export { createMemorySessionStore } from "./memory/session-store.js";
export { parseAddresses as parseRedisUrl } from "./redis/address.js";
export { createRedisStores } from "./redis/stores.js";
export type { RedisStores, RedisStoresOptions } from "./redis/stores.js";
export { NOTE_MAX_AGE_SECONDS, SESSION_MAX_AGE_SECONDS } from "./session-store.js";
export type { SessionStore, SessionTake } from "./session-store.js";
export type { PresenceEntry, PresenceStore } from "./presence-store.js";
export type { Member, RoomOptions, SessionRecord } from "./records.js";
