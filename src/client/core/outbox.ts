/**
 * What is said, in the order it was said, one at a time: the next one is sent when the last one was
 * answered. With more under way, one that is refused for now (RATE_LIMITED, UNAVAILABLE) and tried
 * again would come behind those that were not. The server carries out one command after the other
 * and lets 50 a second through, so that little is lost.
 *
 * Each has its key, under which it is sent again over any number of connections: the server
 * publishes once by key.
 */
import type { ServerFrameOf } from "../../codec/index.js";
import { errorCodes } from "../../errors.js";
import type { Content, CoreEvent, Destination, Emit, Qos } from "./effect.js";
import { ChatError, codeOf } from "./error.js";
import type { Settings } from "./settings.js";

type Fail = ServerFrameOf<"fail">;

/** What has the ref of what it answers. */
export type Answer = Fail | ServerFrameOf<"ok"> | ServerFrameOf<"members"> | ServerFrameOf<"page">;

interface Say {
  readonly number: number;
  readonly call: number;
  readonly to: Destination;
  readonly content: Content;
  readonly qos: Qos;
  readonly key: string;
  readonly sizeBytes: number;
  /** When it was sent first; undefined before. */
  sentAt: number | undefined;
}

/** Of a room: it can be said in; it may soon; it has to be joined. */
export type Standing = "in" | "coming" | "out";

export class Outbox {
  private queue: Say[] = [];
  private lastNumber = 0;
  /** The ref under which the first one was sent over this connection. */
  private sentRef: number | undefined;
  private pausedUntil = 0;
  /** 0 until the server has told. */
  private maxFrameBytes = 0;

  constructor(
    private readonly settings: Settings,
    private readonly nextRef: () => number,
    private readonly emit: Emit,
  ) {}

  get size(): number {
    return this.queue.length;
  }

  /** When to `pump` again though nothing happens; undefined: no need. */
  get wakeAt(): number | undefined {
    return this.queue.length > 0 && this.sentRef === undefined && this.pausedUntil > 0
      ? this.pausedUntil
      : undefined;
  }

  /** Of what was said last. */
  get newest(): number {
    return this.lastNumber;
  }

  /** Whether something said in the room, up to the number, is not answered yet. */
  holds(room: string, number: number): boolean {
    return this.queue.some((say) => say.to.room === room && say.number <= number);
  }

  add(said: Extract<CoreEvent, { kind: "say" }>, standing: Standing): void {
    const { call, to, content, qos, key, sizeBytes } = said;
    if (standing === "out") {
      this.reject(call, notJoined(to));
      return;
    }
    if (this.isTooLong(sizeBytes)) {
      this.reject(call, this.tooLong());
      return;
    }
    if (this.queue.length >= this.settings.maxQueued) {
      const reason = `${this.settings.maxQueued} messages wait to be sent; say less, or wait`;
      this.reject(call, new ChatError("QUEUE_FULL", reason));
      return;
    }
    this.lastNumber += 1;
    const number = this.lastNumber;
    this.queue.push({ number, call, to, content, qos, key, sizeBytes, sentAt: undefined });
  }

  welcome(maxFrameBytes: number): void {
    this.maxFrameBytes = maxFrameBytes;
  }

  /** Sends the next one, where it may be sent. */
  pump(now: number, standingOf: (room: string) => Standing): void {
    if (this.sentRef !== undefined || now < this.pausedUntil) return;
    this.pausedUntil = 0;
    for (let say = this.queue[0]; say !== undefined; say = this.queue[0]) {
      const { to, content, qos, key } = say;
      const standing = to.room === undefined ? "in" : standingOf(to.room);
      if (standing === "coming") return;
      const fault = standing === "out" ? notJoined(to) : this.faultOf(say, now);
      if (fault !== undefined) {
        this.queue.shift();
        this.reject(say.call, fault);
        continue;
      }
      const ref = this.nextRef();
      this.sentRef = ref;
      say.sentAt ??= now;
      this.emit({ kind: "send", frame: { type: "say", ref, ...to, ...content, qos, key } });
      return;
    }
  }

  /** Whether it was the answer to what was said. */
  onAnswer(answer: Answer, now: number): boolean {
    if (answer.ref !== this.sentRef) return false;
    if (answer.type === "fail") {
      this.onFail(answer, now);
      return true;
    }
    const say = this.answered();
    if (say !== undefined && answer.type === "ok") {
      const { id, offset } = answer;
      this.emit({ kind: "resolve", call: say.call, value: { id, offset } });
    }
    return true;
  }

  /** The connection is gone: whether what was sent has arrived is not known. */
  lost(): void {
    if (this.sentRef === undefined) return;
    if (this.queue[0]?.qos !== 0) {
      this.sentRef = undefined;
      return;
    }
    const say = this.answered();
    const reason = "the connection was lost before the answer; it may have been said or not";
    if (say !== undefined) this.reject(say.call, new ChatError("UNAVAILABLE", reason));
  }

  rejectAll(error: ChatError): void {
    for (const say of this.queue) this.reject(say.call, error);
    this.queue = [];
    this.sentRef = undefined;
  }

  private onFail({ code: wireCode, reason, retryAfterMs }: Fail, now: number): void {
    const code = codeOf(wireCode);
    if (code === "RATE_LIMITED" || code === "UNAVAILABLE") {
      this.sentRef = undefined;
      this.pausedUntil = now + (retryAfterMs || errorCodes[code].retryAfterMs);
      return;
    }
    const say = this.answered();
    if (say !== undefined) this.reject(say.call, new ChatError(code, reason, retryAfterMs));
  }

  private answered(): Say | undefined {
    this.sentRef = undefined;
    return this.queue.shift();
  }

  private faultOf({ qos, sentAt, sizeBytes }: Say, now: number): ChatError | undefined {
    if (this.isTooLong(sizeBytes)) return this.tooLong();
    if (qos === 2 && sentAt !== undefined && now - sentAt > this.settings.keyWindowMs) {
      const reason = "it was sent too long ago to be sent again; it may have been said or not";
      return new ChatError("UNAVAILABLE", reason);
    }
    return undefined;
  }

  private isTooLong(sizeBytes: number): boolean {
    return this.maxFrameBytes > 0 && sizeBytes > this.maxFrameBytes;
  }

  private tooLong(): ChatError {
    return new ChatError(
      "FRAME_TOO_LARGE",
      `the server takes frames of at most ${this.maxFrameBytes} bytes`,
    );
  }

  private reject(call: number, error: ChatError): void {
    this.emit({ kind: "reject", call, error });
  }
}

function notJoined({ room }: Destination): ChatError {
  return new ChatError("NOT_JOINED", `join ${room ?? ""} first`);
}
