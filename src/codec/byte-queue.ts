/**
 * The bytes of one incomplete frame, however many chunks they come in. Every byte is copied in
 * once; the room for them doubles when it is full, so appending costs O(1) a byte, and grows with
 * what has come, never with what a header announces. `take` hands the memory over, so an idle
 * connection holds none and what was taken is never written to again.
 */
export interface ByteQueue {
  readonly length: number;
  /** The byte appended last. */
  readonly last: number | undefined;
  /** Copies `bytes` in. */
  append(bytes: Uint8Array): void;
  /** Everything appended since the last `take`. */
  take(): Uint8Array;
}

const MIN_CAPACITY_BYTES = 64;
const NOTHING = new Uint8Array(0);

export function createByteQueue(): ByteQueue {
  let held = NOTHING;
  let length = 0;
  return {
    get length() {
      return length;
    },
    get last() {
      return length === 0 ? undefined : held[length - 1];
    },
    append(bytes) {
      const needed = length + bytes.length;
      if (needed > held.length) {
        const grown = new Uint8Array(Math.max(needed, held.length * 2, MIN_CAPACITY_BYTES));
        grown.set(held.subarray(0, length));
        held = grown;
      }
      held.set(bytes, length);
      length = needed;
    },
    take() {
      const taken = held.subarray(0, length);
      held = NOTHING;
      length = 0;
      return taken;
    },
  };
}
