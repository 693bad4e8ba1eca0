import type { Archive } from "../../src/archive/index.js";
import { GatewayError } from "../../src/errors.js";
import type { LogEntry } from "../../src/store/records.js";

export interface FakeArchive extends Archive {
  /** What each write brought that was not refused, in order. */
  readonly writes: readonly (readonly LogEntry[])[];
  /** What is in it, in the order it came. */
  readonly kept: readonly LogEntry[];
  /** Every write fails with this while it is set. */
  fault: Error | undefined;
  /** Entries that a write must not hold: it fails as for a bug. */
  refuses: (entry: LogEntry) => boolean;
  /** Every write waits for this. */
  gate: Promise<void>;
}

export const away = new GatewayError("UNAVAILABLE", "away");

/** Writes only: what the writer needs. All or nothing, and each message once, as in SQL. */
export function createFakeArchive(): FakeArchive {
  const writes: (readonly LogEntry[])[] = [];
  const kept = new Map<string, LogEntry>();
  const unused = () => Promise.reject(new Error("not for this test"));
  return {
    writes,
    get kept() {
      return [...kept.values()];
    },
    fault: undefined,
    refuses: () => false,
    gate: Promise.resolve(),
    async write(entries) {
      await this.gate;
      if (this.fault !== undefined) throw this.fault;
      if (entries.some(this.refuses)) throw GatewayError.from(new Error("refused"));
      writes.push(entries);
      const before = kept.size;
      for (const entry of entries) {
        const name = JSON.stringify([entry.topic, entry.id]);
        if (!kept.has(name)) kept.set(name, entry);
      }
      return kept.size - before;
    },
    read: unused,
    readBack: unused,
    topics: unused,
    count: unused,
    ready: unused,
    close: () => Promise.resolve(),
  };
}
