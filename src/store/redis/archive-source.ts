/**
 * The logs in Redis as the archive reads them: a consumer group a stream. Which topics there are stands in
 * a registry of its own, as no script can look at the keys of several slots.
 *
 * A topic is enlisted before an entry is appended, by each process at most once in ENLIST_MS. It is struck
 * off when the archive has all of it and it was not enlisted for DELIST_MS: by then each process that
 * appends has to enlist it anew, before it does.
 */
import { z } from "zod";
import { systemClock } from "../../clock.js";
import { ExpiringMap } from "../memory/expiring-map.js";
import { headKeptMs } from "../room-log.js";
import type { ArchiveSource, RetentionOptions } from "../room-log.js";
import type { RedisConnection } from "./connection.js";
import type { Keys } from "./keys.js";
import { parseEntries } from "./log-format.js";
import { logScripts } from "./scripts.js";

const ENLIST_MS = 60_000;
const DELIST_MS = 5 * ENLIST_MS;
/** Bytes of payload a claim gives; it goes over them by one chunk at most. */
const MAX_CLAIM_BYTES = 1024 * 1024;
const LAG_BATCH = 256;
/**
 * One for all gateways: what has not been confirmed is told by its age, never by whose it is, and a
 * group keeps for ever each consumer that it has seen.
 */
const CONSUMER = "gateway";

export interface RedisArchiveSourceOptions {
  readonly connection: RedisConnection;
  readonly keys: Keys;
  readonly retention: RetentionOptions;
}

export interface RedisArchiveSource {
  readonly source: ArchiveSource;
  /** To be awaited before an append to the topic. */
  enlist(topic: string): Promise<void>;
}

export function createRedisArchiveSource(options: RedisArchiveSourceOptions): RedisArchiveSource {
  const { connection, keys, retention } = options;
  const enlisted = new ExpiringMap<true>(systemClock);

  async function delist(topic: string): Promise<void> {
    await connection.run(logScripts.delist, [keys.logs], [topic, DELIST_MS]);
  }

  const pendingTopics = (): Promise<readonly string[]> =>
    connection.command(z.array(z.string()), "zrange", keys.logs, 0, -1);

  function lagOf(topic: string): Promise<number> {
    const { meta, stream } = keys.log(topic);
    return connection.run(logScripts.lag, [meta, stream], []);
  }

  return {
    async enlist(topic) {
      if (enlisted.get(topic) !== undefined) return;
      await connection.run(logScripts.enlist, [keys.logs], [topic]);
      enlisted.set(topic, true, ENLIST_MS);
    },

    source: {
      pendingTopics,

      async claim(topic, { limit, reclaimAfterMs }) {
        const reply = await connection.run(
          logScripts.claim,
          [keys.log(topic).stream],
          [CONSUMER, limit, reclaimAfterMs, MAX_CLAIM_BYTES],
        );
        if (reply.length === 0 && (await lagOf(topic)) === 0) await delist(topic);
        return [...parseEntries(topic, reply)].sort((a, b) => a.offset - b.offset);
      },

      async confirm(topic, offsets) {
        const { meta, stream, ids } = keys.log(topic);
        const { maxAgeMs } = retention;
        const args = [headKeptMs(retention), maxAgeMs, ...offsets];
        const left = await connection.run(logScripts.confirm, [meta, stream, ids], args);
        if (left === 0) await delist(topic);
      },

      async lag() {
        const topics = await pendingTopics();
        let total = 0;
        for (let i = 0; i < topics.length; i += LAG_BATCH) {
          const lags = await Promise.all(topics.slice(i, i + LAG_BATCH).map(lagOf));
          total += lags.reduce((sum, lag) => sum + lag, 0);
        }
        return total;
      },
    },
  };
}
