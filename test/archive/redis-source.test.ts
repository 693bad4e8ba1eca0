import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { createArchiveWriter } from "../../src/archive/index.js";
import { systemClock } from "../../src/clock.js";
import { silentLogger } from "../../src/logger.js";
import { createRedisStores } from "../../src/store/index.js";
import { createKeys } from "../../src/store/redis/keys.js";
import type { RedisStores } from "../../src/store/redis/stores.js";
import { eventually } from "../support/eventually.js";
import { startRedisServer } from "../support/redis-server.js";
import type { RedisServer } from "../support/redis-server.js";
import { createFakeArchive } from "./fake-archive.js";
import { logEntries } from "./entries.js";

const TOPIC = "chat/room/lobby";
const STREAM = createKeys("t:").log(TOPIC).stream;
const CLAIM = { limit: 100, reclaimAfterMs: 60_000 };

let server: RedisServer;
let stores: RedisStores;

beforeAll(async () => {
  server = await startRedisServer();
});
afterAll(() => server.close());
async function open(): Promise<RedisStores> {
  const opened = createRedisStores({
    url: server.url,
    mode: "standalone",
    keyPrefix: "t:",
    retention: { isArchived: true },
    logger: silentLogger,
  });
  await eventually("ready", () => opened.ready());
  return opened;
}

beforeEach(async () => {
  await server.admin.flushall();
  stores = await open();
});
afterEach(() => stores.close());

describe("the archive's group in Redis", () => {
  test("does not grow with each process that ever read it", async () => {
    await stores.log.append(TOPIC, logEntries(3));
    for (let run = 1; run <= 3; run += 1) {
      const opened = await open();
      await opened.log.claim(TOPIC, { ...CLAIM, reclaimAfterMs: 0 });
      await opened.close();
    }
    const [group] = (await server.admin.xinfo("GROUPS", STREAM)) as (string | number)[][];
    expect(group![group!.indexOf("consumers") + 1]).toBe(1);
  });

  test("keeps apart what two writers have, by when it was claimed", async () => {
    await stores.log.append(TOPIC, logEntries(4));
    await stores.log.claim(TOPIC, { limit: 2, reclaimAfterMs: 60_000 });
    const archive = createFakeArchive();
    const writers = [1, 2].map(() =>
      createArchiveWriter({
        ...{ source: stores.log, archive, clock: systemClock, logger: silentLogger },
        ...{ intervalMs: 20, reclaimAfterMs: 400 },
      }),
    );
    for (const writer of writers) writer.start();
    await eventually("all is archived", async () => (await stores.log.lag()) === 0);
    for (const writer of writers) await writer.stop();
    expect(archive.writes.flat()).toHaveLength(4);
    expect(archive.kept).toHaveLength(4);
  });
});
