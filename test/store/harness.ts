/** What a contract suite needs of an implementation, and the two ways to get it. */
import { randomUUID } from "node:crypto";
import type { Redis } from "ioredis";
import { silentLogger } from "../../src/logger.js";
import { createMemoryMqttClientStore } from "../../src/store/memory/mqtt-client-store.js";
import { createMemoryPresenceStore } from "../../src/store/memory/presence-store.js";
import { createMemoryRoomLog } from "../../src/store/memory/room-log.js";
import { createMemorySessionStore } from "../../src/store/memory/session-store.js";
import type { MqttClientStore } from "../../src/store/mqtt-client-store.js";
import type { PresenceStore } from "../../src/store/presence-store.js";
import { createRedisStores } from "../../src/store/redis/stores.js";
import type { RedisStores } from "../../src/store/redis/stores.js";
import type { ArchiveSource, RetentionOptions, RoomLog } from "../../src/store/room-log.js";
import type { SessionStore } from "../../src/store/session-store.js";
import { createFakeClock } from "../support/fake-clock.js";
import { eventually } from "../support/eventually.js";
import type { RedisServer } from "../support/redis-server.js";

export interface StoreHarness {
  /** Two processes' views of the same data. */
  readonly sessions: readonly [SessionStore, SessionStore];
  readonly presence: readonly [PresenceStore, PresenceStore];
  readonly mqttClients: readonly [MqttClientStore, MqttClientStore];
  readonly logs: readonly [RoomLog & ArchiveSource, RoomLog & ArchiveSource];
  /** Lets time pass. */
  advance(ms: number): Promise<void>;
  close(): Promise<void>;
}

export function createMemoryHarness(retention: Partial<RetentionOptions> = {}): StoreHarness {
  const clock = createFakeClock(Date.now());
  const sessions = createMemorySessionStore({ clock });
  const presence = createMemoryPresenceStore({ clock });
  const mqttClients = createMemoryMqttClientStore({ clock });
  const log = createMemoryRoomLog({ clock, retention });
  return {
    sessions: [sessions, sessions],
    presence: [presence, presence],
    mqttClients: [mqttClients, mqttClients],
    logs: [log, log],
    advance: (ms) => clock.advance(ms),
    close: () => Promise.resolve(),
  };
}

export async function openRedisStores(
  options: Parameters<typeof createRedisStores>[0],
): Promise<RedisStores> {
  const stores = createRedisStores(options);
  await eventually("the stores are ready", () => stores.ready());
  return stores;
}

/** Redis' clock can't be moved, so its data is aged: each key loses `ms` of the time it has left. */
export async function age(admin: Redis, keyPrefix: string, ms: number): Promise<void> {
  for (const key of await admin.keys(`${keyPrefix}*`)) {
    const leftMs = await admin.pttl(key);
    if (leftMs < 0) continue;
    if (leftMs <= ms) await admin.del(key);
    else await admin.pexpire(key, leftMs - ms);
  }
}

/** Each harness has a key prefix of its own, so that tests don't meet on one server. */
export async function createRedisHarness(
  server: RedisServer,
  mode: "standalone" | "cluster",
  retention: Partial<RetentionOptions> = {},
): Promise<StoreHarness> {
  const keyPrefix = `${randomUUID()}:`;
  const options = { url: server.url, mode, keyPrefix, retention, logger: silentLogger };
  const [one, other] = await Promise.all([openRedisStores(options), openRedisStores(options)]);
  return {
    sessions: [one.sessions, other.sessions],
    presence: [one.presence, other.presence],
    mqttClients: [one.mqttClients, other.mqttClients],
    logs: [one.log, other.log],
    advance: (ms) => age(server.admin, keyPrefix, ms),
    async close() {
      await Promise.all([one.close(), other.close()]);
    },
  };
}
