/**
 * What is asked of the logs in Redis: a stream a topic. Every call is one script a topic, so that nothing
 * is ever half done; what a log's keys hold is said in keys.ts and lua/log.lua.
 *
 * The server's run id is kept with the log: after a restart the newest writes may be gone, so the next
 * call, whichever it is, begins a new epoch, unless every write was on the disk before it was answered.
 */
import { createHash } from "node:crypto";
import type { LogHead, LogMessage, LogPage, LogPosition } from "../records.js";
import { headKeptMs, mayBeAnnounced } from "../room-log.js";
import type { Appended, Publication, RetentionOptions, RoomLog, Settled } from "../room-log.js";
import type { Argument, RedisConnection } from "./connection.js";
import type { Keys } from "./keys.js";
import { parseEntries, parseHead } from "./log-format.js";
import { logScripts } from "./scripts.js";

/** Messages one script appends at most, so that it does not hold the server up for long. */
const MAX_BATCH = 256;
/** Publications of one publisher and payload that are waited for at once. */
const MAX_WAITING = 100;

/** Nothing was done: the log's epoch is another one than the caller knew. */
export class OtherEpoch extends Error {}

export interface MessageToAppend {
  readonly message: LogMessage;
  /** Where it was before the server lost it: its place again, if nothing has come there since. */
  readonly was?: LogPosition;
  /** Its publication is settled: it settles no other one. */
  readonly isSettled?: boolean;
}

/** See RoomLog. A call with an `epoch` rejects with OtherEpoch when that is not the log's. */
export interface LogCalls extends Pick<RoomLog, "read" | "readBack"> {
  open(topic: string): Promise<LogHead>;
  append(
    topic: string,
    epoch: number,
    messages: readonly MessageToAppend[],
  ): Promise<readonly Appended[]>;
  /** @param settledBy The id of its message, when that is in the log and the publication was lost. */
  announce(
    topic: string,
    epoch: number,
    publication: Publication,
    windowMs: number,
    settledBy?: string,
  ): Promise<Settled | undefined>;
  settle(topic: string, epoch: number, publication: Publication): Promise<Settled | undefined>;
}

export interface LogCallsOptions {
  readonly connection: RedisConnection;
  readonly keys: Keys;
  readonly retention: RetentionOptions;
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

function argumentsOf({ message, was, isSettled }: MessageToAppend): readonly Argument[] {
  const { id, from, username, protocol, qos, timestamp, payload } = message;
  const mayWait = mayBeAnnounced(message) && isSettled !== true;
  return [
    ...[id, from, username, protocol, qos, timestamp, asBuffer(payload)],
    mayWait ? contentName(from, payload) : "",
    was === undefined ? "" : `${was.epoch} ${was.offset}`,
  ];
}

function parseAppended(reply: "other epoch" | readonly number[]): readonly Appended[] {
  if (reply === "other epoch") throw new OtherEpoch();
  return Array.from({ length: reply.length / 3 }, (_, i) => {
    const [epoch = 0, offset = 0, repeated = 0] = reply.slice(i * 3, i * 3 + 3);
    return { epoch, offset, isRepeated: repeated === 1 };
  });
}

function parseSettled(
  reply: "other epoch" | readonly [id: Buffer, epoch: number, offset: number] | readonly [],
): Settled | undefined {
  if (reply === "other epoch") throw new OtherEpoch();
  const [id, epoch, offset] = reply;
  if (id === undefined || epoch === undefined || offset === undefined) return undefined;
  return { id: id.toString(), epoch, offset };
}

export function createLogCalls({ connection, keys, retention }: LogCallsOptions): LogCalls {
  const { maxEntries, maxAgeMs, isArchived } = retention;
  const keptMs = headKeptMs(retention);

  /** What every script of a log begins with. */
  function common(): readonly Argument[] {
    return [connection.durability(), keptMs];
  }

  function logKeys(topic: string): readonly string[] {
    const { meta, stream, ids } = keys.log(topic);
    return [meta, stream, ids];
  }

  /** Keys and first arguments of the scripts that deal with one publication. */
  function publicationCall(
    topic: string,
    epoch: number,
    { from, key, payload }: Publication,
  ): readonly [readonly string[], readonly Argument[]] {
    const log = keys.log(topic);
    const name = nameOf(from, key);
    return [
      [...logKeys(topic), log.publication(name), log.waiting(contentName(from, payload))],
      [...common(), epoch, name],
    ];
  }

  return {
    open: async (topic) =>
      parseHead(await connection.run(logScripts.open, logKeys(topic), common())),

    async append(topic, epoch, messages) {
      const appended: Appended[] = [];
      for (let i = 0; i < messages.length; i += MAX_BATCH) {
        const reply = await connection.run(
          logScripts.append,
          [...logKeys(topic), keys.log(topic).base],
          [
            ...common(),
            ...[epoch, maxEntries, maxAgeMs, isArchived ? 1 : 0],
            ...messages.slice(i, i + MAX_BATCH).flatMap(argumentsOf),
          ],
        );
        appended.push(...parseAppended(reply));
      }
      return appended;
    },

    async read(topic, { after, limit, maxBytes }): Promise<LogPage> {
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

    async announce(topic, epoch, publication, windowMs, settledBy = "") {
      const [publicationKeys, args] = publicationCall(topic, epoch, publication);
      const extra = [publication.username, windowMs, MAX_WAITING, settledBy];
      const all = [...args, ...extra];
      return parseSettled(await connection.run(logScripts.announce, publicationKeys, all));
    },

    async settle(topic, epoch, publication) {
      const [publicationKeys, args] = publicationCall(topic, epoch, publication);
      return parseSettled(await connection.run(logScripts.settle, publicationKeys, args));
    },
  };
}
