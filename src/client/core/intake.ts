/**
 * What comes in: tells repetitions from what is new, and knows how far the app has got.
 *
 * A message is known by its id, for as long as the app has not taken it over, and then for the next
 * `maxSeen` messages taken. Its `seq` is a number of the connection it came over: after a resume the
 * server counts on from the `lastSeq` that `hello` told, and what was not taken over comes again
 * under new numbers. So `lastSeq` stands still from a `hello` on until the first message behind it,
 * whatever the app takes over meanwhile; what it took over is known by its id when it comes again.
 */
import type { ChatMessage } from "./effect.js";

interface Handed {
  readonly id: string;
  readonly session: string;
  readonly room: string | undefined;
  readonly offset: number;
  isTaken: boolean;
}

export class Intake {
  /** Handed to the app and not taken over, by token. */
  private readonly handed = new Map<number, Handed>();
  /** The same, by id, of those that are remembered. */
  private readonly open = new Map<string, Handed>();
  /** Taken over, the oldest first. */
  private readonly taken: Set<string>;
  /** Came over this connection, in order, from the first one on that is not taken over. */
  private line: { readonly seq: number; readonly handed: Handed }[] = [];
  private lastToken = 0;
  /** The present one. */
  private session = "";
  private acked: number;

  constructor(
    private readonly maxSeen: number,
    private floor: number,
    seen: readonly string[],
  ) {
    this.taken = new Set(seen.slice(-maxSeen));
    this.acked = floor;
  }

  /** Every message up to it was taken over. */
  get lastSeq(): number {
    return this.floor;
  }

  get seen(): readonly string[] {
    return [...this.taken];
  }

  /** How many were taken over since the last `ack`. */
  get unacknowledged(): number {
    return this.floor - this.acked;
  }

  /** A `hello` with `lastSeq` goes out: from here on, numbers are those of the new connection. */
  hello(): void {
    this.line = [];
  }

  welcome(isResumed: boolean, session: string): void {
    this.session = session;
    if (!isResumed) this.floor = 0;
    this.acked = this.floor;
  }

  acknowledged(): void {
    this.acked = this.floor;
  }

  /** The server has not taken the last `ack`. */
  acknowledgeAgain(): void {
    this.acked = Math.min(this.acked, Math.max(0, this.floor - 1));
  }

  /**
   * The token of a message that is new, 0 where there is nothing to take over; undefined for a
   * repetition.
   */
  receive(message: ChatMessage): number | undefined {
    const { id, seq, room, offset } = message;
    const isTaken = id !== "" && this.taken.has(id);
    const fresh = { id, session: this.session, room, offset, isTaken };
    const before = isTaken ? fresh : this.open.get(id);
    const handed = before ?? fresh;
    if (seq > 0) this.line.push({ seq, handed });
    if (before !== undefined) {
      this.advance();
      return undefined;
    }
    // At most once is at most once: nothing of it is sent again.
    if (seq === 0 && !message.replay) return 0;
    this.lastToken += 1;
    this.handed.set(this.lastToken, handed);
    if (id !== "") this.open.set(id, handed);
    return this.lastToken;
  }

  take(token: number): void {
    const handed = this.handed.get(token);
    if (handed === undefined) return;
    this.handed.delete(token);
    handed.isTaken = true;
    if (this.open.delete(handed.id)) this.remember(handed.id);
    this.advance();
  }

  /** The session over which the first message came that is not taken over; undefined: all are. */
  get firstOpenSession(): string | undefined {
    for (const { session } of this.handed.values()) return session;
    return undefined;
  }

  /** The offset of the first message of the room that is not taken over; undefined: all are. */
  firstOpen(room: string): number | undefined {
    for (const handed of this.handed.values()) {
      if (handed.room === room && handed.offset > 0) return handed.offset;
    }
    return undefined;
  }

  private remember(id: string): void {
    this.taken.add(id);
    if (this.taken.size <= this.maxSeen) return;
    for (const oldest of this.taken) {
      this.taken.delete(oldest);
      return;
    }
  }

  private advance(): void {
    let done = 0;
    for (const { seq, handed } of this.line) {
      if (!handed.isTaken) break;
      this.floor = seq;
      done += 1;
    }
    if (done > 0) this.line.splice(0, done);
  }
}
