/**
 * Message ids as EMQX makes them: 64 bits of microseconds since 1970, 48 bits of the node and
 * process, 16 bits of a sequence; in upper-case hex.
 */
export function createMessageIds(now: () => number, origin: Buffer): () => string {
  let lastMicros = 0n;
  let sequence = 0;
  const middle = origin.subarray(0, 6).toString("hex").padStart(12, "0");

  return () => {
    const micros = BigInt(now()) * 1000n;
    // The clock may stand still or go back; ids never do.
    if (micros > lastMicros) {
      lastMicros = micros;
      sequence = 0;
    } else if (sequence === 0xffff) {
      lastMicros += 1n;
      sequence = 0;
    } else {
      sequence += 1;
    }
    const high = lastMicros.toString(16).padStart(16, "0");
    return `${high}${middle}${sequence.toString(16).padStart(4, "0")}`.toUpperCase();
  };
}
