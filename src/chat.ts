/**
 * The chat protocol: codec and session behind the Protocol port. Frames are stepped one at a time;
 * while a command is under way the next ones wait here, in order and bounded.
 */
import { encodingNamed, openCodec, type DetectingCodec } from "./codec/index.js";
import type { Inbound } from "./codec/frame.js";
import type { Effect, Link, Protocol, ProtocolConnection, ProtocolEvent } from "./protocol.js";
import {
  defaultSessionOptions,
  isReady,
  open,
  step,
  type SessionEvent,
  type SessionOptions,
  type SessionState,
  type Step,
} from "./session/index.js";

export interface ChatOptions extends SessionOptions {
  /** Bytes of frames that may wait for the command before them. */
  readonly maxBacklogBytes: number;
}

export const defaultChatOptions: ChatOptions = {
  ...defaultSessionOptions,
  maxBacklogBytes: 512 * 1024,
};

export function createChatProtocol(options: ChatOptions): Protocol {
  return {
    name: "chat",
    accept: (link) => new ChatConnection(link, options),
    farewell(note) {
      const codec = encodingNamed(note)?.open({ maxFrameBytes: options.maxHelloBytes });
      return (
        codec?.encode({
          type: "bye",
          code: "UNAVAILABLE",
          reason: "the gateway was restarted; come back",
          retryAfterMs: 0,
        }) ?? new Uint8Array()
      );
    },
  };
}

/** A frame of no bytes is an object all the same. */
const FRAME_OVERHEAD_BYTES = 100;

/** The frames of one chunk that are not stepped yet. */
interface Batch {
  readonly frames: readonly Inbound[];
  next: number;
  readonly bytes: number;
}

class ChatConnection implements ProtocolConnection {
  private readonly codec: DetectingCodec;
  private state: SessionState;
  private waiting: Batch[] = [];
  private waitingBytes = 0;

  constructor(
    private readonly link: Link,
    private readonly options: ChatOptions,
  ) {
    this.codec = openCodec({ maxFrameBytes: options.maxHelloBytes });
    this.state = { phase: "closed" };
  }

  get pendingBytes(): number {
    return this.codec.pendingBytes + this.waitingBytes;
  }

  handle(event: ProtocolEvent, now: number): readonly Effect[] {
    const effects: Effect[] = [];
    if (event.kind === "opened") {
      this.apply(open(this.link.instance, this.options, now), now, effects);
    } else if (event.kind === "bytes") {
      this.receive(event.bytes, now, effects);
    } else {
      this.step(event, now, effects);
    }
    this.drain(now, effects);
    return effects;
  }

  private receive(bytes: Uint8Array, now: number, effects: Effect[]): void {
    this.step({ kind: "received", bytes: bytes.length }, now, effects);
    if (this.state.phase === "closed") return;
    const before = this.codec.pendingBytes;
    const frames = this.codec.push(bytes);
    if (frames.length === 0) return;
    // What the frames took on the wire, and what each takes here at the least.
    const wireBytes = before + bytes.length - this.codec.pendingBytes;
    const held = wireBytes + frames.length * FRAME_OVERHEAD_BYTES;
    this.waiting.push({ frames, next: 0, bytes: held });
    this.waitingBytes += held;
    this.drain(now, effects);
    if (this.waitingBytes > this.options.maxBacklogBytes) {
      this.step({ kind: "backlogged", bytes: this.waitingBytes }, now, effects);
    }
  }

  private drain(now: number, effects: Effect[]): void {
    for (let batch = this.waiting[0]; batch !== undefined; batch = this.waiting[0]) {
      for (; isReady(this.state); batch.next += 1) {
        const frame = batch.frames[batch.next];
        if (frame === undefined) break;
        this.step({ kind: "frame", frame }, now, effects);
      }
      if (batch.next < batch.frames.length) return;
      this.waiting.shift();
      this.waitingBytes -= batch.bytes;
    }
  }

  private step(event: SessionEvent, now: number, effects: Effect[]): void {
    this.apply(step(this.state, event, now, this.options), now, effects);
  }

  private apply({ state, effects }: Step, now: number, out: Effect[]): void {
    this.state = state;
    let taken = 0;
    for (const effect of effects) {
      if (effect.kind !== "frame") {
        out.push(effect);
        continue;
      }
      const { frame } = effect;
      const bytes = this.codec.encode(frame);
      if (bytes.length > 0) out.push({ kind: "send", bytes });
      if (frame.type === "welcome") this.onWelcome(out);
      if (frame.type === "message") taken = Math.max(taken, frame.seq);
    }
    if (taken > 0 && this.codec.encoding?.selfAcknowledging === true) {
      this.step({ kind: "takenOver", seq: taken }, now, out);
    }
  }

  private onWelcome(out: Effect[]): void {
    this.codec.maxFrameBytes = this.options.maxFrameBytes;
    if (this.codec.encoding !== undefined) {
      out.push({ kind: "note", text: this.codec.encoding.name });
    }
  }
}
