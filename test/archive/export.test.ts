import { Writable } from "node:stream";
import { setImmediate as turn } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createArchive, exportTopic } from "../../src/archive/index.js";
import type { Archive } from "../../src/archive/index.js";
import { toLine } from "../../src/archive/export.js";
import { logEntries, logEntry } from "./entries.js";

const TOPIC = "chat/room/lobby";
const COUNT = 5_000;
const entries = logEntries(COUNT);

let archive: Archive;

beforeAll(async () => {
  archive = createArchive({ directory: undefined });
  await archive.write(entries);
});
afterAll(() => archive.close());

function collector(): Writable & { text: () => string } {
  const chunks: Buffer[] = [];
  const output = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk);
      done();
    },
  });
  return Object.assign(output, { text: () => Buffer.concat(chunks).toString("utf8") });
}

describe("a line", () => {
  test("has every field, and text where the payload is UTF-8", () => {
    const line = toLine(logEntry(3, { payload: Buffer.from("Grüße\n🧀\ufeff") }));
    expect(line.endsWith("}\n")).toBe(true);
    expect(line.trimEnd()).not.toContain("\n");
    expect(JSON.parse(line)).toEqual({
      id: "7-3",
      topic: TOPIC,
      from: "alice",
      username: "al",
      protocol: "mqtt",
      qos: 1,
      ts: 1_700_000_000_003,
      epoch: 7,
      offset: 3,
      text: "Grüße\n🧀\ufeff",
    });
  });

  test.each([
    ["", { text: "" }],
    ["ef bb bf 61", { text: "\ufeffa" }],
    ["00", { text: "\0" }],
    ["ff", { data: "/w==" }],
    ["c3", { data: "ww==" }],
    ["ed a0 80", { data: "7aCA" }],
  ])("of payload %j has %j", (hex, content) => {
    const payload = Buffer.from(hex.replaceAll(" ", ""), "hex");
    const read = JSON.parse(toLine(logEntry(1, { payload }))) as object;
    expect(read).toMatchObject(content);
    expect("text" in read && "data" in read).toBe(false);
  });
});

describe("an export", () => {
  test("is what was written, in order, and tells how far it is", async () => {
    const output = collector();
    const progress: number[] = [];
    await expect(
      exportTopic({ archive, topic: TOPIC, output, onProgress: (n) => progress.push(n) }),
    ).resolves.toBe(COUNT);
    expect(output.text()).toBe(entries.map(toLine).join(""));
    expect(progress.at(-1)).toBe(COUNT);
    expect(progress).toEqual([...new Set(progress)].sort((a, b) => a - b));
    expect(progress.length).toBeGreaterThan(5);
    expect(output.writableEnded).toBe(false);
  });

  test("of a topic that is not there is empty", async () => {
    const output = collector();
    await expect(exportTopic({ archive, topic: "nowhere", output })).resolves.toBe(0);
    expect(output.text()).toBe("");
  });

  test("reads no further than its output takes", async () => {
    let reads = 0;
    const counting: Archive = {
      ...archive,
      read(topic, range) {
        reads += 1;
        return archive.read(topic, range);
      },
    };
    let takeNext: () => void = () => undefined;
    const output = new Writable({
      highWaterMark: 1,
      write(_chunk, _encoding, done) {
        takeNext = done;
      },
    });
    const exported = exportTopic({ archive: counting, topic: TOPIC, output });
    // Time for far more pages than there are.
    for (let i = 0; i < 5; i += 1) await archive.count(TOPIC);
    for (let i = 0; i < 100; i += 1) await turn();
    expect(reads).toBeLessThan(5);
    const over = exported.then((messages) => ({ messages }));
    const next = () => {
      takeNext();
      return turn();
    };
    for (;;) {
      const ended = await Promise.race([over, next()]);
      if (ended === undefined) continue;
      expect(ended.messages).toBe(COUNT);
      return;
    }
  });

  test("is over when its output has taken all", async () => {
    let taken = "";
    const output = new Writable({
      highWaterMark: 2 ** 30,
      write(chunk: Buffer, _encoding, done) {
        setImmediate(() => {
          taken += chunk.toString("utf8");
          done();
        });
      },
    });
    await expect(exportTopic({ archive, topic: TOPIC, output })).resolves.toBe(COUNT);
    expect(taken).toBe(entries.map(toLine).join(""));
    expect(output.eventNames()).toEqual(collector().eventNames());
  });

  describe.each([
    ["at once", (done: () => void) => done()],
    ["later", (done: () => void) => void setImmediate(done)],
  ])("%s", (_name, call) => {
    test.each([
      ["the first", 1],
      ["the last", COUNT / 500],
    ])("fails with its output, at %s page", async (_which, failing) => {
      let writes = 0;
      const output = new Writable({
        highWaterMark: 2 ** 30,
        write(_chunk, _encoding, done) {
          writes += 1;
          const error = writes === failing ? new Error("disk full") : null;
          call(() => done(error));
        },
      });
      await expect(exportTopic({ archive, topic: TOPIC, output })).rejects.toThrow("disk full");
    });
  });

  test("fails when its output is closed", async () => {
    const output = new Writable({ write: () => output.destroy() });
    await expect(exportTopic({ archive, topic: TOPIC, output })).rejects.toThrow("close");
    await expect(exportTopic({ archive, topic: TOPIC, output })).rejects.toThrow("close");
  });
});
