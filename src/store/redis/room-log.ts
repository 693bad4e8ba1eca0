/**
 * The logs in Redis: a stream a topic. Every method is one script a topic, so that nothing is ever half
 * done; what a log's keys hold is said in keys.ts and lua/log.lua.
 *
 * The server's run id is kept with the log: after a restart the newest writes may be gone, so the next
 * call, whichever it is, begins a new epoch, unless every write was on the disk before it was answered.
 */
import { createHash } from "node:crypto";
import type { LogMessage } from "../records.js";
import { defaultRetention, headKeptMs, mayBeAnnounced } from "../room-log.js";
import type {
  Appended,
  ArchiveSource,
  Publication,
  RetentionOptions,
  RoomLog,
  Settled,
} from "../room-log.js";
import { createRedisArchiveSource } from "./archive-source.js";
import type { Argument, RedisConnection } from "./connection.js";
import type { Keys } from "./keys.js";
import { parseEntries, parseHead } from "./log-format.js";
import { logScripts } from "./scripts.js";

/** Messages one script appends at most, so that it does not hold the server up for long. */
const MAX_BATCH = 256;
/** Publications of one publisher and payload that are waited for at once. */
const MAX_WAITING = 100;

export interface RedisRoomLogOptions {
  readonly connection: RedisConnection;
  readonly keys: Keys;
  readonly retention?: Partial<RetentionOptions>;
}

function asBuffer({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

/** No id, key or digest has a NUL in front of its end, so no two pairs have one name. */
function nameOf(from: string, rest: string): string {
  return createHash("sha1").update(from).update("\0").update(rest).digest("hex");
}

function contentName(from: string, payload: Uint8Array): string {
  return nameOf(from, createHash("sha1").update(payload).digest("hex"));
}

function argumentsOf(message: LogMessage): readonly Argument[] {
  const { id, from, username, protocol, qos, timestamp, payload } = message;
  const waiting = mayBeAnnounced(message) ? contentName(from, payload) : "";
  return [id, from, username, protocol, qos, timestamp, asBuffer(payload), waiting];
}

function parseAppended(reply: readonly number[]): readonly Appended[] {
  return Array.from({ length: reply.length / 3 }, (_, i) => {
    const [epoch = 0, offset = 0, repeated = 0] = reply.slice(i * 3, i * 3 + 3);
    return { epoch, offset, isRepeated: repeated === 1 };
  });
}

function parseSettled(
  reply: readonly [id: Buffer, epoch: number, offset: number] | readonly [],
): Settled | undefined {
  const [id, epoch, offset] = reply;
  if (id === undefined || epoch === undefined || offset === undefined) return undefined;
  return { id: id.toString(), epoch, offset };
}

export function createRedisRoomLog(options: RedisRoomLogOptions): RoomLog & ArchiveSource {
  const { connection, keys } = options;
  const retention: RetentionOptions = { ...defaultRetention, ...options.retention };
  const keptMs = headKeptMs(retention);
  const archive = createRedisArchiveSource({ connection, keys, retention });

  /** What every script of a log begins with. */
  function common(): readonly Argument[] {
    return [connection.durability(), keptMs];
  }

  function logKeys(topic: string): readonly string[] {
    const { meta, stream, ids } = keys.log(topic);
    return [meta, stream, ids];
  }

  async function appendBatch(
    topic: string,
    messages: readonly LogMessage[],
  ): Promise<readonly Appended[]> {
    const { maxEntries, maxAgeMs, isArchived } = retention;
    const reply = await connection.run(
      logScripts.append,
      [...logKeys(topic), keys.log(topic).base],
      [
        ...common(),
        ...[maxEntries, maxAgeMs, isArchived ? 1 : 0],
        ...messages.flatMap((message) => argumentsOf(message)),
      ],
    );
    return parseAppended(reply);
  }

  /** Keys and arguments of the scripts that deal with one publication. */
  function publicationCall(
    topic: string,
    { from, key, payload }: Publication,
  ): readonly [readonly string[], readonly Argument[]] {
    const log = keys.log(topic);
    const name = nameOf(from, key);
    return [
      [...logKeys(topic), log.publication(name), log.waiting(contentName(from, payload))],
      [...common(), name],
    ];
  }

  return {
    ...archive.source,

    open: (topics) =>
      Promise.all(
        topics.map(async (topic) =>
          parseHead(await connection.run(logScripts.open, logKeys(topic), common())),
        ),
      ),

    async append(topic, messages) {
      if (messages.length === 0) return [];
      if (retention.isArchived) await archive.enlist(topic);
      const appended: Appended[] = [];
      for (let i = 0; i < messages.length; i += MAX_BATCH) {
        appended.push(...(await appendBatch(topic, messages.slice(i, i + MAX_BATCH))));
      }
      return appended;
    },

    async read(topic, { after, limit, maxBytes }) {
      const [head, entries] = await connection.run(logScripts.read, logKeys(topic), [
        ...common(),
        ...[after + 1, limit, maxBytes],
      ]);
      return { head: parseHead(head), entries: parseEntries(topic, entries) };
    },

    async readBack(topic, { before, limit, maxBytes }) {
      const kind = typeof before === "string" ? "id" : before === undefined ? "newest" : "offset";
      const [head, entries, isKnown] = await connection.run(logScripts.readBack, logKeys(topic), [
        ...common(),
        ...[kind, before ?? "", limit, maxBytes],
      ]);
      return { head: parseHead(head), entries: parseEntries(topic, entries), isKnown };
    },

    async announce(topic, publication, windowMs) {
      const [publicationKeys, args] = publicationCall(topic, publication);
      const extra = [publication.username, windowMs, MAX_WAITING];
      const all = [...args, ...extra];
      return parseSettled(await connection.run(logScripts.announce, publicationKeys, all));
    },

    async settle(topic, publication) {
      const [publicationKeys, args] = publicationCall(topic, publication);
      return parseSettled(await connection.run(logScripts.settle, publicationKeys, args));
    },
  };
}
