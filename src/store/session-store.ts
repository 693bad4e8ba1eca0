/**
 * The port that keeps sessions beyond their connections, and fences them: every take counts the
 * session's epoch up, and whoever holds an older epoch can change nothing any more.
 *
 * Every method rejects with GatewayError UNAVAILABLE while the store can't be reached.
 */
import type { SessionRecord } from "./records.js";

export interface SessionTake {
  readonly epoch: number;
  readonly previous?: SessionRecord;
}

export interface SessionStore {
  /**
   * Takes the session of `clientId` over, for `username`. The new epoch is greater than every one
   * given out before, also after the store has lost its data. `previous` is what the last save
   * left, unless it has expired or belongs to another username (then it is dropped).
   */
  take(clientId: string, username: string): Promise<SessionTake>;
  /** Keeps the record while its connection lives. False: fenced off, nothing was written. */
  save(record: SessionRecord): Promise<boolean>;
  /**
   * The connection is gone: the record expires after its expirySeconds. False: fenced off. The epoch
   * ends with it, and with `drop`: what still comes under it is refused.
   */
  release(clientId: string, epoch: number): Promise<boolean>;
  /** The session ends for good. False: fenced off. */
  drop(clientId: string, epoch: number): Promise<boolean>;

  /** Notes something about a connection, for whoever meets it after this process is gone. */
  note(conn: string, text: string): Promise<void>;
  noteOf(conn: string): Promise<string | undefined>;
  forget(conn: string): Promise<void>;
}

/** A record whose gateway died is dropped this long after its last save at the latest. */
export const SESSION_MAX_AGE_SECONDS = 7 * 24 * 3600;
/** A note is dropped this long after it was written at the latest. */
export const NOTE_MAX_AGE_SECONDS = 7 * 24 * 3600;
