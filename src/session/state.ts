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
import type { RoomOptions } from "../store/records.js";
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
}

export interface Authenticating extends Phase {
  readonly phase: "authenticating";
  readonly greeting: Greeting;
  /** Which answer is awaited; it has the id `lastCall`. */
  readonly step: "credentials" | "session" | "save" | "inbox";
  /** 0 until the session is taken. */
  readonly epoch: number;
  /** What came to the inbox before its subscription was answered. */
  readonly held: readonly BrokerMessage[];
}

/**
 * More than any usual burst between a subscription and its answer; a login that meets a greater
 * one ends with `bye`.
 */
export const MAX_HELD_MESSAGES = 256;

export interface Active extends Phase {
  readonly phase: "active";
  readonly greeting: Greeting;
  readonly epoch: number;
  readonly rooms: ReadonlyMap<string, RoomOptions>;
  readonly seq: number;
  readonly ackedSeq: number;
  readonly pending: Pending | undefined;
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
  | { readonly command: "who"; readonly ref: number; readonly room: string };

export interface PendingJoin {
  readonly command: "join";
  readonly ref: number;
  readonly room: string;
  readonly options: RoomOptions;
  /** The options it had before; undefined when it was not joined. */
  readonly before: RoomOptions | undefined;
  readonly step: "subscribe" | "presence topic" | "presence" | "save";
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
