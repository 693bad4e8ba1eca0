/** Sessions in Redis. Every method is one command or one script, so nothing is ever half done. */
import { z } from "zod";
import type { Logger } from "../../logger.js";
import { NOTE_MAX_AGE_SECONDS, SESSION_MAX_AGE_SECONDS } from "../session-store.js";
import type { SessionStore } from "../session-store.js";
import type { RedisConnection } from "./connection.js";
import type { Keys } from "./keys.js";
import { formatRecord, parseRecord } from "./record-format.js";
import { scripts } from "./scripts.js";

/**
 * How long a connection whose session has ended is still told so. After this the epoch is forgotten;
 * the next one is greater all the same, as epochs follow the clock.
 */
const FENCE_SECONDS = 24 * 3600;

export interface RedisSessionStoreOptions {
  readonly connection: RedisConnection;
  readonly keys: Keys;
  readonly logger: Logger;
}

export function createRedisSessionStore(options: RedisSessionStoreOptions): SessionStore {
  const { connection, keys, logger } = options;

  function end(clientId: string, epoch: number, record: "keep" | "drop"): Promise<boolean> {
    const session = keys.session(clientId);
    const args = [epoch, record, FENCE_SECONDS];
    return connection.run(scripts.sessionEnd, [session.epoch, session.record], args);
  }

  return {
    async take(clientId, username) {
      const session = keys.session(clientId);
      const [epoch, data] = await connection.run(
        scripts.sessionTake,
        [session.epoch, session.record],
        [username, SESSION_MAX_AGE_SECONDS],
      );
      if (data === null) return { epoch };
      const previous = parseRecord(data);
      if (previous !== undefined) return { epoch, previous };
      logger.warn({ clientId }, "the kept session can't be read and counts as absent");
      return { epoch };
    },

    save(record) {
      const session = keys.session(record.clientId);
      return connection.run(
        scripts.sessionSave,
        [session.epoch, session.record],
        [
          record.epoch,
          record.username,
          record.expirySeconds,
          formatRecord(record),
          SESSION_MAX_AGE_SECONDS,
        ],
      );
    },

    release: (clientId, epoch) => end(clientId, epoch, "keep"),
    drop: (clientId, epoch) => end(clientId, epoch, "drop"),

    async note(conn, text) {
      const args = [keys.note(conn), text, "EX", NOTE_MAX_AGE_SECONDS];
      await connection.command(z.literal("OK"), "set", ...args);
    },

    async noteOf(conn) {
      const text = await connection.command(z.string().nullable(), "get", keys.note(conn));
      return text ?? undefined;
    },

    async forget(conn) {
      await connection.command(z.int(), "del", keys.note(conn));
    },
  };
}
