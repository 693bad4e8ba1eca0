/** When to acknowledge: after `ackEvery` messages, or `ackDelayMs` after the first of fewer. */
import { errorCodes } from "../../errors.js";
import type { ServerFrameOf } from "../../codec/index.js";
import type { Emit } from "./effect.js";
import { codeOf } from "./error.js";
import type { Intake } from "./intake.js";
import type { Settings } from "./settings.js";

export class Acks {
  /** When the timer fires; undefined: it does not run. */
  private dueAt: number | undefined;
  /** The server wants none before. */
  private heldUntil = 0;

  constructor(
    private readonly settings: Settings,
    private readonly intake: Intake,
    private readonly emit: Emit,
  ) {}

  /** Looks at how much was taken over. */
  update(now: number): void {
    const { ackEvery, ackDelayMs } = this.settings;
    const count = this.intake.unacknowledged;
    if (count >= ackEvery && now >= this.heldUntil) {
      this.send();
      return;
    }
    if (count === 0 || this.dueAt !== undefined) return;
    this.dueAt = Math.max(now + ackDelayMs, this.heldUntil);
    this.emit({ kind: "timer.set", name: "ack", at: this.dueAt });
  }

  onTimer(): void {
    this.dueAt = undefined;
    this.send();
  }

  send(): void {
    this.stop();
    if (this.intake.unacknowledged === 0) return;
    this.intake.acknowledged();
    this.emit({ kind: "send", frame: { type: "ack", seq: this.intake.lastSeq } });
  }

  /**
   * A command without a ref failed: it may have been an ack. The window may be full, so that no
   * message, and no further ack, would follow by itself.
   */
  refused({ code, retryAfterMs }: ServerFrameOf<"fail">, now: number): void {
    const hintMs = retryAfterMs || errorCodes[codeOf(code)].retryAfterMs;
    if (hintMs === 0) return;
    this.intake.acknowledgeAgain();
    this.heldUntil = now + hintMs;
    this.update(now);
  }

  stop(): void {
    if (this.dueAt !== undefined) this.emit({ kind: "timer.clear", name: "ack" });
    this.dueAt = undefined;
    this.heldUntil = 0;
  }
}
