/**
 * Message ids as EMQX makes them: 32 upper-case hex digits of which 64 bits are the time in
 * microseconds, 48 bits name the node and process, 16 bits are a sequence.
 */
import { randomBytes } from "node:crypto";

/** Ids that are unique and rise, for a time in ms since 1970. */
export function createMessageIds(): (nowMs: number) => string {
  const origin = randomBytes(6).toString("hex");
  let lastMicroseconds = 0;
  let sequence = 0;
  return (nowMs) => {
    lastMicroseconds = Math.max(nowMs * 1000, lastMicroseconds + 1);
    sequence = (sequence + 1) % 2 ** 16;
    const time = lastMicroseconds.toString(16).padStart(16, "0");
    return `${time}${origin}${sequence.toString(16).padStart(4, "0")}`.toUpperCase();
  };
}
