/**
 * The port that keeps what was said: one log a topic. A log's entries are counted by a dense
 * `offset` from 1; the count and the entry are written in one step, so that of two readers nobody
 * sees a hole that is still to be filled.
 *
 * A log has an `epoch`, greater than every one before it. A new epoch begins when entries may have
 * been lost (the store came back without its data, or perhaps without its newest ones); its first
 * offset, `since`, tells which of the older entries are still there: those below it. A reader that
 * stands at an older epoch goes on behind the lower one of its own offset and `since - 1`, and has
 * to reckon with a loss.
 *
 * Appending is idempotent by message id, for as long as the entry is kept.
 *
 * Every method rejects with GatewayError UNAVAILABLE while the store can't be reached.
 */
import { SESSION_MAX_AGE_SECONDS } from "./session-store.js";
import type { LogEntry, LogHead, LogMessage, LogPage, LogPosition } from "./records.js";

/** A message that a chat client is about to publish, under a key of its own. */
export interface Publication {
  /** The publisher's client id. */
  readonly from: string;
  /** The publisher's; empty when it has none. */
  readonly username: string;
  /** Unique for this publisher and topic within the window, however often it is tried again. */
  readonly key: string;
  readonly payload: Uint8Array;
}

/** Where a publication has gone. */
export interface Settled extends LogPosition {
  /** EMQX's id of the message. */
  readonly id: string;
}

export interface Appended extends LogPosition {
  /**
   * The message is a publication that is in the log already, under the id of an earlier attempt: the
   * position is that one's, nothing was appended, and it must not be routed again.
   */
  readonly isRepeated: boolean;
}

export interface RoomLog {
  /** The topics' heads, in the order asked. A topic without a log gets one, of a new epoch. */
  open(topics: readonly string[]): Promise<readonly LogHead[]>;
  /**
   * Appends messages of one topic, in order; gives where each is. A message that is there already
   * (by its id) is not appended again. A message without a `protocol` that was announced settles its
   * publication; its entry has the publication's username, and the protocol "exproto".
   */
  append(topic: string, messages: readonly LogMessage[]): Promise<readonly Appended[]>;
  /** Entries after `after`, oldest first; at most `limit` of them, and `maxBytes` of payload (but one). */
  read(
    topic: string,
    range: { readonly after: number; readonly limit: number; readonly maxBytes: number },
  ): Promise<LogPage>;
  /**
   * Entries before the offset or message id `before` (absent: the newest ones), newest first. An id
   * that is not in the log gives no entries, and `isKnown: false`.
   */
  readBack(
    topic: string,
    range: { readonly before?: number | string; readonly limit: number; readonly maxBytes: number },
  ): Promise<LogPage & { readonly isKnown: boolean }>;

  /**
   * Tells that a publication is about to be made. When one of the same publisher and key is in the
   * log already, gives where; nothing is to be published then. Else undefined: the next message of
   * that publisher and payload that is appended settles it, and every later one within `windowMs` is
   * a repetition, until `settle`.
   */
  announce(topic: string, publication: Publication, windowMs: number): Promise<Settled | undefined>;
  /**
   * Where an announced publication is; undefined when it is not in the log. A settled one is no
   * longer waited for: the same payload, not announced, is a message of its own again. Its key is
   * remembered to the end of the window.
   */
  settle(topic: string, publication: Publication): Promise<Settled | undefined>;
}

/** How much a log keeps. What is over is dropped at the next append, but never before it is archived. */
export interface RetentionOptions {
  /** Entries a topic. */
  readonly maxEntries: number;
  /** An entry is kept so long, by its timestamp; a topic without any forgets its offsets a session's lifetime later. */
  readonly maxAgeMs: number;
  /** An archive takes the entries over: what it has not confirmed is kept. */
  readonly isArchived: boolean;
}

export const defaultRetention: RetentionOptions = {
  maxEntries: 10_000,
  maxAgeMs: 7 * 24 * 3600 * 1000,
  isArchived: false,
};

/** Whether a message can be one that was announced: a client of ours says so, or nobody says what it speaks. */
export function mayBeAnnounced({ protocol }: LogMessage): boolean {
  return protocol === "" || protocol === "exproto";
}

/** Whether a message has the publisher and the payload of a publication. */
export function isLike({ from, payload }: Publication, message: LogMessage): boolean {
  return message.from === from && Buffer.compare(message.payload, payload) === 0;
}

/** How long a topic's epoch and offsets are kept after its last append. */
export function headKeptMs({ maxAgeMs }: RetentionOptions): number {
  return maxAgeMs + (SESSION_MAX_AGE_SECONDS + 24 * 3600) * 1000;
}

/**
 * The log as the archive reads it: a consumer group a topic. Several gateways may claim at once;
 * each entry is claimed by one of them, and claimed anew by another when it is not confirmed within
 * `reclaimAfterMs`: so each entry comes at least once.
 */
export interface ArchiveSource {
  /** Topics with entries that are not confirmed yet, as far as is known. */
  pendingTopics(): Promise<readonly string[]>;
  /** Oldest first. */
  claim(
    topic: string,
    options: { readonly limit: number; readonly reclaimAfterMs: number },
  ): Promise<readonly LogEntry[]>;
  /** They are in the archive. Those not claimed any more are ignored. */
  confirm(topic: string, offsets: readonly number[]): Promise<void>;
  /** Entries not confirmed yet, over all topics. */
  lag(): Promise<number>;
}
