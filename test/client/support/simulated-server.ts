/**
 * A gateway with one room, as the contract has it: a log, a session that is kept behind its
 * connection, a window of unacknowledged messages, one publication by key. It can crash, and then
 * knows of its session what was saved last.
 */
import type { ClientFrame, ServerFrame } from "../../../src/codec/index.js";

export interface Entry {
  readonly id: string;
  readonly offset: number;
  readonly text: string;
}

interface Session {
  readonly name: string;
  readonly isJoined: boolean;
  /** Up to here the log was sent. */
  readonly sent: number;
  readonly seq: number;
  readonly acked: number;
  readonly unacked: readonly { readonly seq: number; readonly offset: number }[];
}

export const ROOM = "lobby";
const WINDOW = 8;

export class SimulatedServer {
  readonly log: Entry[] = [];
  private readonly keys = new Map<string, Entry>();
  private session: Session | undefined;
  private saved: Session | undefined;
  private sessions = 0;
  private replayTo = 0;
  private owesCaughtUp = false;
  private isConnected = false;
  /** What the next says are answered, and whether they are published all the same. */
  readonly refusals: {
    readonly code: "UNAVAILABLE" | "RATE_LIMITED";
    readonly isLogged: boolean;
  }[] = [];

  publish(text: string): Entry {
    const offset = this.log.length + 1;
    const entry = { id: offset.toString(16).padStart(32, "0"), offset, text };
    this.log.push(entry);
    return entry;
  }

  save(): void {
    this.saved = this.session;
  }

  /** What was not saved is forgotten. */
  crash(): void {
    this.session = this.saved;
    this.isConnected = false;
  }

  disconnected(): void {
    this.isConnected = false;
  }

  expire(): void {
    this.session = undefined;
    this.saved = undefined;
    this.isConnected = false;
  }

  receive(frame: ClientFrame): readonly ServerFrame[] {
    return [...this.answer(frame), ...this.feed()];
  }

  /** What the session is owed, as far as the window goes. */
  feed(): readonly ServerFrame[] {
    const frames: ServerFrame[] = [];
    for (;;) {
      const { session } = this;
      if (session === undefined || !this.isConnected || !session.isJoined) return frames;
      if (this.owesCaughtUp && session.sent >= this.replayTo) {
        this.owesCaughtUp = false;
        frames.push({ type: "caughtUp", room: ROOM, complete: true, from: 0, to: 0 });
      }
      const entry = this.log[session.sent];
      if (entry === undefined || session.unacked.length >= WINDOW) return frames;
      const seq = session.seq + 1;
      this.session = {
        ...session,
        seq,
        sent: entry.offset,
        unacked: [...session.unacked, { seq, offset: entry.offset }],
      };
      frames.push({
        type: "message",
        seq,
        room: ROOM,
        from: "somebody",
        username: "",
        qos: 1,
        ts: 0,
        replay: entry.offset <= this.replayTo,
        ...entry,
      });
    }
  }

  private answer(frame: ClientFrame): readonly ServerFrame[] {
    if (frame.type === "hello") return this.onHello(frame.resume, frame.lastSeq);
    const { session } = this;
    if (session === undefined || !this.isConnected) return [];
    switch (frame.type) {
      case "join":
        this.session = { ...session, isJoined: true };
        if (!session.isJoined) this.session = { ...this.session, sent: this.log.length };
        this.save();
        return [{ type: "ok", ref: frame.ref, id: "", offset: 0, recoverable: true }];
      case "ack":
        if (frame.seq > session.seq) throw new Error("acknowledged what was not sent");
        this.session = {
          ...session,
          acked: Math.max(session.acked, frame.seq),
          unacked: session.unacked.filter(({ seq }) => seq > frame.seq),
        };
        return [];
      case "say":
        return this.onSay(frame.ref, frame.key, frame.text ?? "", session.isJoined);
      case "ping":
        return [{ type: "pong", nonce: frame.nonce }];
      default:
        throw new Error(`${frame.type} is not simulated`);
    }
  }

  private onSay(ref: number, key: string, text: string, isJoined: boolean): readonly ServerFrame[] {
    const reason = "";
    if (!isJoined) return [{ type: "fail", ref, code: "NOT_JOINED", reason, retryAfterMs: 0 }];
    const refusal = this.refusals.shift();
    if (refusal === undefined || refusal.isLogged) {
      const said = this.keys.get(key) ?? this.publish(text);
      this.keys.set(key, said);
      if (refusal === undefined) {
        return [{ type: "ok", ref, id: said.id, offset: said.offset, recoverable: false }];
      }
    }
    return [{ type: "fail", ref, code: refusal.code, reason, retryAfterMs: 50 }];
  }

  private onHello(resume: boolean, lastSeq: number): readonly ServerFrame[] {
    const before = resume ? this.session : undefined;
    this.isConnected = true;
    const name = before?.name ?? `session-${(this.sessions += 1)}`;
    if (before === undefined) {
      this.session = { name, isJoined: false, sent: 0, seq: 0, acked: 0, unacked: [] };
    } else {
      const taken = Math.max(lastSeq, before.acked);
      const open = before.unacked.find(({ seq }) => seq > taken);
      const sent = open === undefined ? before.sent : open.offset - 1;
      this.session = { ...before, sent, seq: taken, acked: taken, unacked: [] };
      this.replayTo = this.log.length;
      this.owesCaughtUp = true;
    }
    this.save();
    return [
      {
        type: "welcome",
        clientId: "me",
        session: name,
        resumed: before !== undefined,
        rooms: before?.isJoined === true ? [ROOM] : [],
        keepalive: 30,
        maxFrameBytes: 65_536,
        server: "simulated",
      },
    ];
  }
}
