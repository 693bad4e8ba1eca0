/**
 * The port that keeps messages for good, in the order of their logs: by epoch, then by offset.
 *
 * Every method rejects with GatewayError UNAVAILABLE while the database is away or can't serve, and
 * INTERNAL for a bug of ours.
 */
import type { LogEntry, LogPosition } from "../store/index.js";

export interface Archive {
  /**
   * Gives how many of the entries are new; they are kept when this resolves. One that is there
   * already, by its place or by its topic and message id, is left as it is: writing again is harmless.
   */
  write(entries: readonly LogEntry[]): Promise<number>;
  /** Entries behind `after`, oldest first. Without more: none. */
  read(topic: string, range: ArchiveRange & { readonly after: LogPosition }): Promise<Entries>;
  /**
   * Entries before the place or message id `before` (absent: the newest ones), newest first. An id
   * that is not there gives no entries, and `isKnown: false`.
   */
  readBack(
    topic: string,
    range: ArchiveRange & { readonly before?: LogPosition | string },
  ): Promise<{ readonly entries: Entries; readonly isKnown: boolean }>;
  /** All topics with an entry, in the order of their bytes. */
  topics(): Promise<readonly string[]>;
  /** A topic's entries. Looks at each: not for often. */
  count(topic: string): Promise<number>;
  /** Asks the database whether it can serve; never rejects. */
  ready(): Promise<boolean>;
  /** Waits for what is under way, then closes for good. */
  close(): Promise<void>;
}

type Entries = readonly LogEntry[];

/** How much a read gives. */
export interface ArchiveRange {
  /** Entries, at most. */
  readonly limit: number;
  /** Bytes of payload, at most; but one entry is given whatever its size. */
  readonly maxBytes: number;
}
