/** What the stores keep, as plain data. */

export interface RoomOptions {
  readonly qos: number;
  readonly presence: boolean;
  readonly echo: boolean;
}

export interface KeptRoom extends RoomOptions {
  /** How far its log was sent; absent where it has none. */
  readonly at?: KeptPosition;
}

export interface KeptPosition extends LogPosition {
  /** What was sent before it had a place in the log, and has none yet. */
  readonly unlogged?: readonly Unlogged[];
  /** What is missing, and the client may not know of. */
  readonly hole?: KeptHole;
}

/** Offsets that can't be sent any more; 0 where an end is not known. */
export interface Hole {
  readonly from: number;
  readonly to: number;
}

export interface KeptHole extends Hole {
  /** It was told behind the message of this seq: who has taken over a later one knows. 0: not told. */
  readonly toldAt: number;
}

export interface Unlogged {
  /** The message's. */
  readonly id: string;
  /** 0 at qos 0. */
  readonly seq: number;
}

export interface Unacked {
  readonly seq: number;
  /** Empty: it came to the inbox. */
  readonly room: string;
  readonly offset: number;
}

/** A session as it outlives its connection. */
export interface SessionRecord {
  readonly session: string;
  readonly clientId: string;
  readonly username: string;
  readonly epoch: number;
  readonly rooms: Readonly<Record<string, KeptRoom>>;
  /** How far its inbox was sent; absent where it has no log. */
  readonly inbox?: KeptPosition;
  /** The last seq given out, and the highest one the client has taken over. */
  readonly seq: number;
  readonly ackedSeq: number;
  /** What was sent at qos 1 or 2 and not acknowledged, by `seq`. */
  readonly unacked: readonly Unacked[];
  /** Written when its connection ended: nothing was sent after this. */
  readonly isFinal: boolean;
  /** Seconds it is kept after its connection is gone. */
  readonly expirySeconds: number;
}

/** Someone who is in a room. */
export interface Member {
  /** What it speaks, "mqtt" for example; absent: the chat protocol. It keeps equal client ids apart. */
  readonly protocol?: string;
  readonly clientId: string;
  readonly username: string;
  /** Milliseconds since 1970. */
  readonly since: number;
}

/** What an MQTT client's session has subscribed, as far as rooms go; see hook/mqtt-session.ts. */
export interface MqttClientRecord {
  readonly protocol: string;
  readonly clientId: string;
  readonly username: string;
  /** The broker's node that it is connected to, or was last. */
  readonly node: string;
  /** Where it connects from: with the node it names the connection. */
  readonly peer: string;
  /** "resuming": its session goes on, and it is still to be told that the client is connected. */
  readonly phase: "connected" | "resuming" | "away";
  /** Of its session, with the time it came to each, in ms since 1970. */
  readonly rooms: readonly (readonly [room: string, since: number])[];
  /** Of the session before, until it is told whether that goes on. */
  readonly before: readonly string[];
}

/** A message of a room or an inbox, as the log keeps it. */
export interface LogMessage {
  /** EMQX's: 32 upper-case hex digits. */
  readonly id: string;
  readonly topic: string;
  /** The publisher's client id. */
  readonly from: string;
  /** The publisher's; empty when it is not known. */
  readonly username: string;
  /** What the publisher speaks: "mqtt", "exproto", …; empty when it is not known. */
  readonly protocol: string;
  /** The publisher's. */
  readonly qos: number;
  readonly payload: Uint8Array;
  /** Milliseconds since 1970. */
  readonly timestamp: number;
}

/** A place in a log. Offsets are dense and begin at 1; an epoch of 0 is none. */
export interface LogPosition {
  readonly epoch: number;
  readonly offset: number;
}

export interface LogEntry extends LogMessage, LogPosition {}

export interface LogHead {
  readonly epoch: number;
  /** The offset of the oldest entry; `last + 1` when there is none. */
  readonly first: number;
  /** The offset given out last; 0 before the first. */
  readonly last: number;
  /**
   * Which epochs have begun at which offset, oldest first, the last one being `epoch`. At least the
   * 8 newest are known.
   */
  readonly epochs: readonly { readonly epoch: number; readonly since: number }[];
}

/** The epoch that the entry of that offset is of; 0 when it is not known any more. */
export function epochAt({ epochs }: LogHead, offset: number): number {
  return epochs.findLast(({ since }) => since <= offset)?.epoch ?? 0;
}

/** The last offset whose entry is the one that it was in that epoch. */
export function intactUpTo({ epoch: newest, last, epochs }: LogHead, epoch: number): number {
  if (epoch === newest) return last;
  const next = epochs.find((later) => later.epoch > epoch);
  return next === undefined ? 0 : next.since - 1;
}

export interface LogPage {
  readonly head: LogHead;
  readonly entries: readonly LogEntry[];
}
