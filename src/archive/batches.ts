import type { LogEntry } from "../store/index.js";

export interface BatchLimits {
  readonly maxRows: number;
  /** Of payload; but an entry that alone is larger is a batch of its own. */
  readonly maxBytes: number;
}

/** The entries in their order, cut into as few batches as the limits allow. */
export function toBatches(
  entries: readonly LogEntry[],
  { maxRows, maxBytes }: BatchLimits,
): readonly (readonly LogEntry[])[] {
  const batches: LogEntry[][] = [];
  let batch: LogEntry[] = [];
  let bytes = 0;
  for (const entry of entries) {
    bytes += entry.payload.byteLength;
    if (batch.length === 0 || batch.length === maxRows || bytes > maxBytes) {
      batch = [];
      batches.push(batch);
      bytes = entry.payload.byteLength;
    }
    batch.push(entry);
  }
  return batches;
}
