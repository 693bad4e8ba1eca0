import { describe, expect, test } from "@jest/globals";
import { createArchiveWriter } from "../../src/archive/index.js";
import type { Archive, ArchiveWriter, ArchiveWriterOptions } from "../../src/archive/index.js";
import type { Logger } from "../../src/logger.js";
import { createMemoryRoomLog } from "../../src/store/index.js";
import type { LogEntry } from "../../src/store/records.js";
import { createFakeClock } from "../support/fake-clock.js";
import { away, createFakeArchive } from "./fake-archive.js";
import { logEntry } from "./entries.js";

interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly fields: object;
}

function recorder(): Logger & { readonly lines: LogLine[] } {
  const lines: LogLine[] = [];
  const at = (level: string) => (fields: object, message: string) =>
    void lines.push({ level, message, fields });
  return { lines, debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

function createWorld() {
  const clock = createFakeClock();
  const log = createMemoryRoomLog({ clock, retention: { isArchived: true } });
  const archive = createFakeArchive();
  const logger = recorder();
  const newWriter = (options: Partial<ArchiveWriterOptions> = {}): ArchiveWriter =>
    createArchiveWriter({ source: log, archive, clock, logger, ...options });
  let ids = 0;
  /** @returns the ids. */
  async function say(topic: string, count: number, size = 1): Promise<readonly string[]> {
    const messages = Array.from({ length: count }, () => {
      ids += 1;
      return logEntry(0, { id: `m${ids}`, topic, payload: new Uint8Array(size) });
    });
    await log.append(topic, messages);
    return messages.map(({ id }) => id);
  }
  return { clock, log, archive, logger, newWriter, say };
}

/** Writes wait until they are opened, each by its own function in `opens`. */
function countingGate(write: Archive["write"], opens: (() => void)[]): Archive["write"] {
  return async (entries) => {
    await new Promise<void>((resolve) => opens.push(resolve));
    return write(entries);
  };
}

const idsOf = (entries: readonly LogEntry[]) => entries.map(({ id }) => id);

describe("what is in the logs", () => {
  test("is written at the start, in order, and confirmed", async () => {
    const { clock, log, archive, newWriter, say } = createWorld();
    const ids = [...(await say("a", 3)), ...(await say("b", 2))];
    const writer = newWriter();
    writer.start();
    await clock.advance(0);
    expect(idsOf(archive.kept)).toEqual(ids);
    await expect(log.lag()).resolves.toBe(0);
    expect(writer.stats().written).toBe(5);
    await writer.stop();
    expect(clock.armed).toBe(0);
  });

  test("is written soon after a nudge, with what comes meanwhile, of all topics at once", async () => {
    const { clock, archive, newWriter, say } = createWorld();
    const writer = newWriter({ gatherMs: 200 });
    writer.start();
    await clock.advance(0);
    await say("a", 1);
    writer.nudge("a");
    await clock.advance(150);
    await say("a", 1);
    await say("b", 1);
    writer.nudge("b");
    await clock.advance(49);
    expect(archive.writes).toEqual([]);
    await clock.advance(1);
    expect(archive.writes.map(idsOf)).toEqual([["m1", "m2", "m3"]]);
    await writer.stop();
  });

  test("is found without a nudge, at the next look at all topics", async () => {
    const { clock, archive, newWriter, say } = createWorld();
    const writer = newWriter({ intervalMs: 5_000 });
    writer.start();
    await clock.advance(0);
    await say("a", 1);
    await clock.advance(4_999);
    expect(archive.kept).toEqual([]);
    await clock.advance(1);
    expect(idsOf(archive.kept)).toEqual(["m1"]);
    await writer.stop();
  });

  test("goes in batches, and no topic waits for another to run dry", async () => {
    const { clock, archive, newWriter, say } = createWorld();
    const many = await say("busy", 25);
    const few = await say("quiet", 2);
    const writer = newWriter({ batchSize: 10 });
    writer.start();
    await clock.advance(0);
    expect(archive.writes.map(({ length }) => length)).toEqual([10, 10, 7]);
    expect(idsOf(archive.writes.slice(0, 2).flat())).toEqual(expect.arrayContaining([...few]));
    expect(idsOf(archive.kept).filter((id) => many.includes(id))).toEqual(many);
    await writer.stop();
  });

  test("is claimed no further than the bytes of a batch", async () => {
    const { clock, archive, newWriter, say } = createWorld();
    await say("a", 1, 60);
    await say("b", 1, 60);
    await say("c", 1, 60);
    const writer = newWriter({ batchBytes: 100 });
    writer.start();
    await clock.advance(0);
    expect(archive.writes.map(idsOf)).toEqual([["m1", "m2"], ["m3"]]);
    await writer.stop();
  });

  test("is asked for again at once where a claim may have been cut by its bytes", async () => {
    const { clock, log, archive, newWriter, say } = createWorld();
    await say("a", 2, 300_000);
    const one: typeof log.claim = (topic, options) => log.claim(topic, { ...options, limit: 1 });
    const writer = newWriter({ source: { ...log, claim: one } });
    writer.start();
    await clock.advance(0);
    expect(idsOf(archive.kept)).toEqual(["m1", "m2"]);
    await writer.stop();
  });

  test("is looked at all over also while one topic has no end", async () => {
    const { clock, archive, newWriter, say } = createWorld();
    const writer = newWriter({ batchSize: 1, intervalMs: 5_000 });
    const write = archive.write.bind(archive);
    let isOver = false;
    archive.write = async (entries) => {
      if (!isOver) await say("endless", 1);
      await new Promise<void>((resolve) => void clock.schedule(1_000, resolve));
      return write(entries);
    };
    await say("endless", 10);
    writer.start();
    await clock.advance(2_000);
    await say("other", 1);
    await clock.advance(10_000);
    expect(archive.kept.some(({ topic }) => topic === "other")).toBe(true);
    expect(writer.stats().lag).toBe(11);
    isOver = true;
    await clock.advance(60_000);
    await writer.stop();
  });

  test("is shared by two writers, and what one leaves behind the other takes over", async () => {
    const { clock, log, archive, newWriter, say } = createWorld();
    await say("a", 4);
    // It dies with two of them.
    await log.claim("a", { limit: 2, reclaimAfterMs: 60_000 });
    const writers = [newWriter(), newWriter()];
    for (const writer of writers) writer.start();
    await clock.advance(0);
    expect(idsOf(archive.kept)).toEqual(["m3", "m4"]);
    await say("a", 20);
    await clock.advance(70_000);
    expect(archive.kept).toHaveLength(24);
    expect(archive.writes.flat()).toHaveLength(24);
    const written = writers.map((writer) => writer.stats().written);
    expect(written[0]! + written[1]!).toBe(24);
    for (const writer of writers) await writer.stop();
  });
});

describe("an outage of the archive", () => {
  test("delays and loses nothing, is logged once at each end, and shows in the stats", async () => {
    const { clock, log, archive, logger, newWriter, say } = createWorld();
    const writer = newWriter();
    writer.start();
    await clock.advance(0);
    archive.fault = away;
    await say("a", 3);
    writer.nudge("a");
    await clock.advance(60_000);
    await say("a", 1);
    writer.nudge("a");
    await clock.advance(60_000);
    const { failingSince, lag } = writer.stats();
    expect(failingSince).toBeGreaterThan(clock.now() - 121_000);
    expect(lag).toBe(4);
    expect(logger.lines.map(({ level }) => level)).toEqual(["warn"]);
    expect(archive.kept).toEqual([]);

    archive.fault = undefined;
    await clock.advance(20_000);
    expect(idsOf(archive.kept)).toEqual(["m1", "m2", "m3", "m4"]);
    expect(logger.lines.map(({ level }) => level)).toEqual(["warn", "info"]);
    await expect(log.lag()).resolves.toBe(0);
    await clock.advance(5_000);
    expect(writer.stats()).toEqual({ lag: 0, written: 4, refused: 0 });
    await writer.stop();
  });

  test("is tried again less and less often, and no nudge hastens it", async () => {
    const { clock, archive, newWriter, say } = createWorld();
    let attempts = 0;
    archive.write = () => {
      attempts += 1;
      return Promise.reject(away);
    };
    await say("a", 1);
    const writer = newWriter();
    writer.start();
    await clock.advance(60_000);
    const inTheFirstMinute = attempts;
    expect(inTheFirstMinute).toBeGreaterThan(5);
    for (let second = 0; second < 60; second += 1) {
      writer.nudge("a");
      await clock.advance(1_000);
    }
    expect(attempts - inTheFirstMinute).toBeLessThan(10);
    await writer.stop();
  });

  test("of the logs is waited for just the same", async () => {
    const { clock, log, archive, logger, newWriter, say } = createWorld();
    await say("a", 1);
    let isAway = true;
    const guarded: typeof log.confirm = (topic, offsets) =>
      isAway ? Promise.reject(away) : log.confirm(topic, offsets);
    const writer = newWriter({ source: { ...log, confirm: guarded } });
    writer.start();
    await clock.advance(30_000);
    isAway = false;
    await clock.advance(20_000);
    await expect(log.lag()).resolves.toBe(0);
    expect(archive.kept).toHaveLength(1);
    expect(writer.stats().written).toBe(1);
    expect(logger.lines.map(({ level }) => level)).toEqual(["warn", "info"]);
    await writer.stop();
  });

  test("of one log alone delays the others, and does not hold them up", async () => {
    const { clock, log, archive, newWriter, say } = createWorld();
    const failing: typeof log.claim = (topic, ...rest) =>
      topic === "broken" ? Promise.reject(away) : log.claim(topic, ...rest);
    await say("broken", 1);
    const writer = newWriter({ source: { ...log, claim: failing } });
    writer.start();
    await clock.advance(10_000);
    const [id] = await say("sound", 1);
    await clock.advance(60_000);
    expect(idsOf(archive.kept)).toEqual([id]);
    expect(writer.stats()).toHaveProperty("failingSince");
    await writer.stop();
  });

  test("with a bug in place of an answer is an outage too", async () => {
    const { clock, log, archive, logger, newWriter, say } = createWorld();
    await say("a", 1);
    let claims = 0;
    const failing: typeof log.claim = (...args) => {
      claims += 1;
      if (claims === 1) throw new TypeError("a bug");
      return log.claim(...args);
    };
    const writer = newWriter({ source: { ...log, claim: failing } });
    writer.start();
    await clock.advance(20_000);
    expect(idsOf(archive.kept)).toEqual(["m1"]);
    expect(logger.lines.map(({ level }) => level)).toEqual(["warn", "info"]);
    await writer.stop();
  });
});

describe("an entry that the archive refuses", () => {
  test("holds up no other, is logged without its payload, and comes again", async () => {
    const { clock, log, archive, logger, newWriter, say } = createWorld();
    const ids = await say("a", 20);
    archive.refuses = ({ offset }) => offset === 7 || offset === 8;
    const writer = newWriter({ reclaimAfterMs: 60_000 });
    writer.start();
    await clock.advance(0);
    expect(idsOf(archive.kept)).toEqual(ids.filter((_, i) => i !== 6 && i !== 7));
    await expect(log.lag()).resolves.toBe(2);
    expect(writer.stats()).toMatchObject({ written: 18, refused: 2 });
    expect(logger.lines).toHaveLength(1);
    expect(logger.lines).toMatchObject([
      { level: "error", fields: { topic: "a", offset: 7, entries: 2 } },
    ]);
    expect(logger.lines[0]!.fields).not.toHaveProperty("payload");

    archive.refuses = () => false;
    await clock.advance(70_000);
    expect(archive.kept).toHaveLength(20);
    await expect(log.lag()).resolves.toBe(0);
    await writer.stop();
  });
});

describe("stop", () => {
  test("writes what is there, the batch under way first", async () => {
    const { clock, log, archive, newWriter, say } = createWorld();
    await say("a", 15);
    let open: () => void = () => undefined;
    archive.gate = new Promise((resolve) => {
      open = resolve;
    });
    const writer = newWriter({ batchSize: 10 });
    writer.start();
    await clock.advance(0);
    let isStopped = false;
    const stopped = writer.stop().then(() => {
      isStopped = true;
    });
    await clock.advance(1_000);
    expect(isStopped).toBe(false);
    open();
    await stopped;
    expect(archive.kept).toHaveLength(15);
    await expect(log.lag()).resolves.toBe(0);
    expect(clock.armed).toBe(0);
    writer.nudge("a");
    expect(clock.armed).toBe(0);
  });

  test("writes alone: no timer and no nudge starts another pass beside it", async () => {
    const { clock, log, archive, newWriter, say } = createWorld();
    const writer = newWriter({ batchSize: 10, gatherMs: 200 });
    writer.start();
    await clock.advance(0);
    const opens: (() => void)[] = [];
    archive.write = countingGate(archive.write.bind(archive), opens);
    await say("a", 15);
    writer.nudge("a");
    const stopped = writer.stop();
    await clock.advance(1_000);
    writer.nudge("a");
    await clock.advance(1_000);
    expect(opens).toHaveLength(1);
    opens.forEach((open) => open());
    await clock.advance(0);
    expect(opens).toHaveLength(2);
    opens.forEach((open) => open());
    await stopped;
    expect(archive.writes.map(({ length }) => length)).toEqual([10, 5]);
    await expect(log.lag()).resolves.toBe(0);
    expect(clock.armed).toBe(0);
  });

  test("twice is once", async () => {
    const { clock, archive, newWriter, say } = createWorld();
    const writer = newWriter();
    writer.start();
    await clock.advance(0);
    const opens: (() => void)[] = [];
    archive.write = countingGate(archive.write.bind(archive), opens);
    await say("a", 1);
    const stops = [writer.stop(), writer.stop()];
    await clock.advance(0);
    expect(opens).toHaveLength(1);
    opens.forEach((open) => open());
    await Promise.all(stops);
    expect(clock.armed).toBe(0);
  });

  test("leaves what is there where the archive is away", async () => {
    const { clock, log, archive, newWriter, say } = createWorld();
    await say("a", 1);
    archive.fault = away;
    const writer = newWriter();
    writer.start();
    await clock.advance(0);
    await writer.stop();
    await expect(log.lag()).resolves.toBe(1);
    expect(clock.armed).toBe(0);
  });

  test("does not wait for ever", async () => {
    const { clock, archive, newWriter, say } = createWorld();
    await say("a", 1);
    archive.gate = new Promise(() => undefined);
    const writer = newWriter({ stopTimeoutMs: 5_000 });
    writer.start();
    await clock.advance(0);
    const stopped = writer.stop();
    await clock.advance(5_000);
    await stopped;
    expect(clock.armed).toBe(0);
  });

  test("before the start is the end, too", async () => {
    const { clock, newWriter } = createWorld();
    const writer = newWriter();
    await writer.stop();
    writer.start();
    expect(clock.armed).toBe(0);
  });
});
