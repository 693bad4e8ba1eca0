/** What the stores do while Redis is away, hangs, or has forgotten everything. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import type { Logger } from "../../../src/logger.js";
import { silentLogger } from "../../../src/logger.js";
import { createRedisStores } from "../../../src/store/redis/stores.js";
import type { RedisStores } from "../../../src/store/redis/stores.js";
import { eventually } from "../../support/eventually.js";
import { startRedisServer } from "../../support/redis-server.js";
import type { RedisServer } from "../../support/redis-server.js";
import { presenceEntry } from "../presence-store.contract.js";
import { sessionRecord } from "../session-store.contract.js";

const PASSWORD = "p4ssw0rd";
const LEASE_MS = 600_000;
const COMMAND_TIMEOUT_MS = 300;

interface Line {
  readonly level: string;
  readonly fields: object;
  readonly message: string;
}

function recordingLogger(lines: Line[]): Logger {
  const at = (level: string) => (fields: object, message: string) => {
    lines.push({ level, fields, message });
  };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

describe.each(["standalone", "cluster"] as const)("Redis, %s,", (mode) => {
  let server: RedisServer;
  let stores: RedisStores;
  let lines: Line[];

  beforeAll(async () => {
    server = await startRedisServer({ cluster: mode === "cluster", password: PASSWORD });
  }, 30_000);
  afterAll(() => server.close());

  beforeEach(async () => {
    await server.admin.flushall();
    lines = [];
    stores = openStores();
    await eventually("ready", () => stores.ready());
  });
  afterEach(() => stores.close());

  function openStores(): RedisStores {
    return createRedisStores({
      url: server.url,
      mode,
      commandTimeoutMs: COMMAND_TIMEOUT_MS,
      logger: recordingLogger(lines),
    });
  }

  /** Every method of both ports. */
  function calls({ sessions, presence }: RedisStores): Record<string, Promise<unknown>> {
    return {
      take: sessions.take("alice", "al"),
      save: sessions.save(sessionRecord()),
      release: sessions.release("alice", 1),
      drop: sessions.drop("alice", 1),
      note: sessions.note("conn", "text"),
      noteOf: sessions.noteOf("conn"),
      forget: sessions.forget("conn"),
      join: presence.join("g1", presenceEntry()),
      leave: presence.leave("g1", "lobby", "i-1"),
      list: presence.list("lobby"),
      renew: presence.renew("g1", LEASE_MS),
      retire: presence.retire("g1"),
      reap: presence.reap(),
    };
  }

  async function expectUnavailable(): Promise<void> {
    for (const [method, call] of Object.entries(calls(stores))) {
      const outcome = await call.then(
        (value: unknown) => value,
        (error: unknown) => error,
      );
      expect([method, outcome]).toEqual([method, expect.objectContaining({ code: "UNAVAILABLE" })]);
    }
  }

  async function eventuallyWorks(): Promise<void> {
    await eventually("the stores work again", async () => {
      await stores.sessions.take("probe", "probe");
      return true;
    });
  }

  test("stopped: refused at once; back: heals by itself; logged once each way", async () => {
    await server.stop();
    await eventually("noticed", () => !stores.ready());
    await expectUnavailable();
    // Several attempts to connect fail in this time, and are not logged.
    await server.restart();
    await eventuallyWorks();
    expect(stores.ready()).toBe(true);
    expect(lines.map(({ level, message }) => [level, message])).toEqual([
      ["info", "connected to Redis"],
      ["warn", expect.stringContaining("Redis is away")],
      ["info", "Redis is back"],
    ]);
    expect(JSON.stringify(lines)).not.toContain(PASSWORD);
  }, 30_000);

  test("killed under load: every call is answered, none waits for it to come back", async () => {
    const underWay = Promise.allSettled(
      Array.from({ length: 200 }, (_, i) =>
        stores.sessions.save(sessionRecord({ clientId: `c-${i}`, epoch: Date.now() })),
      ),
    );
    await server.kill();
    for (const outcome of await underWay) {
      if (outcome.status === "fulfilled") expect(outcome.value).toBe(true);
      else expect(outcome.reason).toMatchObject({ code: "UNAVAILABLE" });
    }
    await eventually("noticed", () => !stores.ready());
    await expectUnavailable();
    await server.restart();
    await eventuallyWorks();
  }, 30_000);

  test("hanging: refused after the timeout; goes on: heals by itself", async () => {
    server.pause();
    await expectUnavailable();
    server.resume();
    await eventuallyWorks();
  }, 30_000);

  test("away at the start: comes up unavailable, and heals", async () => {
    await server.stop();
    const early = openStores();
    expect(early.ready()).toBe(false);
    await expect(early.sessions.noteOf("conn")).rejects.toMatchObject({ code: "UNAVAILABLE" });
    await server.restart();
    await eventually("ready", () => early.ready());
    await expect(early.sessions.noteOf("conn")).resolves.toBeUndefined();
    await early.close();
  }, 30_000);

  test("emptied: epochs still grow, leases are gone, and joining again works", async () => {
    const { sessions, presence } = stores;
    const { epoch } = await sessions.take("alice", "al");
    await presence.renew("g1", LEASE_MS);
    await presence.join("g1", presenceEntry());
    await server.admin.flushall();

    const lost = sessionRecord({ epoch });
    await expect(sessions.save(lost)).resolves.toBe(true);
    await server.admin.flushall();
    // Epochs follow Redis' clock, in ms: it has to have moved on since.
    await eventually("a millisecond later", async () => {
      const [seconds, micros] = await server.admin.time();
      return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000) > epoch;
    });
    const again = await sessions.take("alice", "al");
    expect(again.epoch).toBeGreaterThan(epoch);
    await expect(sessions.save(lost)).resolves.toBe(false);

    await expect(presence.list("lobby")).resolves.toEqual([]);
    await expect(presence.renew("g1", LEASE_MS)).resolves.toBe(false);
    await expect(presence.join("g1", presenceEntry())).resolves.toBe(true);
    await expect(presence.list("lobby")).resolves.toHaveLength(1);
  });

  test("without the scripts: they are loaded again", async () => {
    await stores.sessions.take("alice", "al");
    await server.admin.script("FLUSH");
    await expect(Promise.all(Object.values(calls(stores)))).resolves.toBeDefined();
  });

  test("without memory for writes, and then with it", async () => {
    await server.admin.config("SET", "maxmemory", "1");
    await expect(stores.sessions.note("conn", "text")).rejects.toMatchObject({
      code: "UNAVAILABLE",
    });
    await expect(stores.sessions.take("alice", "al")).rejects.toMatchObject({
      code: "UNAVAILABLE",
    });
    await server.admin.config("SET", "maxmemory", "0");
    await expect(stores.sessions.take("alice", "al")).resolves.toHaveProperty("epoch");
  });

  test("after close every call is refused", async () => {
    await stores.close();
    await expectUnavailable();
    await stores.close();
    expect(lines.map(({ level }) => level)).toEqual(["info"]);
  });
});

