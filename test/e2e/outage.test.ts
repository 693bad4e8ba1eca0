/** What a client sees when a part behind it goes away and comes back. */
import { afterEach, describe, expect, test } from "@jest/globals";
import { silentLogger } from "../../src/logger.js";
import { createRedisStores, type RedisStores } from "../../src/store/index.js";
import { eventually } from "../support/eventually.js";
import { startRedisServer, type RedisServer } from "../support/redis-server.js";
import { startStack, type Stack } from "../support/stack.js";

let stack: Stack | undefined;
let redis: RedisServer | undefined;
let stores: RedisStores | undefined;
afterEach(async () => {
  await stack?.end();
  await stores?.close();
  await redis?.close();
  stack = redis = stores = undefined;
});

describe("EMQX's adapter goes away and comes back", () => {
  test("what was said meanwhile fails, and is told so", async () => {
    stack = await startStack();
    const alice = await stack.member("alice", "lobby");
    const bob = await stack.member("bob", "lobby");
    await stack.host.adapter.stop();
    alice.sends({ say: { ref: 7, room: "lobby", text: "lost?" } });
    // The answer waits for the way to the client.
    await eventually("a frame waits to be sent", () => (stack?.gateway.stats().heldBytes ?? 0) > 0);
    await stack.host.adapter.start();
    expect(await alice.hears("fail")).toMatchObject({ ref: 7, code: "UNAVAILABLE" });
    alice.sends({ say: { ref: 8, room: "lobby", text: "again" } });
    expect(await alice.hears("ok")).toEqual({ ref: 8 });
    expect(await bob.hears("message")).toMatchObject({ text: "again" });
  });
});

describe("the gateway goes away and comes back", () => {
  test("in good order: clients are told when to come back", async () => {
    stack = await startStack();
    const alice = await stack.member("alice", "lobby");
    await stack.stopGateway();
    expect(await alice.hears("bye")).toMatchObject({ code: "SHUTTING_DOWN" });
    await alice.isClosed();
    await stack.startGateway();
    const again = await eventually("a new login", () => stack?.member("alice", "lobby"));
    again.sends({ say: { ref: 2, room: "lobby", text: "x" } });
    expect(await again.hears("ok")).toEqual({ ref: 2 });
  });
});

describe("Redis goes away and comes back", () => {
  async function startOnRedis(): Promise<RedisServer> {
    const server = await startRedisServer();
    redis = server;
    stores = createRedisStores({ url: server.url, logger: silentLogger, commandTimeoutMs: 500 });
    await eventually("the stores are ready", () => stores?.ready());
    stack = await startStack({
      gateway: { sessions: stores.sessions, presence: stores.presence, presenceLeaseMs: 900 },
    });
    return server;
  }

  test("connections stay, messages flow, and what needs the store says so until it heals", async () => {
    const server = await startOnRedis();
    const alice = await stack!.member("alice", "lobby");
    const bob = await stack!.member("bob", "lobby");
    await server.stop();

    alice.sends({ say: { ref: 2, room: "lobby", text: "still here", qos: 0 } });
    expect(await alice.hears("ok")).toEqual({ ref: 2 });
    expect(await bob.hears("message")).toMatchObject({ text: "still here" });
    alice.sends({ join: { ref: 3, room: "den" } }, { who: { ref: 4, room: "lobby" } });
    expect(await alice.hears("fail")).toMatchObject({ ref: 3, code: "UNAVAILABLE" });
    expect(await alice.hears("fail")).toMatchObject({ ref: 4, code: "UNAVAILABLE" });
    const late = await stack!.ndjson();
    late.sends({ hello: { clientId: "late" } });
    expect(await late.hears("bye")).toMatchObject({ code: "UNAVAILABLE" });

    // It comes back empty: nothing was kept.
    await server.restart();
    await eventually(
      "alice can join",
      async () => "ok" in (await alice.asks("join", { room: "den" })),
    );
    await eventually("both are in the list again", async () => {
      const { members } = await alice.asks("who", { room: "lobby" });
      return JSON.stringify(members).match(/clientId/g)?.length === 2;
    });
  });
});
