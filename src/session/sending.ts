/**
 * What one step sends to a client, and what that does to the state: messages become frames, counted
 * and noted for the acknowledgement.
 */
import { isUtf8 } from "node:buffer";
import type { ServerFrameOf } from "../codec/frame.js";
import type { LogMessage, RoomOptions, Unacked } from "../store/records.js";
import { frame, type SessionEffect } from "./effect.js";
import type { Feed } from "./feed.js";
import type { SessionOptions } from "./options.js";
import { INBOX, type Active } from "./state.js";

/** Every session joins its user's inbox with it. */
export const INBOX_QOS = 1;

const inboxOptions: RoomOptions = { qos: INBOX_QOS, presence: false, echo: true };

/** The room of a topic, or INBOX for the session's own; undefined for whatever else there is. */
export function roomOf(
  state: Active,
  topic: string,
  { topics }: SessionOptions,
): string | undefined {
  const place = topics.placeOf(topic);
  if (place?.kind === "room") return place.room;
  return place?.kind === "user" && place.user === state.greeting.username ? INBOX : undefined;
}

/** Undefined where it is not joined, nor about to be. */
export function joinedIn(state: Active, room: string): RoomOptions | undefined {
  if (room === INBOX) return state.greeting.username === "" ? undefined : inboxOptions;
  const { pending } = state;
  const joining = pending?.command === "join" && pending.room === room ? pending : undefined;
  return state.rooms.get(room) ?? joining?.options;
}

/** Collects what one step sends, and what that does to the state. */
export class Sending {
  private readonly effects: SessionEffect[] = [];
  private readonly feeds: Map<string, Feed>;
  private unacked: Unacked[];
  private seq: number;
  private dropped = 0;

  constructor(
    private readonly state: Active,
    private readonly options: SessionOptions,
  ) {
    this.feeds = new Map(state.feeds);
    this.unacked = [...state.unacked];
    this.seq = state.seq;
  }

  feed(room: string): Feed | undefined {
    return this.feeds.get(room);
  }

  setFeed(room: string, feed: Feed): void {
    this.feeds.set(room, feed);
  }

  endFeed(room: string): void {
    this.feeds.delete(room);
  }

  /** What is behind `offset` in the room's log can't be sent again. */
  forgetUnacked(room: string, offset: number): void {
    this.unacked = displace(this.unacked, room, offset);
  }

  get lastSeq(): number {
    return this.seq;
  }

  get isWindowFull(): boolean {
    return this.unacked.length >= this.options.ackWindow;
  }

  tell(effect: SessionEffect): void {
    this.effects.push(effect);
  }

  /** Nothing of it was promised. */
  drop(messages: number): void {
    this.dropped += messages;
  }

  /** What was sent without a place in the log has one now: it can be sent again from there. */
  place(room: string, seq: number, offset: number): void {
    this.unacked = this.unacked.map((sent) => (sent.seq === seq ? { seq, room, offset } : sent));
  }

  /**
   * Gives its seq.
   * @param offset 0: it has no place in a log.
   */
  send(room: string, message: Sendable, qos: number, offset: number, replay: boolean): number {
    if (qos > 0) {
      this.seq += 1;
      // Without a log there is nothing that could wait for an acknowledgement.
      if (this.feeds.has(room)) this.unacked.push({ seq: this.seq, room, offset });
    }
    const place = room === INBOX ? { user: this.state.greeting.username } : { room };
    const seq = qos > 0 ? this.seq : 0;
    this.effects.push(
      frame("message", {
        seq,
        ...place,
        ...describe(message),
        qos,
        offset,
        replay,
      }),
    );
    return seq;
  }

  finish(): { readonly state: Active; readonly effects: readonly SessionEffect[] } {
    const { seq, unacked, feeds } = this;
    if (this.dropped > 0) this.effects.push({ kind: "dropped", messages: this.dropped });
    return { state: { ...this.state, seq, unacked, feeds }, effects: this.effects };
  }
}

/** What is behind `offset` in the room's log has lost its place, and still waits to be acknowledged. */
export function displace(unacked: readonly Unacked[], room: string, offset: number): Unacked[] {
  return unacked.map((sent) =>
    sent.room === room && sent.offset > offset ? { ...sent, offset: 0 } : sent,
  );
}

export type Sendable = Pick<
  LogMessage,
  "id" | "from" | "username" | "payload" | "timestamp" | "qos"
>;

/** What a message is wherever it is shown. */
export function describe(
  message: Sendable,
): Pick<ServerFrameOf<"message">, "id" | "from" | "username" | "text" | "data" | "ts"> {
  const { id, from, username, payload, timestamp } = message;
  return { id, from, username, ...content(payload), ts: timestamp };
}

function content(payload: Uint8Array): { text: string } | { data: Uint8Array } {
  return isUtf8(payload) ? { text: Buffer.from(payload).toString() } : { data: payload };
}
