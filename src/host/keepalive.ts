/**
 * The KEEPALIVE timer, as EMQX runs it: it looks every half interval (every second at least, every
 * 30 s at most) whether a byte has come, and fires once the looks without one add up to 1.5
 * intervals. Starting it again replaces the interval; the look that is due still comes when it was.
 */
import type { Clock } from "../clock.js";

export interface Keepalive {
  /** @param intervalSeconds at least 1. */
  start(intervalSeconds: number): void;
  stop(): void;
}

const MIN_LOOK_MS = 1_000;
const MAX_LOOK_MS = 30_000;

/** @param receivedBytes a count that goes up with every byte of the client. */
export function createKeepalive(
  clock: Clock,
  receivedBytes: () => number,
  onTimeout: () => void,
): Keepalive {
  let lookMs = 0;
  let limitMs = 0;
  let idleMs = 0;
  let seenBytes = 0;
  let cancel: (() => void) | undefined;

  function look(): void {
    cancel = undefined;
    const received = receivedBytes();
    idleMs = received === seenBytes ? idleMs + lookMs : 0;
    seenBytes = received;
    if (idleMs >= limitMs) onTimeout();
    else cancel = clock.schedule(lookMs, look);
  }

  return {
    start(intervalSeconds) {
      const intervalMs = intervalSeconds * 1000;
      lookMs = Math.min(MAX_LOOK_MS, Math.max(MIN_LOOK_MS, intervalMs / 2));
      limitMs = intervalMs * 1.5;
      idleMs = 0;
      seenBytes = receivedBytes();
      cancel ??= clock.schedule(lookMs, look);
    },
    stop: () => cancel?.(),
  };
}
