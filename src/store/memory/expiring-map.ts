import type { Clock } from "../../clock.js";

const SWEEP_INTERVAL_MS = 60_000;

interface Held<Value> {
  readonly value: Value;
  readonly expiresAt: number;
}

/**
 * A map whose entries end at a time of their own. Without timers: what has ended is invisible from
 * then on, and is let go of by a write at most a minute later.
 */
export class ExpiringMap<Value> {
  private readonly held = new Map<string, Held<Value>>();
  private nextSweepAt = 0;

  constructor(private readonly clock: Clock) {}

  /** How many are held, ended ones that were not let go of yet included. */
  get size(): number {
    return this.held.size;
  }

  get(key: string): Value | undefined {
    const held = this.held.get(key);
    return held !== undefined && this.clock.now() < held.expiresAt ? held.value : undefined;
  }

  /** @param ttlMs Infinity: until it is deleted or set anew. */
  set(key: string, value: Value, ttlMs: number): void {
    const now = this.clock.now();
    if (now >= this.nextSweepAt) this.sweep(now);
    this.held.set(key, { value, expiresAt: now + ttlMs });
  }

  /** Another value for the time that is left; nothing when there is none. */
  replace(key: string, value: Value): void {
    const held = this.held.get(key);
    if (held !== undefined) this.held.set(key, { ...held, value });
  }

  *values(): IterableIterator<Value> {
    const now = this.clock.now();
    for (const { value, expiresAt } of this.held.values()) if (now < expiresAt) yield value;
  }

  delete(key: string): void {
    this.held.delete(key);
  }

  private sweep(now: number): void {
    this.nextSweepAt = now + SWEEP_INTERVAL_MS;
    for (const [key, { expiresAt }] of this.held) if (now >= expiresAt) this.held.delete(key);
  }
}
