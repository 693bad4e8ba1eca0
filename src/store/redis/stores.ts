/** All stores over one connection to Redis. */
import type { MqttClientStore } from "../mqtt-client-store.js";
import type { PresenceStore } from "../presence-store.js";
import type { ArchiveSource, RetentionOptions, RoomLog } from "../room-log.js";
import type { SessionStore } from "../session-store.js";
import { createRedisConnection } from "./connection.js";
import type { RedisConnectionOptions } from "./connection.js";
import { createKeys } from "./keys.js";
import { createRedisMqttClientStore } from "./mqtt-client-store.js";
import { createRedisPresenceStore } from "./presence-store.js";
import { createRedisRoomLog } from "./room-log.js";
import { createRedisSessionStore } from "./session-store.js";

export interface RedisStoresOptions extends RedisConnectionOptions {
  /** Stands before every key. Default "exproto:". */
  readonly keyPrefix?: string;
  /** What the logs keep. Default `defaultRetention`. */
  readonly retention?: Partial<RetentionOptions>;
}

export interface RedisStores {
  readonly sessions: SessionStore;
  readonly presence: PresenceStore;
  readonly mqttClients: MqttClientStore;
  readonly log: RoomLog & ArchiveSource;
  /** Whether Redis is there, as far as is known. */
  ready(): boolean;
  /** Waits for what is under way, then closes for good. */
  close(): Promise<void>;
}

/** Comes up whether Redis is there or not. Throws RangeError when the URL can't be used. */
export function createRedisStores(options: RedisStoresOptions): RedisStores {
  const { keyPrefix = "exproto:", logger } = options;
  const connection = createRedisConnection(options);
  const keys = createKeys(keyPrefix);
  const log = createRedisRoomLog({
    connection,
    keys,
    ...(options.retention !== undefined && { retention: options.retention }),
  });
  return {
    sessions: createRedisSessionStore({ connection, keys, logger }),
    presence: createRedisPresenceStore({ connection, keys, logger }),
    mqttClients: createRedisMqttClientStore({ connection, keys, logger }),
    log,
    ready: () => connection.ready(),
    async close() {
      log.stop();
      await connection.close();
    },
  };
}
