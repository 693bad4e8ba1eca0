/** The logs in Redis: slots, what they leave behind, and what a lost or rolled back server means to them. */
import { readFileSync } from "node:fs";
import { mkdtemp, readdir, rm, stat, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { silentLogger } from "../../../src/logger.js";
import { createRedisConnection } from "../../../src/store/redis/connection.js";
import type { RedisConnection } from "../../../src/store/redis/connection.js";
import { createKeys } from "../../../src/store/redis/keys.js";
import { createRedisRoomLog, type RedisRoomLog } from "../../../src/store/redis/room-log.js";
import { logScripts } from "../../../src/store/redis/scripts.js";
import { eventually } from "../../support/eventually.js";
import { startRedisServer } from "../../support/redis-server.js";
import type { RedisServer, RedisServerOptions } from "../../support/redis-server.js";
import type { LogMessage, LogPosition } from "../../../src/store/records.js";
import { age } from "../harness.js";
import { logMessage, publicationOf } from "../room-log.contract.js";

const TOPIC = "chat/room/lobby";
const PREFIX = "t:";
const WINDOW_MS = 600_000;
const ALL = { after: 0, limit: 100, maxBytes: 1e6 };
const CLAIM = { limit: 100, reclaimAfterMs: 60_000 };

let dir: string;
let server: RedisServer;
let connection: RedisConnection;
let log: RedisRoomLog;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "aof-"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

async function connect(mode: "standalone" | "cluster" = "standalone"): Promise<RedisConnection> {
  const made = createRedisConnection({
    url: server.url,
    mode,
    commandTimeoutMs: 1_000,
    logger: silentLogger,
  });
  await eventually("ready", () => made.ready());
  return made;
}

function logOver(over: RedisConnection, isArchived = false): RedisRoomLog {
  return createRedisRoomLog({
    connection: over,
    keys: createKeys(PREFIX),
    retention: { isArchived },
  });
}

describe("the logs' keys", () => {
  beforeAll(async () => {
    server = await startRedisServer({ cluster: true });
    connection = await connect("cluster");
  }, 30_000);
  afterAll(async () => {
    await connection.close();
    await server.close();
  });
  beforeEach(async () => {
    await server.admin.flushall();
    log = logOver(connection, true);
  });

  async function keysLeft(): Promise<readonly string[]> {
    return (await server.admin.keys(`${PREFIX}*`)).map((key) => key.slice(PREFIX.length)).sort();
  }

  test("every script is used, and keeps to the keys of one slot", async () => {
    const used = new Map<string, readonly string[]>();
    const recorded = logOver(
      {
        ...connection,
        run(script, keys, args) {
          used.set(script.name, keys);
          return connection.run(script, keys, args);
        },
      },
      true,
    );
    await recorded.open([TOPIC]);
    await recorded.announce(TOPIC, publicationOf("k"), WINDOW_MS);
    await recorded.append(TOPIC, [logMessage(1, { protocol: "", payload: Buffer.from("hi") })]);
    await recorded.settle(TOPIC, publicationOf("k"));
    await recorded.announce(TOPIC, publicationOf("k2"), WINDOW_MS);
    await recorded.read(TOPIC, ALL);
    await recorded.readBack(TOPIC, ALL);
    await recorded.claim(TOPIC, CLAIM);
    await recorded.lag();
    await recorded.confirm(TOPIC, [1]);
    expect([...used.keys()].sort()).toEqual(
      Object.values(logScripts)
        .map(({ name }) => name)
        .sort(),
    );
    const slotsOf = (keys: readonly string[]): Promise<unknown[]> =>
      Promise.all(keys.map((key) => server.admin.call("cluster", "keyslot", key)));
    for (const [name, keys] of used) {
      expect([name, new Set(await slotsOf(keys)).size]).toEqual([name, 1]);
    }
    // Those too that a script puts together by itself.
    const ofTopic = (await server.admin.keys(`${PREFIX}{*`)).sort();
    expect(ofTopic).toHaveLength(6);
    expect(new Set(await slotsOf(ofTopic)).size).toBe(1);
  });

  test.each(Object.values(logScripts).map(({ name }) => [name]))(
    "%s says its keys, its arguments and its reply",
    (name) => {
      const file = new URL(`../../../src/store/redis/lua/${name}.lua`, import.meta.url);
      const source = readFileSync(file, "utf8");
      const header = source.slice(0, source.indexOf("\n\n"));
      for (const [text] of source.matchAll(/(KEYS|ARGV)\[(\d+)\]/g)) expect(header).toContain(text);
      expect(header).toContain("-- Returns ");
    },
  );

  test("end by themselves, all of them", async () => {
    const plain = logOver(connection);
    await plain.announce(TOPIC, publicationOf("k"), WINDOW_MS);
    await plain.append(TOPIC, [logMessage(1)]);
    await plain.open(["never used"]);
    for (const key of await server.admin.keys(`${PREFIX}*`)) {
      expect([key, await server.admin.pttl(key)]).toEqual([key, expect.any(Number)]);
      expect(await server.admin.pttl(key)).toBeGreaterThan(0);
    }
    await age(server.admin, PREFIX, 15 * 24 * 3600 * 1000);
    expect(await keysLeft()).toEqual([]);
  });

  test("what is remembered of publications does not outlive their window", async () => {
    await log.announce(TOPIC, publicationOf("k1"), WINDOW_MS);
    await log.append(TOPIC, [logMessage(1, { protocol: "", payload: Buffer.from("hi") })]);
    await age(server.admin, PREFIX, WINDOW_MS);
    const stays = ["ids", "meta", "stream"].map((name) => `{l:${TOPIC}}:${name}`);
    expect(await keysLeft()).toEqual(["logs", ...stays].sort());
  });

  test("a topic is pending until all is confirmed and nobody can be about to append", async () => {
    await log.append(TOPIC, [logMessage(1)]);
    const claimed = await log.claim(TOPIC, CLAIM);
    const offsets = claimed.map(({ offset }) => offset);
    await server.admin.zincrby(`${PREFIX}logs`, -4 * 60_000, TOPIC);
    await log.confirm(TOPIC, offsets);
    await expect(log.pendingTopics()).resolves.toEqual([TOPIC]);
    await server.admin.zincrby(`${PREFIX}logs`, -2 * 60_000, TOPIC);
    await expect(log.claim(TOPIC, CLAIM)).resolves.toEqual([]);
    await expect(log.pendingTopics()).resolves.toEqual([]);
  });

  test.each([
    ["the archive is switched on", () => log.append(TOPIC, [logMessage(4)])],
    ["its entries have ended", () => server.admin.del(createKeys(PREFIX).log(TOPIC).stream)],
  ])("what is gone is not waited for, once %s", async (_, change) => {
    const short = { connection, keys: createKeys(PREFIX), retention: { maxEntries: 2 } };
    const messages = [1, 2, 3].map((n) => logMessage(n));
    await createRedisRoomLog(short).append(TOPIC, messages);
    await change();
    await log.append(TOPIC, [logMessage(5)]);
    const lag = await log.lag();
    await expect(log.claim(TOPIC, CLAIM)).resolves.toHaveLength(lag);
  });

  test("a topic with entries stays pending however long it was not appended to", async () => {
    await log.append(TOPIC, [logMessage(1)]);
    await server.admin.zadd(`${PREFIX}logs`, 1, TOPIC);
    await log.claim(TOPIC, CLAIM);
    await log.claim(TOPIC, CLAIM);
    await log.confirm(TOPIC, []);
    await expect(log.pendingTopics()).resolves.toEqual([TOPIC]);
  });

  test("an archive that is switched on later gets what is there", async () => {
    await logOver(connection).append(TOPIC, [logMessage(1), logMessage(2)]);
    await log.append(TOPIC, [logMessage(3)]);
    const claimed = await log.claim(TOPIC, CLAIM);
    expect(claimed.map(({ offset }) => offset)).toEqual([1, 2, 3]);
  });

  test("a claim stops at a megabyte or little over", async () => {
    const payload = Buffer.alloc(60_000);
    for (let n = 0; n < 100; n++) await log.append(TOPIC, [logMessage(n, { payload })]);
    const first = await log.claim(TOPIC, CLAIM);
    expect(first.length).toBeLessThan(60);
    const rest = [...first];
    for (let more = first; more.length > 0; more = await log.claim(TOPIC, CLAIM)) {
      if (more !== first) rest.push(...more);
    }
    expect(rest.map(({ offset }) => offset)).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
  });

  test("the count that is lost is a log that is lost: what is left of it goes too", async () => {
    await log.append(TOPIC, [logMessage(1), logMessage(2)]);
    const [before] = await log.open([TOPIC]);
    await server.admin.del(`${PREFIX}{l:${TOPIC}}:meta`);
    const [after] = await logOver(connection).append(TOPIC, [logMessage(2)]);
    expect(after?.offset).toBe(1);
    expect(after?.epoch).toBeGreaterThan(before?.epoch ?? 0);
  });

  test("under a key that holds something else is a bug, and said to be one", async () => {
    await server.admin.set(`${PREFIX}{l:${TOPIC}}:meta`, "what");
    await expect(log.open([TOPIC])).rejects.toMatchObject({ code: "INTERNAL" });
  });
});

describe("after the server was killed", () => {
  async function open(options: RedisServerOptions): Promise<void> {
    server = await startRedisServer(options);
    connection = await connect();
    log = logOver(connection);
  }
  beforeEach(() => rm(dir, { recursive: true, force: true, maxRetries: 3 }).then(() => makeDir()));
  afterEach(async () => {
    await connection.close();
    await server.close();
  });

  async function makeDir(): Promise<void> {
    dir = await mkdtemp(join(tmpdir(), "aof-"));
  }

  async function killAndRestart(): Promise<void> {
    await server.kill();
    await eventually("noticed", () => !connection.ready());
    await server.restart();
    await eventually("ready again", () => connection.ready());
  }

  const calls: readonly (readonly [string, () => Promise<{ readonly epoch: number }>])[] = [
    ["open", async () => ({ epoch: (await log.open([TOPIC]))[0]?.epoch ?? 0 })],
    ["read", async () => (await log.read(TOPIC, ALL)).head],
    ["readBack", async () => (await log.readBack(TOPIC, ALL)).head],
    ["append", async () => ({ epoch: (await log.append(TOPIC, [logMessage(9)]))[0]?.epoch ?? 0 })],
  ];

  test.each(calls)("everysec: %s begins a new epoch, once", async (name, call) => {
    await open({ appendOnlyDir: dir, appendFsync: "everysec" });
    await log.append(TOPIC, [logMessage(1), logMessage(2)]);
    const [before] = await log.open([TOPIC]);
    await killAndRestart();
    const { epoch } = await call();
    expect(epoch).toBeGreaterThan(before?.epoch ?? 0);
    const [head] = await log.open([TOPIC]);
    expect(head?.epochs).toEqual([
      { epoch: before?.epoch, since: 1 },
      { epoch, since: 3 },
    ]);
    await log.append(TOPIC, [logMessage(3)]);
    const { entries } = await log.read(TOPIC, { ...ALL, after: 1 });
    expect(entries.map((entry) => entry.offset)).toEqual(name === "append" ? [2, 3, 4] : [2, 3]);
    expect(entries.map((entry) => entry.epoch)).toEqual(
      [before?.epoch, epoch, epoch].slice(0, entries.length),
    );
  });

  test("everysec: the 8 newest epochs are known", async () => {
    await open({ appendOnlyDir: dir, appendFsync: "everysec" });
    const epochs = (await log.open([TOPIC])).flatMap((head) => head.epochs);
    for (let n = 1; n <= 8; n++) {
      await log.append(TOPIC, [logMessage(n)]);
      // As after a restart: the run that wrote last was another one.
      await server.admin.hset(`${PREFIX}{l:${TOPIC}}:meta`, "run", "f00d");
      const [head] = await log.open([TOPIC]);
      epochs.push({ epoch: head?.epoch ?? 0, since: n + 1 });
      expect(head?.epochs).toEqual(epochs.slice(-8));
    }
  });

  test("always: all is there, and the epoch goes on", async () => {
    await open({ appendOnlyDir: dir, appendFsync: "always" });
    await eventually("durability is known", () => connection.durability().endsWith(" 1"));
    await log.append(TOPIC, [logMessage(1)]);
    const [before] = await log.open([TOPIC]);
    for (let n = 2; n < 4; n++) {
      await killAndRestart();
      await expect(log.append(TOPIC, [logMessage(n - 1), logMessage(n)])).resolves.toEqual([
        { epoch: before?.epoch, offset: n - 1, isRepeated: false },
        { epoch: before?.epoch, offset: n, isRepeated: false },
      ]);
      await eventually("durability is known", () => connection.durability().endsWith(" 1"));
      await log.open([TOPIC]);
    }
  });

  test("always, but another server's data (a replica that took over): a new epoch", async () => {
    await open({ appendOnlyDir: dir, appendFsync: "always" });
    await eventually("durability is known", () => connection.durability().endsWith(" 1"));
    const [before] = await log.open([TOPIC]);
    await server.admin.call("replicaof", "127.0.0.1", "1");
    await server.admin.call("replicaof", "no", "one");
    await server.admin.hset(`${PREFIX}{l:${TOPIC}}:meta`, "run", "f00d");
    const [after] = await log.open([TOPIC]);
    expect(after?.epoch).toBeGreaterThan(before?.epoch ?? 0);
  });

  test("nothing kept, and nobody who knows of it: a new epoch from 1", async () => {
    await open({});
    await log.append(TOPIC, [logMessage(1)]);
    const [before] = await log.open([TOPIC]);
    log.stop();
    await killAndRestart();
    const { head, entries } = await logOver(connection).read(TOPIC, ALL);
    expect(entries).toEqual([]);
    expect(head).toMatchObject({ first: 1, last: 0, epochs: [{ epoch: head.epoch, since: 1 }] });
    expect(head.epoch).toBeGreaterThan(before?.epoch ?? 0);
  });

  describe("with a part of what it was told", () => {
    const hi = (n: number, more: Partial<LogMessage> = {}) =>
      logMessage(n, { username: "", protocol: "", payload: Buffer.from("hi"), ...more });
    let file: string;

    beforeEach(async () => {
      await open({ appendOnlyDir: dir, appendFsync: "everysec" });
      const folder = join(dir, "appendonlydir");
      const [name] = (await readdir(folder)).filter((one) => one.endsWith(".incr.aof"));
      file = join(folder, name ?? "");
      await log.append(TOPIC, [logMessage(1), logMessage(2)]);
    });

    /** All that `told` has told the server is lost, and nothing else. */
    async function lose(told: () => Promise<unknown>): Promise<void> {
      const { size } = await stat(file);
      await told();
      await server.kill();
      await truncate(file, size);
      await eventually("noticed", () => !connection.ready());
      await server.restart();
      await eventually("ready again", () => connection.ready());
    }

    async function positions(of: RedisRoomLog = log): Promise<readonly LogPosition[]> {
      const { entries } = await of.read(TOPIC, ALL);
      return entries.map(({ epoch, offset }) => ({ epoch, offset }));
    }

    test.each(calls)("%s puts back what was lost, where it was", async (name, call) => {
      let before: readonly LogPosition[] = [];
      await lose(async () => {
        await log.append(TOPIC, [logMessage(3), logMessage(4)]);
        await log.append(TOPIC, [logMessage(5)]);
        before = await positions();
      });
      const { epoch } = await call();
      const after = await positions();
      expect(after.slice(0, 5)).toEqual(before);
      expect(after.slice(5)).toEqual(name === "append" ? [{ epoch, offset: 6 }] : []);
      const [head] = await logOver(connection).open([TOPIC]);
      expect(head?.epochs).toEqual([
        { epoch: before[0]?.epoch, since: 1 },
        { epoch, since: 6 },
      ]);
    });

    test("but not what it had dropped itself", async () => {
      const keys = createKeys(PREFIX);
      const short = createRedisRoomLog({ connection, keys, retention: { maxEntries: 2 } });
      await short.append(
        TOPIC,
        [3, 4, 5].map((n) => logMessage(n)),
      );
      await lose(() => short.append(TOPIC, [logMessage(6)]));
      await short.append(TOPIC, [logMessage(7)]);
      const { entries } = await short.readBack(TOPIC, ALL);
      expect(entries).toMatchObject([7, 6].map((n) => ({ id: logMessage(n).id, offset: n })));
    });

    test("twice over, it still takes its old place", async () => {
      await lose(() => log.append(TOPIC, [logMessage(3)]));
      const [after] = await logOver(connection).open([TOPIC]);
      await server.admin.hset(`${PREFIX}{l:${TOPIC}}:meta`, "run", "f00d");
      const [first, , third] = await positions();
      expect(third).toEqual({ epoch: first?.epoch, offset: 3 });
      const [head] = await log.open([TOPIC]);
      expect(head?.epochs.map(({ since }) => since)).toEqual([1, 4, 4]);
      expect(head?.epochs[1]?.epoch).toBe(after?.epoch);
    });

    test("behind what others have said meanwhile, each once", async () => {
      await lose(() => log.append(TOPIC, [logMessage(3), logMessage(4)]));
      await logOver(connection).append(TOPIC, [logMessage(9), logMessage(4)]);
      const { entries } = await log.read(TOPIC, ALL);
      expect(entries.map(({ id }) => id)).toEqual([1, 2, 9, 4, 3].map((n) => logMessage(n).id));
    });

    test("what another gateway has appended is put back by one that has read it", async () => {
      const other = logOver(connection);
      await log.read(TOPIC, ALL);
      await lose(async () => {
        await other.append(TOPIC, [hi(3), hi(4)]);
        await log.read(TOPIC, { ...ALL, after: 2 });
      });
      await expect(positions()).resolves.toHaveLength(4);
    });

    test("by a sweep, where nobody asks", async () => {
      await lose(() => log.append(TOPIC, [logMessage(3)]));
      const stream = createKeys(PREFIX).log(TOPIC).stream;
      await eventually("put back", async () => (await server.admin.xlen(stream)) === 3);
    });

    test("a key, so that it is published once", async () => {
      const publication = publicationOf("k");
      await lose(async () => {
        await log.announce(TOPIC, publication, WINDOW_MS);
        await log.append(TOPIC, [hi(3)]);
        await log.settle(TOPIC, publication);
      });
      const at = { id: hi(3).id, offset: 3 };
      await expect(log.announce(TOPIC, publication, WINDOW_MS)).resolves.toMatchObject(at);
      const { entries } = await log.read(TOPIC, ALL);
      expect(entries[2]).toMatchObject({ ...at, username: "al", protocol: "exproto" });
      // It is no longer waited for.
      await expect(log.append(TOPIC, [hi(4)])).resolves.toMatchObject([
        { offset: 4, isRepeated: false },
      ]);
    });

    test("a key that was settled, but announced before the loss", async () => {
      const publication = publicationOf("k");
      await log.announce(TOPIC, publication, WINDOW_MS);
      await lose(async () => {
        await log.append(TOPIC, [hi(3)]);
        await log.settle(TOPIC, publication);
      });
      const at = { id: hi(3).id, offset: 3 };
      await expect(log.settle(TOPIC, publication)).resolves.toMatchObject(at);
      await expect(log.append(TOPIC, [hi(4)])).resolves.toMatchObject([{ isRepeated: false }]);
    });

    test("a key that is still waited for", async () => {
      const publication = publicationOf("k");
      await lose(() => log.announce(TOPIC, publication, WINDOW_MS));
      await expect(log.append(TOPIC, [hi(3)])).resolves.toMatchObject([{ offset: 3 }]);
      await expect(log.settle(TOPIC, publication)).resolves.toMatchObject({ id: hi(3).id });
      await expect(log.append(TOPIC, [hi(4)])).resolves.toMatchObject([{ offset: 4 }]);
    });

    test.each(["before", "behind"])(
      "a key whose message another gateway puts back, %s the key's",
      async (order) => {
        const other = logOver(connection);
        await other.open([TOPIC]);
        await lose(async () => {
          await log.announce(TOPIC, publicationOf("k"), WINDOW_MS);
          await log.announce(TOPIC, publicationOf("k2"), WINDOW_MS);
          await other.append(TOPIC, [hi(3)]);
        });
        await (order === "before" ? other : log).open([TOPIC]);
        await (order === "before" ? log : other).open([TOPIC]);
        const at = { id: hi(3).id, offset: 3 };
        await expect(log.announce(TOPIC, publicationOf("k"), WINDOW_MS)).resolves.toMatchObject(at);
        await expect(log.settle(TOPIC, publicationOf("k2"))).resolves.toBeUndefined();
      },
    );

    test("of two with one text, the settled one settles nothing else", async () => {
      await lose(async () => {
        await log.announce(TOPIC, publicationOf("k1"), WINDOW_MS);
        await log.append(TOPIC, [hi(3)]);
        await log.settle(TOPIC, publicationOf("k1"));
        await log.announce(TOPIC, publicationOf("k2"), WINDOW_MS);
      });
      await expect(log.settle(TOPIC, publicationOf("k2"))).resolves.toBeUndefined();
      await log.append(TOPIC, [hi(4)]);
      await expect(log.settle(TOPIC, publicationOf("k2"))).resolves.toMatchObject({ offset: 4 });
    });
  });

  test("while it is away every method says so", async () => {
    await open({});
    await server.kill();
    await eventually("noticed", () => !connection.ready());
    const archived = logOver(connection, true);
    const page = { after: 0, limit: 1, maxBytes: 1 };
    const all: readonly Promise<unknown>[] = [
      log.open([TOPIC]),
      log.append(TOPIC, [logMessage(1)]),
      archived.append(TOPIC, [logMessage(1)]),
      log.read(TOPIC, page),
      log.readBack(TOPIC, page),
      log.announce(TOPIC, publicationOf("k"), WINDOW_MS),
      log.settle(TOPIC, publicationOf("k")),
      log.pendingTopics(),
      log.claim(TOPIC, CLAIM),
      log.confirm(TOPIC, [1]),
      log.lag(),
    ];
    for (const outcome of await Promise.allSettled(all)) {
      expect(outcome).toMatchObject({ status: "rejected", reason: { code: "UNAVAILABLE" } });
    }
  });

  test("a publication whose entry was rolled back is not in the log", async () => {
    await open({});
    await log.append(TOPIC, [logMessage(1)]);
    await log.announce(TOPIC, publicationOf("k"), WINDOW_MS);
    const message = logMessage(2, { protocol: "", payload: Buffer.from("hi") });
    await log.append(TOPIC, [message]);
    await expect(log.settle(TOPIC, publicationOf("k"))).resolves.toMatchObject({ offset: 2 });
    // What a server has that comes back without the second entry, but with what was settled.
    const { meta, stream, ids } = createKeys(PREFIX).log(TOPIC);
    await server.admin.hset(meta, { last: "1", run: "f00d" });
    await server.admin.call("xdel", stream, "2-0");
    await server.admin.call("xsetid", stream, "1-0");
    await server.admin.hdel(ids, message.id);
    log = logOver(connection);
    await expect(log.settle(TOPIC, publicationOf("k"))).resolves.toBeUndefined();
    await expect(log.announce(TOPIC, publicationOf("k"), WINDOW_MS)).resolves.toBeUndefined();
    await expect(
      log.append(TOPIC, [logMessage(3, { ...message, id: "3" })]),
    ).resolves.toMatchObject([{ offset: 2, isRepeated: false }]);
    await expect(log.settle(TOPIC, publicationOf("k"))).resolves.toMatchObject({
      id: "3",
      offset: 2,
    });
  });
});
