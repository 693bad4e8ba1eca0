import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import type { LogMessage, LogPage } from "../../src/store/records.js";
import type {
  ArchiveSource,
  Publication,
  RetentionOptions,
  RoomLog,
} from "../../src/store/room-log.js";
import type { StoreHarness } from "./harness.js";

const TOPIC = "chat/room/lobby";
const WINDOW_MS = 600_000;
const DAY_MS = 24 * 3600 * 1000;
const ALL = { after: 0, limit: 1_000, maxBytes: 1e9 };

/** A message of that number. */
export function logMessage(n: number, overrides: Partial<LogMessage> = {}): LogMessage {
  return {
    id: createHash("md5").update(String(n)).digest("hex").toUpperCase(),
    topic: TOPIC,
    from: "alice",
    username: "al",
    protocol: "mqtt",
    qos: 1,
    payload: Buffer.from(`text ${n}`),
    timestamp: Date.now(),
    ...overrides,
  };
}

export function publicationOf(key: string, overrides: Partial<Publication> = {}): Publication {
  return { from: "alice", username: "al", key, payload: Buffer.from("hi"), ...overrides };
}

/** The message EMQX makes of a publication: neither who the user is nor what it speaks is told. */
function published(n: number, overrides: Partial<LogMessage> = {}): LogMessage {
  const payload = Buffer.from("hi");
  return logMessage(n, { username: "", protocol: "", payload, ...overrides });
}

function range(from: number, to: number): readonly number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}

function offsetsOf({ entries }: LogPage): readonly number[] {
  return entries.map(({ offset }) => offset);
}

