/** Time as a port, so that tests own it. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Runs `task` once, `delayMs` from now at the earliest; the answer cancels it. */
  schedule(delayMs: number, task: () => void): () => void;
}

/** setTimeout takes no delay over 2^31 - 1 ms, and fires at once when given one. */
const MAX_DELAY_MS = 2 ** 31 - 1;

/**
 * Monotonic, from the wall clock's time at the process's start: a wall clock that is set must not make
 * every connection look silent at once.
 */
export const systemClock: Clock = {
  now: () => Math.round(performance.timeOrigin + performance.now()),
  schedule(delayMs, task) {
    const timer = setTimeout(task, Math.min(delayMs, MAX_DELAY_MS));
    return () => clearTimeout(timer);
  },
};
