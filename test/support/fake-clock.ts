import type { Clock } from "../../src/clock.js";

export interface FakeClock extends Clock {
  /** Moves time on, firing what falls due in order, each at its own time. */
  advance(ms: number): Promise<void>;
  /** Timers that are set and have not fired. */
  readonly armed: number;
}

/** Everything that can happen without time passing or the network answering has happened. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

export function createFakeClock(start = 1_700_000_000_000): FakeClock {
  let now = start;
  const timers = new Set<{ readonly at: number; readonly task: () => void }>();

  return {
    now: () => now,
    schedule(delayMs, task) {
      const timer = { at: now + delayMs, task };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    get armed() {
      return timers.size;
    },
    async advance(ms) {
      const end = now + ms;
      for (;;) {
        await settled();
        const [next] = [...timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
        if (next === undefined) break;
        timers.delete(next);
        now = Math.max(now, next.at);
        next.task();
      }
      now = end;
      await settled();
    },
  };
}