export function roomLogContract(
  create: (retention?: Partial<RetentionOptions>) => Promise<StoreHarness>,
): void {
  let harness: StoreHarness;
  let log: RoomLog & ArchiveSource;
  let other: RoomLog & ArchiveSource;

  async function use(retention?: Partial<RetentionOptions>): Promise<void> {
    await harness.close();
    harness = await create(retention);
    [log, other] = harness.logs;
  }

  beforeEach(async () => {
    harness = await create();
    [log, other] = harness.logs;
  });
  afterEach(() => harness.close());

  async function appendAll(numbers: readonly number[]): Promise<void> {
    await log.append(
      TOPIC,
      numbers.map((n) => logMessage(n)),
    );
  }

  describe("open", () => {
    test("gives every topic an epoch of its own that stays", async () => {
      const heads = await log.open([TOPIC, "b"]);
      expect(heads).toHaveLength(2);
      for (const { epoch, first, last, epochs } of heads) {
        expect(epoch).toBeGreaterThan(1.6e12);
        expect({ first, last, epochs }).toEqual({
          first: 1,
          last: 0,
          epochs: [{ epoch, since: 1 }],
        });
      }
      await expect(other.open(["b", TOPIC])).resolves.toEqual([heads[1], heads[0]]);
      await expect(log.open([])).resolves.toEqual([]);
    });

    test("tells what is there", async () => {
      await appendAll(range(1, 3));
      await expect(other.open([TOPIC])).resolves.toMatchObject([{ first: 1, last: 3 }]);
    });

    test("keeps a topic's count for 8 days longer than its entries", async () => {
      await use({ maxAgeMs: DAY_MS });
      await appendAll([1, 2]);
      const [before] = await log.open([TOPIC]);
      await harness.advance(DAY_MS);
      await expect(log.open([TOPIC])).resolves.toEqual([{ ...before, first: 3, last: 2 }]);
      await harness.advance(8 * DAY_MS);
      await expect(log.append(TOPIC, [logMessage(3)])).resolves.toMatchObject([{ offset: 3 }]);
      await harness.advance(9 * DAY_MS);
      const [after] = await other.open([TOPIC]);
      expect(after).toMatchObject({ first: 1, last: 0 });
      expect(after?.epoch).toBeGreaterThan(before?.epoch ?? 0);
    });
  });

  describe("append", () => {
    test("counts from 1 without a gap, whoever appends", async () => {
      const appended = await Promise.all(
        range(1, 60).map((n) => (n % 2 ? log : other).append(TOPIC, [logMessage(n)])),
      );
      const offsets = appended.flat().map(({ offset }) => offset);
      expect([...offsets].sort((a, b) => a - b)).toEqual(range(1, 60));
      const { entries } = await log.read(TOPIC, ALL);
      expect(entries.map(({ offset }) => offset)).toEqual(range(1, 60));
      for (const [i, offset] of offsets.entries()) {
        expect(entries[offset - 1]?.id).toBe(logMessage(i + 1).id);
      }
    });

    test("takes many in order, and nothing", async () => {
      await expect(log.append(TOPIC, [])).resolves.toEqual([]);
      const appended = await log.append(
        TOPIC,
        range(1, 600).map((n) => logMessage(n)),
      );
      expect(appended.map(({ offset }) => offset)).toEqual(range(1, 600));
      const [head] = await log.open([TOPIC]);
      expect(new Set(appended.map(({ epoch }) => epoch))).toEqual(new Set([head?.epoch]));
    });

    test("of what is there already gives where it is", async () => {
      const first = await log.append(TOPIC, [logMessage(1), logMessage(2)]);
      const again = await other.append(
        TOPIC,
        [2, 3, 1, 3].map((n) => logMessage(n)),
      );
      expect(again.map(({ offset }) => offset)).toEqual([2, 3, 1, 3]);
      expect(again[0]).toEqual(first[1]);
      expect(offsetsOf(await log.read(TOPIC, ALL))).toEqual([1, 2, 3]);
    });

    test("keeps every field and byte", async () => {
      const messages = [
        logMessage(1, { payload: Buffer.from([0, 255, 10, 13, 0, 128]), username: "ål ☃" }),
        logMessage(2, { payload: Buffer.alloc(60_000, 7), from: "a\0b 1", protocol: "" }),
        logMessage(3, { payload: new Uint8Array(0), qos: 2, protocol: "exproto", username: "" }),
        logMessage(4, { payload: Buffer.from("xxhixx").subarray(2, 4), timestamp: 1 }),
      ];
      const appended = await log.append(TOPIC, messages);
      const { entries } = await other.read(TOPIC, ALL);
      expect(entries).toHaveLength(4);
      for (const [i, message] of messages.entries()) {
        const { payload, ...rest } = message;
        const { payload: read, ...entry } = entries[i] ?? logMessage(0);
        expect(entry).toEqual({ ...rest, epoch: appended[i]?.epoch, offset: i + 1 });
        expect(Buffer.compare(read, payload)).toBe(0);
      }
    });

    test("keeps topics apart", async () => {
      await appendAll([1, 2]);
      await log.append("b", [logMessage(1, { topic: "b" })]);
      const { head, entries } = await log.read("b", ALL);
      expect(head).toMatchObject({ first: 1, last: 1 });
      expect(entries).toMatchObject([{ topic: "b", offset: 1 }]);
    });
  });

  describe("read", () => {
    beforeEach(() => appendAll(range(1, 100)));

    test.each([
      [{ after: 0, limit: 3 }, [1, 2, 3]],
      [{ after: 3, limit: 70 }, range(4, 73)],
      [{ after: 98, limit: 10 }, [99, 100]],
      [{ after: 100, limit: 10 }, []],
      [{ after: 1_000, limit: 10 }, []],
      [{ after: 0, limit: 64 }, range(1, 64)],
    ])("%j", async (asked, offsets) => {
      const page = await log.read(TOPIC, { ...asked, maxBytes: 1e6 });
      expect(page.head).toMatchObject({ first: 1, last: 100 });
      expect(offsetsOf(page)).toEqual(offsets);
    });

    test("of a topic without a log gives a new one", async () => {
      const page = await log.read("b", ALL);
      expect([page]).toEqual([{ head: (await log.open(["b"]))[0], entries: [] }]);
    });
  });

  test.each([
    [0, 1],
    [9_999, 1],
    [20_000, 2],
    [29_999, 2],
    [1e6, 40],
  ])("at most %i bytes are read, but one entry", async (maxBytes, count) => {
    const payload = Buffer.alloc(10_000);
    await log.append(
      TOPIC,
      range(1, 40).map((n) => logMessage(n, { payload })),
    );
    expect(offsetsOf(await log.read(TOPIC, { after: 0, limit: 100, maxBytes }))).toEqual(
      range(1, count),
    );
    const back = await log.readBack(TOPIC, { limit: 100, maxBytes });
    expect(offsetsOf(back)).toEqual(range(41 - count, 40).toReversed());
  });

  describe("readBack", () => {
    beforeEach(() => appendAll(range(1, 100)));

    test.each([
      [{ limit: 3 }, [100, 99, 98]],
      [{ limit: 100, before: 4 }, [3, 2, 1]],
      [{ limit: 2, before: 4 }, [3, 2]],
      [{ limit: 40, before: 90 }, range(50, 89).toReversed()],
      [{ limit: 2, before: 500 }, [100, 99]],
      [{ limit: 2, before: 1 }, []],
      [{ limit: 2, before: 0 }, []],
      [{ limit: 2, before: logMessage(4).id }, [3, 2]],
      [{ limit: 2, before: logMessage(1).id }, []],
    ])("%j", async (asked, offsets) => {
      const page = await log.readBack(TOPIC, { ...asked, maxBytes: 1e6 });
      expect(page).toMatchObject({ head: { first: 1, last: 100 }, isKnown: true });
      expect(offsetsOf(page)).toEqual(offsets);
    });

    test("says when it does not know the id", async () => {
      const before = logMessage(101).id;
      const page = await log.readBack(TOPIC, { before, limit: 2, maxBytes: 1e6 });
      expect(page).toMatchObject({ entries: [], isKnown: false });
    });
  });

  describe("retention", () => {
    test("keeps the newest, and forgets the ids of the others", async () => {
      await use({ maxEntries: 5 });
      await appendAll(range(1, 5));
      await appendAll(range(6, 8));
      const page = await log.read(TOPIC, ALL);
      expect(page.head).toMatchObject({ first: 4, last: 8 });
      expect(offsetsOf(page)).toEqual(range(4, 8));
      expect(offsetsOf(await log.readBack(TOPIC, { limit: 9, maxBytes: 1e6 }))).toHaveLength(5);
      const before = logMessage(3).id;
      await expect(
        log.readBack(TOPIC, { before, limit: 2, maxBytes: 1e6 }),
      ).resolves.toHaveProperty("isKnown", false);
      await expect(log.append(TOPIC, [logMessage(3)])).resolves.toMatchObject([{ offset: 9 }]);
      await expect(log.append(TOPIC, [logMessage(6)])).resolves.toMatchObject([{ offset: 6 }]);
    });

    test("keeps what is younger, and always what was just appended", async () => {
      await use({ maxAgeMs: DAY_MS });
      const timestamp = Date.now() - DAY_MS - 60_000;
      const old = range(1, 70).map((n) => logMessage(n, { timestamp }));
      await log.append(TOPIC, old);
      expect(offsetsOf(await log.read(TOPIC, ALL))).toEqual(range(1, 70));
      await appendAll([71]);
      expect(offsetsOf(await log.read(TOPIC, ALL))).toEqual([71]);
      await expect(log.open([TOPIC])).resolves.toMatchObject([{ first: 71, last: 71 }]);
    });
  });

  describe("a publication", () => {
    test("is settled by its message, which gets its username", async () => {
      await expect(log.announce(TOPIC, publicationOf("k1"), WINDOW_MS)).resolves.toBeUndefined();
      await expect(log.settle(TOPIC, publicationOf("k1"))).resolves.toBeUndefined();
      const [at] = await other.append(TOPIC, [published(1)]);
      expect(at).toMatchObject({ offset: 1, isRepeated: false });
      const settled = { id: published(1).id, epoch: at?.epoch, offset: 1 };
      await expect(log.settle(TOPIC, publicationOf("k1"))).resolves.toEqual(settled);
      await expect(log.settle(TOPIC, publicationOf("k1"))).resolves.toEqual(settled);
      await expect(other.announce(TOPIC, publicationOf("k1"), WINDOW_MS)).resolves.toEqual(settled);
      const { entries } = await log.read(TOPIC, ALL);
      expect(entries).toMatchObject([{ username: "al", protocol: "exproto" }]);
    });

    test("that comes again before it was settled is a repetition, under any id but its own", async () => {
      await log.announce(TOPIC, publicationOf("k1"), WINDOW_MS);
      const [at] = await log.append(TOPIC, [published(1)]);
      await log.announce(TOPIC, publicationOf("k1"), WINDOW_MS);
      await expect(
        log.append(TOPIC, [published(2), published(1), published(3, { protocol: "exproto" })]),
      ).resolves.toEqual([{ ...at, isRepeated: true }, at, { ...at, isRepeated: true }]);
      expect(offsetsOf(await log.read(TOPIC, ALL))).toEqual([1]);
    });

    test("that is settled lets the same payload be said again", async () => {
      await log.announce(TOPIC, publicationOf("k1"), WINDOW_MS);
      await log.append(TOPIC, [published(1)]);
      await log.settle(TOPIC, publicationOf("k1"));
      await expect(log.append(TOPIC, [published(2)])).resolves.toMatchObject([
        { offset: 2, isRepeated: false },
      ]);
      const { entries } = await log.read(TOPIC, ALL);
      expect(entries[1]).toMatchObject({ username: "", protocol: "" });
    });

    test.each([
      ["another publisher", { from: "bob" }],
      ["another payload", { payload: Buffer.from("ho") }],
      ["an MQTT client of the same id", { protocol: "mqtt" }],
    ])("is not settled by a message of %s", async (_name, overrides) => {
      await log.announce(TOPIC, publicationOf("k1"), WINDOW_MS);
      await log.append(TOPIC, [published(1, overrides)]);
      await expect(log.settle(TOPIC, publicationOf("k1"))).resolves.toBeUndefined();
      await expect(log.append(TOPIC, [published(2)])).resolves.toMatchObject([{ offset: 2 }]);
      await expect(log.settle(TOPIC, publicationOf("k1"))).resolves.toMatchObject({ offset: 2 });
    });

    test("of a topic is not one of another", async () => {
      await log.announce(TOPIC, publicationOf("k1"), WINDOW_MS);
      await log.append("b", [published(1)]);
      await expect(log.settle("b", publicationOf("k1"))).resolves.toBeUndefined();
      await expect(log.settle(TOPIC, publicationOf("k1"))).resolves.toBeUndefined();
    });

    test("and another of the same payload are two, in order", async () => {
      const [k1, k2] = [publicationOf("k1"), publicationOf("k2", { username: "al2" })];
      await log.announce(TOPIC, k1, WINDOW_MS);
      await other.announce(TOPIC, k2, WINDOW_MS);
      await log.append(TOPIC, [published(1), published(2), published(3)]);
      await expect(log.settle(TOPIC, k1)).resolves.toMatchObject({ offset: 1 });
      await expect(log.settle(TOPIC, k2)).resolves.toMatchObject({ offset: 2 });
      const { entries } = await log.read(TOPIC, ALL);
      expect(entries.map(({ username }) => username)).toEqual(["al", "al2"]);
    });

    test("that was settled before another of the same payload was announced stays apart", async () => {
      const [k1, k2] = [publicationOf("k1"), publicationOf("k2")];
      await log.announce(TOPIC, k1, WINDOW_MS);
      await log.append(TOPIC, [published(1)]);
      await log.announce(TOPIC, k2, WINDOW_MS);
      await log.settle(TOPIC, k1);
      await expect(log.settle(TOPIC, k2)).resolves.toBeUndefined();
      await log.append(TOPIC, [published(2)]);
      await expect(log.settle(TOPIC, k2)).resolves.toMatchObject({ offset: 2 });
      await expect(log.settle(TOPIC, k1)).resolves.toMatchObject({ offset: 1 });
    });

    test("is remembered after its entry was dropped", async () => {
      await use({ maxEntries: 2 });
      await log.announce(TOPIC, publicationOf("k1"), WINDOW_MS);
      await log.append(TOPIC, [published(1)]);
      await appendAll(range(2, 5));
      await expect(log.announce(TOPIC, publicationOf("k1"), WINDOW_MS)).resolves.toMatchObject({
        offset: 1,
      });
      await expect(log.append(TOPIC, [published(6), published(1)])).resolves.toMatchObject([
        { offset: 1, isRepeated: true },
        { offset: 1, isRepeated: false },
      ]);
    });

    test.each(["announced", "settled"])(
      "that was %s is forgotten after the window",
      async (how) => {
        await log.announce(TOPIC, publicationOf("k1"), WINDOW_MS);
        if (how === "settled") await log.append(TOPIC, [published(1)]);
        await harness.advance(WINDOW_MS);
        await log.append(TOPIC, [published(2)]);
        await expect(log.settle(TOPIC, publicationOf("k1"))).resolves.toBeUndefined();
        await expect(log.announce(TOPIC, publicationOf("k1"), WINDOW_MS)).resolves.toBeUndefined();
      },
    );

    test("that is announced again is remembered from then on", async () => {
      await log.announce(TOPIC, publicationOf("k1"), WINDOW_MS);
      await harness.advance(WINDOW_MS - 60_000);
      await log.announce(TOPIC, publicationOf("k1"), WINDOW_MS);
      await harness.advance(WINDOW_MS - 60_000);
      await log.append(TOPIC, [published(1)]);
      await expect(log.settle(TOPIC, publicationOf("k1"))).resolves.toMatchObject({ offset: 1 });
    });
  });

  describe("the archive", () => {
    const claim = { limit: 1_000, reclaimAfterMs: 60_000 };
    const anew = { ...claim, reclaimAfterMs: 0 };

    beforeEach(() => use({ isArchived: true, maxEntries: 3, maxAgeMs: DAY_MS }));

    test("claims each entry once, and again when it was not confirmed in time", async () => {
      await appendAll(range(1, 50));
      await expect(log.pendingTopics()).resolves.toEqual([TOPIC]);
      await expect(log.lag()).resolves.toBe(50);
      const read = (await log.read(TOPIC, ALL)).entries;
      const one = await log.claim(TOPIC, { ...claim, limit: 40 });
      const two = await other.claim(TOPIC, claim);
      expect([...one, ...two]).toEqual(read);
      expect(one).toHaveLength(40);
      await expect(other.claim(TOPIC, claim)).resolves.toEqual([]);
      await log.confirm(TOPIC, range(3, 45));
      await expect(other.lag()).resolves.toBe(7);
      const again = await other.claim(TOPIC, { ...anew, limit: 4 });
      expect(again.map(({ offset }) => offset)).toEqual([1, 2, 46, 47]);
    });

    test("gives what was appended since then after what is to be claimed anew", async () => {
      await appendAll(range(1, 3));
      await log.claim(TOPIC, claim);
      await appendAll(range(4, 5));
      const all = await other.claim(TOPIC, anew);
      expect(all.map(({ offset }) => offset)).toEqual(range(1, 5));
    });

    test("nothing is dropped before it is confirmed, by count or by age", async () => {
      const timestamp = Date.now() - 2 * DAY_MS;
      await log.append(
        TOPIC,
        range(1, 5).map((n) => logMessage(n, { timestamp })),
      );
      await appendAll(range(6, 10));
      await harness.advance(30 * DAY_MS);
      expect(offsetsOf(await log.read(TOPIC, ALL))).toEqual(range(1, 10));
      await log.claim(TOPIC, claim);
      await appendAll([11]);
      expect(offsetsOf(await log.read(TOPIC, ALL))).toEqual(range(1, 11));
      await log.confirm(TOPIC, [1, 2, 4, 10]);
      await appendAll([12]);
      expect(offsetsOf(await log.read(TOPIC, ALL))).toEqual(range(3, 12));
    });

    test("an append drops a thousand at most", async () => {
      await appendAll(range(1, 1_500));
      const claimed = await log.claim(TOPIC, { ...claim, limit: 2_000 });
      await log.confirm(
        TOPIC,
        claimed.map(({ offset }) => offset),
      );
      await appendAll([1_501]);
      await expect(log.open([TOPIC])).resolves.toMatchObject([{ first: 1_001, last: 1_501 }]);
      await appendAll([1_502]);
      await expect(log.open([TOPIC])).resolves.toMatchObject([{ first: 1_500, last: 1_502 }]);
    });

    test("what is confirmed ends as it does without an archive", async () => {
      await appendAll(range(1, 3));
      await log.claim(TOPIC, claim);
      await log.confirm(TOPIC, [1, 2, 3, 3, 99]);
      await expect(log.lag()).resolves.toBe(0);
      await harness.advance(DAY_MS);
      await expect(log.read(TOPIC, ALL)).resolves.toMatchObject({
        head: { first: 4, last: 3 },
        entries: [],
      });
      await expect(log.claim(TOPIC, claim)).resolves.toEqual([]);
      await appendAll([4]);
      await expect(log.claim(TOPIC, claim)).resolves.toMatchObject([{ offset: 4 }]);
    });

    test("of no topic, or one without entries, has nothing", async () => {
      await log.open([TOPIC]);
      await expect(log.claim(TOPIC, claim)).resolves.toEqual([]);
      await expect(log.claim("b", claim)).resolves.toEqual([]);
      await expect(log.confirm("b", [1])).resolves.toBeUndefined();
      await expect(log.pendingTopics()).resolves.toEqual([]);
      await expect(log.lag()).resolves.toBe(0);
    });
  });
}
