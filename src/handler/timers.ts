/** A connection's named deadlines: at most one a name, all cleared when it closes. */
import type { Clock } from "../clock.js";

export interface Timers {
  /** Sets or moves the timer. `at` is in ms since 1970; a past one fires at once. */
  set(name: string, at: number): void;
  clear(name: string): void;
  clearAll(): void;
}

export function createTimers(clock: Clock, onFired: (name: string) => void): Timers {
  const cancels = new Map<string, () => void>();

  function clear(name: string): void {
    cancels.get(name)?.();
    cancels.delete(name);
  }

  return {
    set(name, at) {
      clear(name);
      const fire = () => {
        cancels.delete(name);
        onFired(name);
      };
      cancels.set(name, clock.schedule(Math.max(0, at - clock.now()), fire));
    },
    clear,
    clearAll() {
      for (const name of [...cancels.keys()]) clear(name);
    },
  };
}
