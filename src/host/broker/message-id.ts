/**
 * Message ids as EMQX makes them: 32 upper-case hex digits of which 64 bits are the time in
 * microseconds, 48 bits name the node and process, 16 bits are a sequence.
 */
import { randomBytes } from "node:crypto";
import type { Clock } from "../../clock.js";

/** Ids that are unique and rise. */
export function createMessageIds(clock: Clock): () => string {
  const origin = randomBytes(6).toString("hex");
  let lastMicroseconds = 0;
  let sequence = 0;
  return () => {
    lastMicroseconds = Math.max(clock.now() * 1000, lastMicroseconds + 1);
    sequence = (sequence + 1) % 2 ** 16;
    const time = lastMicroseconds.toString(16).padStart(16, "0");
    return `${time}${origin}${sequence.toString(16).padStart(4, "0")}`.toUpperCase();
  };
}
