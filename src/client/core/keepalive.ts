/**
 * Finds out a connection that is dead: pings when nothing was sent for `keepalive`, and gives up when
 * nothing comes for 1.5 times as long after a ping. Timers are set once and look at the time when
 * they fire, so that a frame costs nothing.
 */
import type { Emit } from "./effect.js";

export class Keepalive {
  private intervalMs = 0;
  private sentAt = 0;
  /** When the first ping was sent since something came; undefined: none. */
  private pingedAt: number | undefined;

  constructor(private readonly emit: Emit) {}

  start(seconds: number, now: number): void {
    this.intervalMs = seconds * 1_000;
    this.sentAt = now;
    this.pingedAt = undefined;
    if (this.intervalMs > 0) this.arm();
  }

  stop(): void {
    if (this.intervalMs === 0) return;
    this.intervalMs = 0;
    this.emit({ kind: "timer.clear", name: "ping" });
    this.emit({ kind: "timer.clear", name: "quiet" });
  }

  sent(now: number): void {
    this.sentAt = now;
  }

  received(): void {
    if (this.pingedAt === undefined) return;
    this.pingedAt = undefined;
    this.emit({ kind: "timer.clear", name: "quiet" });
  }

  /** Whether a ping is due. */
  onPingTimer(now: number): boolean {
    if (this.intervalMs === 0) return false;
    const isDue = now - this.sentAt >= this.intervalMs;
    if (isDue) {
      this.sentAt = now;
      if (this.pingedAt === undefined) {
        this.pingedAt = now;
        this.emit({ kind: "timer.set", name: "quiet", at: now + 1.5 * this.intervalMs });
      }
    }
    this.arm();
    return isDue;
  }

  private arm(): void {
    this.emit({ kind: "timer.set", name: "ping", at: this.sentAt + this.intervalMs });
  }
}
