import fc from "fast-check";
import type { LogEntry } from "../../src/store/records.js";

export function logEntry(offset: number, overrides: Partial<LogEntry> = {}): LogEntry {
  return {
    id: `${overrides.epoch ?? 7}-${offset}`,
    topic: "chat/room/lobby",
    from: "alice",
    username: "al",
    protocol: "mqtt",
    qos: 1,
    payload: Buffer.from(`message ${offset}`),
    timestamp: 1_700_000_000_000 + offset,
    epoch: 7,
    offset,
    ...overrides,
  };
}

/** Entries 1 to `count` of a topic. */
export function logEntries(count: number, overrides: Partial<LogEntry> = {}): readonly LogEntry[] {
  return Array.from({ length: count }, (_, i) => logEntry(i + 1, overrides));
}

/** Any UTF-16 at all: U+0000, halves of pairs, backslashes, and long ones. */
export const anyText = fc.oneof(
  fc.string({ unit: "binary", maxLength: 20 }),
  fc.string({
    unit: fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)),
    maxLength: 20,
  }),
  fc.string({ unit: fc.constantFrom("\\", "\0", "\ud800", "\udc00", "u", "0", "n", "'", '"') }),
  fc.string({ unit: "grapheme", minLength: 250, maxLength: 400 }),
);

/** But for its place and topic. */
export const anyMessage = fc.record({
  id: anyText,
  from: anyText,
  username: anyText,
  protocol: anyText,
  qos: fc.integer({ min: 0, max: 2 }),
  payload: fc.uint8Array({ maxLength: 100 }),
  timestamp: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
});

/** Comparable: a Buffer is not an equal of the same bytes. */
export function plain(entry: LogEntry): object {
  return { ...entry, payload: [...entry.payload] };
}
