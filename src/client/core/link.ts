/**
 * The connection: when to open one, when to give it up, when to come back.
 *
 *   idle ──open──► connecting ──opened──► greeting ──welcome──► online
 *    ▲                 ▲                     │                    │
 *    │ stop            └─ retry ─ waiting ◄──┴─────── away ───────┤
 *    └────────────────────────────────────────────────────────────┤ leave
 *                           ended ◄── closed, timer ── leaving ◄──┘
 */
import type { Emit } from "./effect.js";
import type { ChatError } from "./error.js";
import { Keepalive } from "./keepalive.js";
import { retryDelayMs, type Settings } from "./settings.js";

/** The server closes the socket after the client's `bye`; a silent one is waited for so long. */
const LEAVING_MS = 2_000;

type State =
  | { readonly phase: "idle" | "waiting" | "connecting" | "greeting" | "leaving" }
  | { readonly phase: "online"; readonly since: number }
  | { readonly phase: "ended"; readonly error: ChatError };

export type Phase = State["phase"];

export class Link {
  private state: State = { phase: "idle" };
  /** In a row. */
  private failures = 0;
  private readonly keepalive: Keepalive;

  constructor(
    private readonly settings: Settings,
    private readonly emit: Emit,
  ) {
    this.keepalive = new Keepalive(emit);
  }

  get phase(): Phase {
    return this.state.phase;
  }

  /** Why it has ended; undefined before. */
  get error(): ChatError | undefined {
    return this.state.phase === "ended" ? this.state.error : undefined;
  }

  open(now: number): void {
    this.state = { phase: "connecting" };
    this.emit({ kind: "open" });
    this.emit({ kind: "timer.set", name: "login", at: now + this.settings.loginTimeoutMs });
  }

  /** Whether `hello` is due. */
  opened(): boolean {
    if (this.phase !== "connecting") return false;
    this.state = { phase: "greeting" };
    return true;
  }

  welcome(keepaliveSeconds: number, now: number): void {
    this.emit({ kind: "timer.clear", name: "login" });
    this.state = { phase: "online", since: now };
    this.keepalive.start(keepaliveSeconds, now);
  }

  received(): void {
    this.keepalive.received();
  }

  sent(now: number): void {
    this.keepalive.sent(now);
  }

  onPingTimer(now: number): void {
    if (this.keepalive.onPingTimer(now)) {
      this.emit({ kind: "send", frame: { type: "ping", nonce: "" } });
    }
  }

  onRetryTimer(now: number): void {
    if (this.phase === "waiting") this.open(now);
  }

  /**
   * The connection is gone, or of no use: comes back after a while.
   *
   * @param retryAfterMs what the server has said, or 0.
   * @returns false after `maxAttempts` failures.
   */
  away(reason: string, retryAfterMs: number, now: number): boolean {
    const { state } = this;
    if (!this.isOpen()) return true;
    const { reconnect, random } = this.settings;
    const lastedMs = state.phase === "online" ? now - state.since : 0;
    if (lastedMs >= reconnect.stableAfterMs) this.failures = 0;
    const attempt = state.phase === "online" ? 0 : this.failures + 1;
    this.cutOff();
    const retryInMs = retryDelayMs(reconnect, this.failures, retryAfterMs, random);
    this.failures += 1;
    if (this.failures > reconnect.maxAttempts) return false;
    this.state = { phase: "waiting" };
    this.emit({ kind: "tell", event: { type: "disconnected", reason, attempt, retryInMs } });
    this.emit({ kind: "timer.set", name: "retry", at: now + retryInMs });
    return true;
  }

  /** Until it is opened again. */
  stop(): void {
    if (this.phase === "waiting") this.emit({ kind: "timer.clear", name: "retry" });
    if (this.isOpen()) this.emit({ kind: "close" });
    this.cutOff();
    this.failures = 0;
    this.state = { phase: "idle" };
  }

  /** Waits for the server to close it. */
  leave(now: number): void {
    this.emit({ kind: "send", frame: { type: "bye" } });
    this.cutOff();
    this.state = { phase: "leaving" };
    this.emit({ kind: "timer.set", name: "leaving", at: now + LEAVING_MS });
  }

  end(error: ChatError): void {
    if (this.phase === "leaving") {
      this.emit({ kind: "timer.clear", name: "leaving" });
      this.emit({ kind: "close" });
    } else {
      this.stop();
    }
    this.state = { phase: "ended", error };
    this.emit({ kind: "end" });
  }

  private isOpen(): boolean {
    const { phase } = this;
    return phase === "connecting" || phase === "greeting" || phase === "online";
  }

  private cutOff(): void {
    const { phase } = this;
    if (phase === "connecting" || phase === "greeting") {
      this.emit({ kind: "timer.clear", name: "login" });
    }
    this.keepalive.stop();
  }
}
