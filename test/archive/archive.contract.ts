import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { Archive } from "../../src/archive/index.js";
import type { LogEntry } from "../../src/store/records.js";
import { anyMessage, anyText, logEntries, logEntry, plain } from "./entries.js";

const plenty = { limit: 10_000, maxBytes: 2 ** 30 };
const start = { epoch: 0, offset: 0 };

/** What every Archive must do. It is created once: each test has a topic of its own. */
export function archiveContract(create: () => Promise<Archive>): void {
  let archive: Archive;
  let topics = 0;

  beforeAll(async () => {
    archive = await create();
  });
  afterAll(() => archive.close());

  function newTopic(): string {
    topics += 1;
    return `topic/${topics}`;
  }

  async function written(count: number, overrides: Partial<LogEntry> = {}): Promise<string> {
    const topic = newTopic();
    await archive.write(logEntries(count, { topic, ...overrides }));
    return topic;
  }

  const all = (topic: string) => archive.read(topic, { after: start, ...plenty });
  const offsets = (entries: readonly LogEntry[]) => entries.map(({ offset }) => offset);

  describe("write", () => {
    test("keeps every field", async () => {
      const topic = newTopic();
      const entry = logEntry(3, { topic, payload: Uint8Array.of(0, 1, 0x5c, 0xff), qos: 2 });
      await expect(archive.write([entry])).resolves.toBe(1);
      expect((await all(topic)).map(plain)).toEqual([plain(entry)]);
    });

    test("again changes nothing and adds what is new", async () => {
      const topic = await written(3);
      await expect(archive.write(logEntries(5, { topic, from: "mallory" }))).resolves.toBe(2);
      expect((await all(topic)).map(({ from }) => from)).toEqual([
        ...["alice", "alice", "alice"],
        ...["mallory", "mallory"],
      ]);
    });

    test("takes an entry that comes twice in one call", async () => {
      const topic = newTopic();
      const entry = logEntry(1, { topic });
      await expect(archive.write([entry, entry])).resolves.toBe(1);
      await expect(archive.count(topic)).resolves.toBe(1);
    });

    test("keeps a message once, wherever it comes again", async () => {
      const topic = await written(2, { epoch: 7 });
      const again = logEntry(1, { topic, epoch: 8, id: "7-2" });
      await expect(archive.write([again])).resolves.toBe(0);
      await expect(archive.write([{ ...again, topic: newTopic() }])).resolves.toBe(1);
    });

    test("of nothing is nothing", async () => {
      await expect(archive.write([])).resolves.toBe(0);
    });

    test("takes more than one statement does, and empty payloads", async () => {
      const topic = await written(2_500, { payload: new Uint8Array() });
      await expect(archive.count(topic)).resolves.toBe(2_500);
      expect(offsets(await all(topic))).toEqual(Array.from({ length: 2_500 }, (_, i) => i + 1));
    });

    test("takes a payload larger than any batch", async () => {
      const topic = newTopic();
      const payload = new Uint8Array(6 * 1024 * 1024).fill(0xa5);
      await archive.write([logEntry(1, { topic }), logEntry(2, { topic, payload })]);
      const [, large] = await all(topic);
      expect(Buffer.compare(large!.payload, payload)).toBe(0);
    });

    test.each([
      ["U+0000", { from: "a\0b", username: "\0", protocol: "\0", id: "\0id" }],
      ["halves of surrogate pairs", { from: "\ud800", username: "\udfff\ud800", id: "\udc00" }],
      ["what looks escaped", { from: "\\u0000", username: "\\\\", id: "\\#abc" }],
      ["an id that is not hex", { id: "' or 1 = 1 --" }],
      ["a very long id", { id: "i".repeat(100_000) }],
      ["a long id that can't be compressed", { id: noise(5_000) }],
    ] as const)("takes %s", async (_name, odd) => {
      const topic = newTopic();
      const entry = logEntry(1, { topic, ...odd });
      await archive.write([entry, logEntry(2, { topic })]);
      expect((await all(topic)).map(plain)).toEqual([entry, logEntry(2, { topic })].map(plain));
      const { isKnown } = await archive.readBack(topic, { before: entry.id, ...plenty });
      expect(isKnown).toBe(true);
    });

    test.each([
      ["qos", { qos: 1e12 }, { qos: 2 ** 31 - 1 }],
      ["timestamp", { timestamp: 1e300 }, { timestamp: Number.MAX_SAFE_INTEGER }],
      ["timestamp", { timestamp: Number.NaN }, { timestamp: 0 }],
      ["timestamp", { timestamp: 1.5 }, { timestamp: 1 }],
    ])("bends a %s that no message has: %j", async (_name, odd, kept) => {
      const topic = newTopic();
      await archive.write([logEntry(1, { topic, ...odd })]);
      await expect(all(topic)).resolves.toMatchObject([kept]);
    });

    test("gives back any message as it was", async () => {
      let offset = 0;
      const property = fc.asyncProperty(
        anyText,
        fc.uniqueArray(anyMessage, { minLength: 1, maxLength: 20, selector: ({ id }) => id }),
        async (name, messages) => {
          const topic = `${newTopic()}/${name}`;
          const entries = messages.map((message) => {
            offset += 1;
            return { ...message, topic, epoch: 2 ** 52, offset };
          });
          await expect(archive.write(entries)).resolves.toBe(entries.length);
          expect((await all(topic)).map(plain)).toEqual(entries.map(plain));
        },
      );
      await fc.assert(property, { numRuns: 40 });
    });
  });

  describe("read", () => {
    test("gives what is behind a place, oldest first, over epochs", async () => {
      const topic = newTopic();
      await archive.write([
        logEntry(2, { topic, epoch: 9 }),
        logEntry(4, { topic, epoch: 7 }),
        logEntry(1, { topic, epoch: 9 }),
        logEntry(3, { topic, epoch: 7 }),
      ]);
      const after = async (epoch: number, offset: number) =>
        (await archive.read(topic, { after: { epoch, offset }, ...plenty })).map(({ id }) => id);
      await expect(after(0, 0)).resolves.toEqual(["7-3", "7-4", "9-1", "9-2"]);
      await expect(after(7, 3)).resolves.toEqual(["7-4", "9-1", "9-2"]);
      await expect(after(8, 100)).resolves.toEqual(["9-1", "9-2"]);
      await expect(after(9, 2)).resolves.toEqual([]);
    });

    test("gives no more entries than the limit", async () => {
      const topic = await written(5);
      const page = await archive.read(topic, {
        after: { epoch: 7, offset: 1 },
        ...plenty,
        limit: 2,
      });
      expect(offsets(page)).toEqual([2, 3]);
    });

    test.each([
      [0, [1]],
      [10, [1]],
      [19, [1]],
      [20, [1, 2]],
      [1_000, [1, 2, 3]],
    ])("of at most %d bytes gives %j, each having 10", async (maxBytes, expected) => {
      const topic = await written(3, { payload: new Uint8Array(10) });
      const page = await archive.read(topic, { after: start, limit: 10, maxBytes });
      expect(offsets(page)).toEqual(expected);
    });

    test("of a topic that is not there gives nothing", async () => {
      await expect(all(newTopic())).resolves.toEqual([]);
    });
  });

  describe("readBack", () => {
    test("gives the newest, newest first", async () => {
      const topic = await written(5);
      const { entries, isKnown } = await archive.readBack(topic, { ...plenty, limit: 3 });
      expect([isKnown, offsets(entries)]).toEqual([true, [5, 4, 3]]);
    });

    test("goes on before a place, and before a message", async () => {
      const topic = await written(5);
      for (const before of [{ epoch: 7, offset: 3 }, "7-3"]) {
        const { entries, isKnown } = await archive.readBack(topic, { before, ...plenty });
        expect([isKnown, offsets(entries)]).toEqual([true, [2, 1]]);
      }
    });

    test("before a message that is not there says so", async () => {
      const topic = await written(2);
      const other = await written(1, { id: "elsewhere" });
      const before = "elsewhere";
      await expect(archive.readBack(topic, { before, ...plenty })).resolves.toEqual({
        entries: [],
        isKnown: false,
      });
      await expect(archive.readBack(other, { before, ...plenty })).resolves.toEqual({
        entries: [],
        isKnown: true,
      });
    });

    test("gives no more bytes than allowed, but one entry", async () => {
      const topic = await written(3, { payload: new Uint8Array(10) });
      const back = async (maxBytes: number) =>
        offsets((await archive.readBack(topic, { limit: 10, maxBytes })).entries);
      await expect(back(1)).resolves.toEqual([3]);
      await expect(back(20)).resolves.toEqual([3, 2]);
    });
  });

  describe("topics", () => {
    test("are told, each once, the odd ones too, and kept apart", async () => {
      const long = `${newTopic()}/${noise(20_000)}`;
      const odd = [`${newTopic()}/\0`, `${newTopic()}/\\u0000`, `${long}a`, `${long}b`];
      for (const topic of odd) await archive.write(logEntries(2, { topic }));
      const topics = await archive.topics();
      expect(topics).toEqual(expect.arrayContaining(odd));
      expect(new Set(topics).size).toBe(topics.length);
      for (const topic of odd) await expect(archive.count(topic)).resolves.toBe(2);
      await expect(archive.count(long)).resolves.toBe(0);
    });
  });

  test("is ready", async () => {
    await expect(archive.ready()).resolves.toBe(true);
  });
}

/** Text that does not compress. */
function noise(length: number): string {
  let state = 1;
  return Array.from({ length }, () => {
    state = (state * 48_271) % 0x7fffffff;
    return String.fromCharCode(0x4e00 + (state % 20_000));
  }).join("");
}
