/**
 * EMQX's keepalive timer: looks every half interval whether the client has sent anything, and ends
 * the connection when there was nothing for 1.5 intervals. A new interval does not move the look
 * that is due already. What is sent to the client does not count.
 */
import type { Clock } from "../clock.js";

export interface Keepalive {
  /** Starts it, or changes its interval. */
  start(seconds: number): void;
  stop(): void;
}

export function createKeepalive(
  clock: Clock,
  bytesReceived: () => number,
  onTimeout: () => void,
): Keepalive {
  let seconds = 0;
  let seenBytes = 0;
  let seenAt = 0;
  let cancel: (() => void) | undefined;

  function schedule(): void {
    cancel = clock.schedule(seconds * 500, look);
  }

  function look(): void {
    cancel = undefined;
    const now = clock.now();
    if (bytesReceived() !== seenBytes) {
      seenBytes = bytesReceived();
      seenAt = now;
    }
    if (now - seenAt >= seconds * 1500) onTimeout();
    else schedule();
  }

  return {
    start(interval) {
      seconds = interval;
      seenAt = clock.now();
      seenBytes = bytesReceived();
      if (cancel === undefined) schedule();
    },
    stop() {
      cancel?.();
      cancel = undefined;
    },
  };
}