test("a wrong password: unavailable, said without the password", async () => {
  const server = await startRedisServer({ password: PASSWORD });
  const lines: Line[] = [];
  const url = server.url.replace(PASSWORD, "wr0ngpass");
  const stores = createRedisStores({ url, logger: recordingLogger(lines) });
  await eventually("refused", () => lines.length > 0);
  await expect(stores.sessions.noteOf("conn")).rejects.toMatchObject({ code: "UNAVAILABLE" });
  expect(lines).toEqual([
    expect.objectContaining({
      level: "warn",
      fields: expect.objectContaining({ reason: expect.stringContaining("WRONGPASS") }),
    }),
  ]);
  expect(JSON.stringify(lines)).not.toContain("wr0ngpass");
  await stores.close();
  await server.close();
}, 30_000);

test("a replica: READONLY is unavailable, and heals when it is promoted", async () => {
  const server = await startRedisServer();
  const stores = createRedisStores({ url: server.url, logger: silentLogger });
  await eventually("ready", () => stores.ready());
  // Of a primary that nobody is.
  await server.admin.call("replicaof", "127.0.0.1", "1");
  await expect(stores.sessions.take("alice", "al")).rejects.toMatchObject({ code: "UNAVAILABLE" });
  await server.admin.call("replicaof", "no", "one");
  await eventually("works again", async () => stores.sessions.take("alice", "al"));
  await stores.close();
  await server.close();
}, 30_000);

test("killed and started again with its file: what was saved is there", async () => {
  const appendOnlyDir = await mkdtemp(join(tmpdir(), "redis-aof-"));
  const server = await startRedisServer({ appendOnlyDir });
  const stores = createRedisStores({ url: server.url, logger: silentLogger });
  await eventually("ready", () => stores.ready());
  const { epoch } = await stores.sessions.take("alice", "al");
  const record = sessionRecord({ epoch });
  await stores.sessions.save(record);
  await server.kill();
  await server.restart();
  const taken = await eventually("works again", () => stores.sessions.take("alice", "al"));
  expect(taken.previous).toEqual(record);
  await stores.close();
  await server.close();
  await rm(appendOnlyDir, { recursive: true, force: true });
}, 30_000);
