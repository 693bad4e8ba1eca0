/** What the Redis stores leave behind, step by step: slots, crashes in between, lost and damaged data. */
import { randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { GatewayError } from "../../../src/errors.js";
import { silentLogger } from "../../../src/logger.js";
import type { PresenceStore } from "../../../src/store/presence-store.js";
import { createRedisConnection } from "../../../src/store/redis/connection.js";
import type { RedisConnection } from "../../../src/store/redis/connection.js";
import { createKeys } from "../../../src/store/redis/keys.js";
import type { Keys } from "../../../src/store/redis/keys.js";
import { createRedisMqttClientStore } from "../../../src/store/redis/mqtt-client-store.js";
import { createRedisPresenceStore } from "../../../src/store/redis/presence-store.js";
import { scripts } from "../../../src/store/redis/scripts.js";
import { createRedisSessionStore } from "../../../src/store/redis/session-store.js";
import type { SessionStore } from "../../../src/store/session-store.js";
import { eventually } from "../../support/eventually.js";
import { startRedisServer } from "../../support/redis-server.js";
import type { RedisServer } from "../../support/redis-server.js";
import { age } from "../harness.js";
import { presenceEntry } from "../presence-store.contract.js";
import { sessionRecord } from "../session-store.contract.js";

const LEASE_MS = 600_000;

let server: RedisServer;
let connection: RedisConnection;
let prefix: string;
let keys: Keys;
let sessions: SessionStore;
let presence: PresenceStore;

beforeAll(async () => {
  server = await startRedisServer({ cluster: true });
  connection = createRedisConnection({ url: server.url, mode: "cluster", logger: silentLogger });
  await eventually("ready", () => connection.ready());
}, 30_000);
afterAll(async () => {
  await connection.close();
  await server.close();
});

beforeEach(() => {
  prefix = `${randomUUID()}:`;
  keys = createKeys(prefix);
  const options = { connection, keys, logger: silentLogger };
  sessions = createRedisSessionStore(options);
  presence = createRedisPresenceStore(options);
});
afterEach(() => server.admin.flushall());

/** The keys there are, without the prefix. */
async function keysLeft(): Promise<readonly string[]> {
  const found = await server.admin.keys(`${prefix}*`);
  return found.map((key) => key.slice(prefix.length)).sort();
}

/** A connection that carries out `count` calls and is dead from then on, as its process would be. */
function dyingAfter(count: number): RedisConnection {
  let left = count;
  function live(): void {
    if (left === 0) throw new GatewayError("UNAVAILABLE", "crashed");
    left -= 1;
  }
  return {
    ...connection,
    command(...args) {
      live();
      return connection.command(...args);
    },
    run(...args) {
      live();
      return connection.run(...args);
    },
  };
}

function presenceOver(other: RedisConnection): PresenceStore {
  return createRedisPresenceStore({ connection: other, keys, logger: silentLogger });
}

test("every script is used, and keeps to the keys of one slot", async () => {
  const used = new Map<string, readonly string[]>();
  const recording: RedisConnection = {
    ...connection,
    run(script, scriptKeys, args) {
      used.set(script.name, scriptKeys);
      return connection.run(script, scriptKeys, args);
    },
  };
  const store = createRedisSessionStore({ connection: recording, keys, logger: silentLogger });
  const { epoch } = await store.take("alice", "al");
  await store.save(sessionRecord({ epoch }));
  await store.release("alice", epoch);
  const rooms = presenceOver(recording);
  await rooms.join("g1", presenceEntry());
  await rooms.list("lobby");
  await rooms.reap();
  const clients = createRedisMqttClientStore({ connection: recording, keys, logger: silentLogger });
  const name = { protocol: "mqtt", clientId: "m1" };
  const record = {
    ...name,
    username: "",
    node: "n",
    peer: "p",
    phase: "away",
    rooms: [],
    before: [],
  } as const;
  await expect(clients.replace(name, undefined, record, 60)).resolves.toBe(true);

  expect([...used.keys()].sort()).toEqual(
    Object.values(scripts)
      .map(({ name }) => name)
      .sort(),
  );
  for (const [name, scriptKeys] of used) {
    const slots = await Promise.all(
      scriptKeys.map((key) => server.admin.call("cluster", "keyslot", key)),
    );
    expect([name, new Set(slots).size]).toEqual([name, 1]);
  }
});

test.each(Object.values(scripts).map((script) => [script.name, script] as const))(
  "%s says its keys, its arguments and its reply",
  (_name, { source }) => {
    const header = source.slice(0, source.indexOf("\n\n"));
    const named = [...source.matchAll(/(KEYS|ARGV)\[(\d+)\]/g)].map(([text]) => text);
    for (const name of named) expect(header).toContain(name);
    expect(header).toContain("-- Returns ");
  },
);

describe("a session", () => {
  test("that was dropped leaves its fence only, and that for a day", async () => {
    const { epoch } = await sessions.take("alice", "al");
    await sessions.save(sessionRecord({ epoch }));
    await sessions.drop("alice", epoch);
    expect(await keysLeft()).toEqual(["{s:alice}:epoch"]);
    await age(server.admin, prefix, 24 * 3600 * 1000);
    expect(await keysLeft()).toEqual([]);
  });

  test("that is kept for longer than the fence is fenced as long", async () => {
    const { epoch } = await sessions.take("alice", "al");
    const record = sessionRecord({ epoch, expirySeconds: 5 * 24 * 3600 });
    await sessions.save(record);
    await sessions.release("alice", epoch);
    await age(server.admin, prefix, 4 * 24 * 3600 * 1000);
    await expect(sessions.save(record)).resolves.toBe(false);
  });

  test.each([
    ["no JSON", "{"],
    ["another shape", JSON.stringify({ session: "s" })],
    ["a field of another type", JSON.stringify({ ...sessionRecord(), rooms: [], seq: "7" })],
    ["null", "null"],
  ])("that can't be read (%s) counts as absent, with a warning", async (_name, data) => {
    const warnings: object[] = [];
    const logger = { ...silentLogger, warn: (fields: object) => void warnings.push(fields) };
    const store = createRedisSessionStore({ connection, keys, logger });
    const { epoch } = await store.take("alice", "al");
    await store.save(sessionRecord({ epoch }));
    await server.admin.hset(keys.session("alice").record, "data", data);
    await expect(store.take("alice", "al")).resolves.toEqual({
      epoch: expect.any(Number),
    });
    expect(warnings).toEqual([{ clientId: "alice" }]);
  });

  test("under a key that holds something else is a bug, and said to be one", async () => {
    await server.admin.set(keys.session("alice").record, "what");
    await expect(sessions.take("alice", "al")).rejects.toMatchObject({ code: "INTERNAL" });
  });
});

describe("presence", () => {
  const leftOver = ["gateways", "{g:g1}:generation"];

  async function letLeaseRunOut(): Promise<void> {
    await age(server.admin, prefix, LEASE_MS);
  }

  test("leaves nothing behind when all have left", async () => {
    await presence.renew("g1", LEASE_MS);
    await presence.join("g1", presenceEntry());
    await presence.leave("g1", "lobby", "i-1");
    expect(await keysLeft()).toEqual([...leftOver, "{g:g1}:lease"]);
    await presence.retire("g1");
    expect(await keysLeft()).toEqual(leftOver);
  });

  test.each([
    ["with a lease", 2],
    ["without a lease", 4],
  ])("a crash at any step of a join %s is mended by reaping", async (lease, steps) => {
    for (let count = 0; count <= steps; count++) {
      if (lease === "with a lease") await presence.renew("g1", LEASE_MS);
      await presenceOver(dyingAfter(count))
        .join("g1", presenceEntry())
        .catch(() => undefined);
      await letLeaseRunOut();
      await expect(presence.reap()).resolves.toHaveLength(count === steps ? 1 : 0);
      expect((await keysLeft()).filter((key) => !leftOver.includes(key))).toEqual([]);
    }
  });

  test.each([0, 1, 2])("a crash after %i steps of a leave is mended by reaping", async (count) => {
    await presence.renew("g1", LEASE_MS);
    await presence.join("g1", presenceEntry());
    const left = await presenceOver(dyingAfter(count))
      .leave("g1", "lobby", "i-1")
      .catch(() => undefined);
    await letLeaseRunOut();
    const reaped = await presence.reap();
    // By the one or by the other, and once.
    expect([left !== undefined, reaped.length]).toEqual(count === 0 ? [false, 1] : [true, 0]);
    expect(await keysLeft()).toEqual(leftOver);
  });

  test.each([0, 1, 2, 3, 4, 5, 6, 7, 8])(
    "a reaper's crash after %i steps is mended by the next one, and nobody is told twice",
    async (count) => {
      const entries = ["r1", "r2", "r3"].map((room) => presenceEntry({ room }));
      await presence.renew("g1", LEASE_MS);
      for (const entry of entries) await presence.join("g1", entry);
      await letLeaseRunOut();
      const first = await presenceOver(dyingAfter(count))
        .reap()
        .catch(() => []);
      const second = await presence.reap();
      expect(new Set([...first, ...second])).toEqual(new Set(entries));
      expect([...first, ...second]).toHaveLength(entries.length);
      expect(await keysLeft()).toEqual(leftOver);
    },
  );

  test.each([scripts.presenceRemove.name, scripts.presenceUnregister.name])(
    "a gateway that comes back just before its reaper's %s keeps its entry, and is reaped again later",
    async (name) => {
      await presence.renew("g1", LEASE_MS);
      await presence.join("g1", presenceEntry());
      await letLeaseRunOut();
      const joined: boolean[] = [];
      const interrupted: RedisConnection = {
        ...connection,
        async run(script, scriptKeys, args) {
          if (script.name === name) {
            await presence.renew("g1", LEASE_MS);
            joined.push(await presence.join("g1", presenceEntry()));
          }
          return connection.run(script, scriptKeys, args);
        },
      };
      const departed = await presenceOver(interrupted).reap();
      expect(joined).toEqual([departed.length === 1]);
      await expect(presence.list("lobby")).resolves.toHaveLength(1);
      await letLeaseRunOut();
      await expect(presence.reap()).resolves.toEqual([presenceEntry()]);
    },
  );

  test("an entry that its gateway's side has lost is found by list, and reaped", async () => {
    await presence.renew("g1", LEASE_MS);
    await presence.join("g1", presenceEntry());
    for (const key of [keys.gateway("g1").entries, keys.gateways]) await server.admin.del(key);
    await letLeaseRunOut();
    await expect(presence.reap()).resolves.toEqual([]);
    await expect(presence.list("lobby")).resolves.toEqual([]);
    await expect(presence.reap()).resolves.toEqual([presenceEntry()]);
    expect(await keysLeft()).toEqual(leftOver);
  });

  test("a gateway is forgotten when it was not seen for a day and has nothing left", async () => {
    await presence.renew("g1", LEASE_MS);
    await presence.renew("g2", LEASE_MS);
    await presence.join("g2", presenceEntry());
    await letLeaseRunOut();
    await server.admin.zadd(keys.gateways, 1, "g1", 1, "g2");
    await expect(presence.reap()).resolves.toEqual([presenceEntry()]);
    await expect(server.admin.exists(keys.gateways)).resolves.toBe(0);
  });

  test("a gateway with more entries than a page is reaped whole", async () => {
    await presence.renew("g1", LEASE_MS);
    const entries = Array.from({ length: 2_000 }, (_, i) =>
      presenceEntry({ room: `r-${i % 50}`, instance: `i-${i}`, clientId: `c-${i}` }),
    );
    await Promise.all(entries.map((entry) => presence.join("g1", entry)));
    await expect(presence.retire("g1")).resolves.toHaveLength(entries.length);
    expect(await keysLeft()).toEqual(leftOver);
  });

  test.each([
    ["no JSON", "{"],
    ["a number", "7"],
    ["another shape", JSON.stringify({ clientId: "alice" })],
  ])(
    "an entry that can't be read (%s) is left out, and reaped in silence",
    async (_name, value) => {
      await presence.renew("g1", LEASE_MS);
      await presence.join("g1", presenceEntry());
      await presence.join("g1", presenceEntry({ clientId: "bob", instance: "b" }));
      await server.admin.hset(keys.room("lobby").entries, JSON.stringify(["g1", "b"]), value);
      await expect(presence.list("lobby")).resolves.toMatchObject([{ clientId: "alice" }]);
      await expect(presence.retire("g1")).resolves.toEqual([presenceEntry()]);
      await expect(server.admin.exists(keys.room("lobby").entries)).resolves.toBe(0);
    },
  );
});
