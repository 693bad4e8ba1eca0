import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createArchive, createArchiveWriter } from "../../src/archive/index.js";
import { systemClock } from "../../src/clock.js";
import { silentLogger } from "../../src/logger.js";
import { createMemoryRoomLog } from "../../src/store/index.js";
import { eventually } from "../support/eventually.js";
import { startPostgresServer } from "../support/postgres-server.js";
import type { PostgresServer } from "../support/postgres-server.js";
import { logEntry } from "./entries.js";

let server: PostgresServer;

beforeAll(async () => {
  server = await startPostgresServer();
});
afterAll(() => server.close());

test("PostgreSQL killed under load, three times: nothing lost, nothing twice, all in order", async () => {
  const url = await server.createDatabase(randomUUID());
  const clock = systemClock;
  const log = createMemoryRoomLog({
    clock,
    retention: { isArchived: true, maxEntries: 10, maxAgeMs: 1_000_000_000_000_000 },
  });
  const topics = ["chat/room/a", "chat/room/b", "chat/room/c"];
  const gateways = [1, 2].map(() => {
    const archive = createArchive({ url, connectTimeoutMs: 500 });
    const writer = createArchiveWriter({
      ...{ source: log, archive, clock, logger: silentLogger },
      ...{ batchSize: 20, gatherMs: 5, intervalMs: 50, reclaimAfterMs: 300 },
    });
    writer.start();
    return { archive, writer };
  });

  let said = 0;
  let isOver = false;
  async function sayAll(): Promise<void> {
    while (!isOver) {
      for (const topic of topics) {
        said += 1;
        const payload = Buffer.from(`message ${said}`);
        await log.append(topic, [logEntry(0, { id: `m${said}`, topic, payload })]);
        for (const { writer } of gateways) writer.nudge(topic);
      }
      // No more than can be taken over while it is up.
      await eventually("room for more", async () => isOver || (await log.lag()) < 2_000);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  const saying = sayAll();
  const written = () => gateways.reduce((sum, { writer }) => sum + writer.stats().written, 0);
  for (let kills = 0; kills < 3; kills += 1) {
    const before = written();
    await eventually("messages are archived", () => written() > before + 100);
    await server.kill();
    await eventually("it is noticed", () =>
      gateways.every(({ writer }) => writer.stats().failingSince !== undefined),
    );
    await server.restart();
  }
  isOver = true;
  await saying;
  await eventually("all is archived", async () => (await log.lag()) === 0);

  const [{ archive } = gateways[0]!] = gateways;
  let archived = 0;
  for (const topic of topics) {
    const after = { epoch: 0, offset: 0 };
    const entries = await archive.read(topic, { after, limit: 1_000_000, maxBytes: 2 ** 30 });
    const { last } = (await log.open([topic]))[0]!;
    expect(entries.map(({ offset }) => offset)).toEqual(
      Array.from({ length: last }, (_, i) => i + 1),
    );
    expect(new Set(entries.map(({ id }) => id)).size).toBe(last);
    archived += last;
  }
  expect(archived).toBe(said);
  for (const { writer, archive: one } of gateways) {
    expect(writer.stats().written).toBeGreaterThan(0);
    await writer.stop();
    await one.close();
  }
});
