/**
 * A session's state: a tagged union of plain data.
 *
 *   opened ──hello──► authenticating ──welcome──► active
 *      └──────────────────┴───── bye, closed ──────┴────► closed
 *
 * A command that needs the broker or a store is `pending` until its last answer; the next frame
 * waits for it (see `isReady`), so commands are carried out, and answered, in the order they came.
 */
import type { BrokerMessage } from "../protocol.js";
import type {
  KeptRoom,
  LogPosition,
  RoomOptions,
  SessionRecord,
  Unacked,
  Unlogged,
} from "../store/records.js";
import type { Feed } from "./feed.js";
import type { Bucket } from "./rate.js";

interface Phase {
  /** Ours, unique: see Link.instance. */
  readonly instance: string;
  readonly bucket: Bucket;
  /** The id of the last call made. */
  readonly lastCall: number;
}

export interface Opened extends Phase {
  readonly phase: "opened";
}

/** What a valid hello asks for. */
export interface Greeting {
  readonly clientId: string;
  readonly username: string;
  readonly keepaliveSeconds: number;
  readonly expirySeconds: number;
  readonly resume: boolean;
  /** The highest seq that the client has taken over. */
  readonly lastSeq: number;
}

export interface Authenticating extends Phase {
  readonly phase: "authenticating";
  readonly greeting: Greeting;
  /** Which answer is awaited; it has the id `lastCall`. */
  readonly step:
    | "credentials"
    | "session"
    | "inbox"
    | "inbox log"
    | "room"
    | "presence topic"
    | "presence"
    | "save";
  /** 0 until the session is taken. */
  readonly epoch: number;
  /** What an earlier connection has left, where that is taken up. */
  readonly previous: SessionRecord | undefined;
  /** Its rooms that are not subscribed again yet. */
  readonly ahead: readonly (readonly [string, KeptRoom])[];
  readonly rooms: ReadonlyMap<string, RoomOptions>;
  readonly feeds: ReadonlyMap<string, Feed>;
  /** What came without a place in a log before the login was through. */
  readonly held: readonly BrokerMessage[];
  /** The last that came to the inbox with a place in its log: that may have been opened before. */
  readonly inboxNews: LogPosition | undefined;
}

/**
 * More than any usual burst during a login; one that meets a greater one ends with `bye`. What is in
 * a log is not held.
 */
export const MAX_HELD_MESSAGES = 256;

/** Stands for the inbox where a room's name would stand. */
export const INBOX = "";

export interface Active extends Phase {
  readonly phase: "active";
  readonly greeting: Greeting;
  /** The session's name, kept over every resume. */
  readonly session: string;
  readonly epoch: number;
  readonly rooms: ReadonlyMap<string, RoomOptions>;
  /** How far each log was sent, by room or INBOX. Rooms without a log have none. */
  readonly feeds: ReadonlyMap<string, Feed>;
  readonly seq: number;
  readonly ackedSeq: number;
  /**
   * What was sent in rooms with a log and not acknowledged, by seq. Offset 0: it has no place in
   * the log, so that it can't be sent again, but it takes its part of the window.
   */
  readonly unacked: readonly Unacked[];
  readonly pending: Pending | undefined;
  /** The call that `pending` waits for. */
  readonly awaited: number;
  /** The page that is being read from a log; "later": the log could not be read, a timer runs. */
  readonly reading: { readonly room: string; readonly call: number } | "later" | undefined;
  /** Much waits to be sent. */
  readonly isPressed: boolean;
  /** "due": the timer of the next save runs; else the save under way, and whether it is too old. */
  readonly keeping: { readonly call: number; readonly isOutdated: boolean } | "due" | undefined;
  /** More is there than the client has made room for: the timer of the slow consumer runs. */
  readonly isBlocked: boolean;
}

export interface Closed {
  readonly phase: "closed";
}

export type SessionState = Opened | Authenticating | Active | Closed;

/** A command between its first call and its last answer. */
export type Pending =
  | PendingJoin
  | PendingLeave
  | { readonly command: "say"; readonly ref: number }
  | { readonly command: "who"; readonly ref: number; readonly room: string }
  | { readonly command: "history"; readonly ref: number; readonly room: string };

export interface PendingJoin {
  readonly command: "join";
  readonly ref: number;
  readonly room: string;
  readonly options: RoomOptions;
  /** The options it had before; undefined when it was not joined. */
  readonly before: RoomOptions | undefined;
  /** How many of the last messages are wanted first. */
  readonly history: number;
  /** Undefined until the log is opened, and where there is none. */
  readonly feed: Feed | undefined;
  /** The highest offset that was delivered before the log was opened. */
  readonly known: number;
  /** What was sent before the log was opened, and had no place in it. */
  readonly unlogged: readonly Unlogged[];
  readonly step: "subscribe" | "presence topic" | "presence" | "log" | "save";
}

export interface PendingLeave {
  readonly command: "leave";
  readonly ref: number;
  readonly room: string;
  readonly before: RoomOptions;
  readonly step: "save" | "unsubscribe" | "presence topic";
}

/** Whether the next frame may be stepped. */
export function isReady(state: SessionState): boolean {
  switch (state.phase) {
    case "opened":
    case "closed":
      return true;
    case "authenticating":
      return false;
    case "active":
      return state.pending === undefined;
  }
}
