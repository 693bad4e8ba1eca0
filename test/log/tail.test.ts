import { beforeEach, describe, expect, test } from "@jest/globals";
import { Tail } from "../../src/log/tail.js";
import type { LogEntry } from "../../src/store/index.js";
import { createFakeClock, settled, type FakeClock } from "../support/fake-clock.js";
import { away, createFaultyLog, message, TOPIC, type FaultyLog } from "./faulty-log.js";

let clock: FakeClock;
let log: FaultyLog;
let tail: Tail;

beforeEach(() => {
  clock = createFakeClock();
  log = createFaultyLog(clock);
  tail = new Tail(log, TOPIC);
});

async function append(count: number, text = "x", more = {}): Promise<void> {
  const all = Array.from({ length: count }, () =>
    message(text, { timestamp: clock.now(), ...more }),
  );
  await log.append(TOPIC, all);
}

const offsets = (entries: readonly LogEntry[] | undefined) => entries?.map(({ offset }) => offset);
const reads = () => log.calls.filter((call) => call.startsWith("read")).length;

describe("a tail", () => {
  test("remembers the newest 64 at first, and what comes later", async () => {
    await append(100);
    expect(tail.head).toBeUndefined();
    await expect(tail.refresh()).resolves.toMatchObject({ last: 100 });
    expect(tail.after(35, 10)).toBeUndefined();
    expect(offsets(tail.after(36, 2))).toEqual([37, 38]);
    await append(600);
    await tail.refresh();
    expect(offsets(tail.after(698, 10))).toEqual([699, 700]);
    expect(offsets(tail.after(36, 1))).toEqual([37]);
    expect(tail.after(700, 10)).toEqual([]);
    expect(tail.head).toMatchObject({ last: 700 });
  });

  test("finds by id", async () => {
    const known = message("one");
    await log.append(TOPIC, [known]);
    expect(tail.find(known.id)).toBeUndefined();
    await tail.refresh();
    expect(tail.find(known.id)).toMatchObject({ id: known.id, offset: 1 });
  });

  test("is bounded by entries", async () => {
    await append(1);
    await tail.refresh();
    await append(1_100);
    await tail.refresh();
    expect(tail.after(76, 1)).toBeUndefined();
    expect(offsets(tail.after(77, 1))).toEqual([78]);
  });

  test("is bounded by bytes, and so is what it gives", async () => {
    await append(1);
    await tail.refresh();
    await append(100, "x".repeat(100 * 1024));
    await tail.refresh();
    expect(tail.after(1, 100)).toBeUndefined();
    expect(offsets(tail.after(90, 100))).toEqual([91, 92]);
  });

  test("gives at least one, however long it is", async () => {
    await append(2, "x".repeat(300 * 1024));
    await tail.refresh();
    await append(1);
    await tail.refresh();
    expect(offsets(tail.after(1, 100))).toEqual([2]);
  });

  test("keeps no more of a store's reply than the message", async () => {
    const { readBack } = log;
    const reply = Buffer.alloc(10_000, "x");
    await append(1);
    log.readBack = async (topic, range) => {
      const page = await readBack(topic, range);
      const entries = page.entries.map((entry) => ({ ...entry, payload: reply.subarray(1, 4) }));
      return { ...page, entries };
    };
    await tail.refresh();
    const [entry] = tail.after(0, 1) ?? [];
    expect(Buffer.from(entry?.payload ?? []).toString()).toBe("xxx");
    expect(entry?.payload.buffer.byteLength).toBe(3);
  });

  test("reads once for all who ask while a read is under way, but not with that read", async () => {
    log.isSlow = true;
    const first = tail.refresh();
    await settled();
    const others = [tail.refresh(), tail.refresh(), tail.refresh()];
    expect(reads()).toBe(1);
    log.isSlow = false;
    await append(1);
    log.answer();
    await first;
    for (const head of await Promise.all(others)) expect(head).toMatchObject({ last: 1 });
    expect(reads()).toBeLessThanOrEqual(3);
  });

  test("fails as its store does, and is none the worse for it", async () => {
    await append(3);
    await tail.refresh();
    log.fault = away;
    await expect(Promise.all([tail.refresh(), tail.refresh()])).rejects.toBe(away);
    expect(offsets(tail.after(0, 10))).toEqual([1, 2, 3]);
    log.fault = undefined;
    await append(1);
    await expect(tail.refresh()).resolves.toMatchObject({ last: 4 });
    expect(offsets(tail.after(0, 10))).toEqual([1, 2, 3, 4]);
  });

  test("begins anew with an epoch, and forgets what was before", async () => {
    const before = message("before");
    await log.append(TOPIC, [before]);
    const old = await tail.refresh();
    const next = createFaultyLog(clock);
    await clock.advance(1_000);
    Object.assign(log, { read: next.read, readBack: next.readBack, append: next.append });
    await append(2);
    const head = await tail.refresh();
    expect(head.epoch).toBeGreaterThan(old.epoch);
    expect(tail.find(before.id)).toBeUndefined();
    expect(offsets(tail.after(0, 10))).toEqual([1, 2]);
    expect(tail.head).toEqual(head);
  });

  test("knows of no entry where all that came was dropped again", async () => {
    log = createFaultyLog(clock, { maxAgeMs: 1_000 });
    tail = new Tail(log, TOPIC);
    await append(2);
    await tail.refresh();
    await append(2);
    await clock.advance(2_000);
    await expect(tail.refresh()).resolves.toMatchObject({ first: 5, last: 4 });
    // Not "there are none": whoever stands at 2 has missed some.
    expect(tail.after(2, 10)).toBeUndefined();
  });

  test("begins anew behind a hole", async () => {
    log = createFaultyLog(clock, { maxEntries: 3 });
    tail = new Tail(log, TOPIC);
    await append(2);
    await tail.refresh();
    await append(5);
    await tail.refresh();
    expect(tail.after(3, 10)).toBeUndefined();
    expect(offsets(tail.after(4, 10))).toEqual([5, 6, 7]);
  });
});
