import { beforeEach, describe, expect, test } from "@jest/globals";
import { createSpool, type Spool, type SpoolOptions } from "../../src/log/spool.js";
import { silentLogger } from "../../src/logger.js";
import { createFakeClock, settled, type FakeClock } from "../support/fake-clock.js";
import { away, createFaultyLog, message, refusal, TOPIC, type FaultyLog } from "./faulty-log.js";

let clock: FakeClock;
let log: FaultyLog;
let spool: Spool;

function start(bounds: Partial<SpoolOptions> = {}): Spool {
  return createSpool({
    log,
    clock,
    logger: silentLogger,
    maxMessages: 1_000,
    maxBytes: 10_000,
    ...bounds,
  });
}

beforeEach(() => {
  clock = createFakeClock();
  log = createFaultyLog(clock);
  spool = start();
});

/** Puts messages called m1, m2, …; tells the offset of each, or the code of its failure. */
function putAll(count: number, topic = TOPIC): Promise<readonly unknown[]> {
  return Promise.all(
    Array.from({ length: count }, async (_, i) => {
      try {
        return (await spool.put(message(`m${i + 1}`, { topic }))?.appended)?.offset;
      } catch (error) {
        return (error as { code: string }).code;
      }
    }),
  );
}

async function texts(topic = TOPIC): Promise<readonly string[]> {
  const { entries } = await log.read(topic, { after: 0, limit: Infinity, maxBytes: Infinity });
  return entries.map(({ payload }) => Buffer.from(payload).toString());
}

describe("a spool", () => {
  test("appends in order, what gathers meanwhile in batches of 100 at the most", async () => {
    await expect(putAll(250)).resolves.toEqual(Array.from({ length: 250 }, (_, i) => i + 1));
    expect(log.calls).toEqual(["append 1", "append 100", "append 100", "append 49"]);
    expect(spool.size).toBe(0);
  });

  test("keeps topics apart: one that waits holds up no other", async () => {
    log.isSlow = true;
    const slow = putAll(2, "chat/room/slow");
    log.isSlow = false;
    await expect(putAll(2)).resolves.toEqual([1, 2]);
    expect(spool.size).toBe(2);
    log.answer();
    await expect(slow).resolves.toEqual([1, 2]);
  });

  test("keeps what the store does not take, and its order, until it is back", async () => {
    log.fault = away;
    const put = putAll(3);
    await settled();
    expect(spool).toMatchObject({ isFailing: true, size: 3 });
    await clock.advance(60_000);
    expect(spool).toMatchObject({ isFailing: true, size: 3 });
    // No more than two tries a second, once it has failed for a while.
    expect(log.calls.length).toBeLessThan(130);
    log.fault = undefined;
    await clock.advance(2_000);
    await expect(put).resolves.toEqual([1, 2, 3]);
    await expect(texts()).resolves.toEqual(["m1", "m2", "m3"]);
    expect(spool).toMatchObject({ isFailing: false, size: 0, refused: 0 });
    expect(clock.armed).toBe(0);
  });

  test("drops what can never be appended, and goes on behind it", async () => {
    log.fault = refusal;
    await expect(putAll(2)).resolves.toEqual(["INTERNAL", "INTERNAL"]);
    expect(spool).toMatchObject({ isFailing: false, size: 0 });
    log.fault = undefined;
    await expect(putAll(1)).resolves.toEqual([1]);
  });

  test.each([
    { bound: "messages", bounds: { maxMessages: 2 } },
    { bound: "bytes", bounds: { maxBytes: 5 } },
  ])("refuses what is over its bound of $bound, and has room again later", async ({ bounds }) => {
    spool = start(bounds);
    log.fault = away;
    const put = putAll(3);
    await settled();
    expect(spool).toMatchObject({ size: 2, refused: 1 });
    log.fault = undefined;
    await clock.advance(1_000);
    await expect(put).resolves.toEqual([1, 2, undefined]);
    await expect(putAll(2)).resolves.toEqual([3, 4]);
  });

  test("stops after one more try", async () => {
    log.fault = away;
    const lost = putAll(2);
    await settled();
    await spool.stop();
    await expect(lost).resolves.toEqual(["SHUTTING_DOWN", "SHUTTING_DOWN"]);
    expect(clock.armed).toBe(0);

    spool = start();
    const kept = putAll(2);
    await settled();
    log.fault = undefined;
    await spool.stop();
    await expect(kept).resolves.toEqual([1, 2]);
    expect(spool.size).toBe(0);
  });
});
