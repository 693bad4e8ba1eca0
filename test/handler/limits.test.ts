import { afterEach, describe, expect, test } from "@jest/globals";
import { GatewayError } from "../../src/errors.js";
import { settled } from "../support/fake-clock.js";
import { createWorld, type World, type WorldOptions } from "../support/world.js";

let world: World;
const start = (options?: WorldOptions) => (world = createWorld(options));
afterEach(() => world.end());

const rate = { framesPerSecond: 10, frameBurst: 5, bytesPerSecond: 1000, byteBurst: 2000 };

describe("who sends too many frames", () => {
  test("is told to slow down, and when to go on", async () => {
    start({ chat: { rate } });
    const alice = await world.login("a1");
    await alice.sends(...Array.from({ length: 6 }, () => ({ ping: {} })));
    const pongs = Array.from({ length: 4 }, () => ({ pong: {} }));
    expect(alice.hears()).toMatchObject([
      ...pongs,
      { fail: { code: "RATE_LIMITED", retryAfterMs: 100 } },
      { fail: { code: "RATE_LIMITED", retryAfterMs: 100 } },
    ]);
    await world.clock.advance(100);
    await alice.sends({ ping: {} });
    expect(alice.hears()).toEqual([{ pong: {} }]);
  });

  test("and goes on regardless is closed", async () => {
    start({ chat: { rate } });
    const alice = await world.login("a1");
    await alice.sends(...Array.from({ length: 20 }, () => ({ ping: {} })));
    const heard = alice.hears();
    expect(heard.filter((frame) => "pong" in frame)).toHaveLength(4);
    expect(heard.filter((frame) => "fail" in frame)).toHaveLength(5);
    expect(heard.at(-1)).toMatchObject({ bye: { code: "RATE_LIMITED" } });
    expect(alice.isOpen).toBe(false);
  });

  test("and goes on at many times the rate is closed, though some are accepted in between", async () => {
    start({ chat: { rate } });
    const alice = await world.login("a1");
    const heard: object[] = [];
    for (let tenths = 0; tenths < 20 && alice.isOpen; tenths += 1) {
      await alice.sends(...Array.from({ length: 4 }, () => ({ ping: {} })));
      heard.push(...alice.hears());
      await world.clock.advance(100);
    }
    expect(alice.isOpen).toBe(false);
    expect(heard.at(-1)).toMatchObject({ bye: { code: "RATE_LIMITED" } });
    // More than the burst: it had been refused and accepted by turns.
    expect(heard.filter((frame) => "pong" in frame).length).toBeGreaterThan(4);
  });

  test("now and then is told so each time, and stays", async () => {
    start({ chat: { rate } });
    const alice = await world.login("a1");
    for (let round = 0; round < 10; round += 1) {
      await world.clock.advance(1000);
      await alice.sends(...Array.from({ length: 8 }, () => ({ ping: {} })));
      const heard = alice.hears();
      expect(heard.filter((frame) => "pong" in frame)).toHaveLength(5);
      expect(heard.filter((frame) => "fail" in frame)).toHaveLength(3);
    }
    expect(alice.isOpen).toBe(true);
  });

  test.each([
    ["frames", () => Array.from({ length: 7 }, () => ({ ping: {} }))],
    ["bytes", () => [{ ping: { nonce: "x", pad: "y".repeat(2500) } }]],
  ])("is let go when it says bye, whatever it owes in %s", async (_, frames) => {
    start({ chat: { rate } });
    const alice = await world.login("a1");
    await alice.sends(...frames());
    expect(alice.hears().at(-1)).toMatchObject({ fail: { code: "RATE_LIMITED" } });
    await alice.sends({ bye: {} });
    expect(alice.hears()).toEqual([]);
    expect(alice.isOpen).toBe(false);
    expect((await world.sessions.take("a1", "")).previous).toBeUndefined();
  });

  test("has room for the dearest command in the smallest burst that may be configured", async () => {
    start({ chat: { rate: { ...rate, frameBurst: 2 } } });
    const alice = await world.login("a1");
    await world.clock.advance(1000);
    await alice.sends({ join: { ref: 1, room: "lobby" } });
    expect(alice.hears()).toEqual([{ ok: { ref: 1 } }]);
  });
});

describe("who sends too many bytes", () => {
  test("is told to slow down, then closed", async () => {
    start({ chat: { rate } });
    const alice = await world.login("a1");
    const big = { ping: { nonce: "x", pad: "y".repeat(1990) } };
    await alice.sends(big);
    await alice.sends({ ping: {} });
    const refused = { fail: { code: "RATE_LIMITED" } };
    expect(alice.hears()).toMatchObject([refused, refused]);
    await alice.sends(big);
    expect(alice.hears()).toMatchObject([{ bye: { code: "RATE_LIMITED" } }]);
  });

  test("is closed though no frame ever comes of them", async () => {
    start({ chat: { rate } });
    const client = world.connect();
    await client.sendsBytes("{");
    for (let i = 0; i < 5; i += 1) await client.sendsBytes(" \n".repeat(500));
    expect(client.isOpen).toBe(false);
  });
});

describe("who does not wait for answers", () => {
  test("is closed when too much waits to be carried out", async () => {
    start({ chat: { maxBacklogBytes: 10_000 } });
    const alice = await world.login("a1");
    await alice.sends({ join: { room: "lobby" } });
    world.adapter.before("publish", () => new Promise(() => undefined));
    const say = { say: { room: "lobby", text: "x".repeat(1000) } };
    for (let i = 0; i < 9; i += 1) await alice.sends(say);
    expect(alice.isOpen).toBe(true);
    await alice.sends(say, say, say);
    world.adapter.hangUp(alice.conn);
    await settled();
    expect(world.registry.heldBytes).toBe(0);
  });
});

describe("who does not take what it is sent", () => {
  test("is closed with SLOW_CONSUMER, and what waits is dropped", async () => {
    start({ limits: { maxUnsentBytes: 10_000 } });
    const alice = await world.login("a1");
    await alice.sends({ join: { room: "lobby" } });
    let release = (): void => undefined;
    world.adapter.before("send", () => new Promise((resolve) => (release = resolve)));
    for (let i = 0; i < 12; i += 1) {
      void world.adapter.publishes("chat/room/lobby", "x".repeat(1000));
      await settled();
    }
    expect(world.registry.heldBytes).toBeGreaterThan(10_000);
    world.adapter.before("send", () => undefined);
    release();
    await settled();
    expect(alice.hears().at(-1)).toMatchObject({ bye: { code: "SLOW_CONSUMER" } });
    expect(alice.isOpen).toBe(false);
    expect(world.registry.heldBytes).toBe(0);
  });

  test("gets what gathers while a Send is in flight as one Send", async () => {
    start();
    const alice = await world.login("a1");
    await alice.sends({ join: { room: "lobby" } });
    let release = (): void => undefined;
    world.adapter.before("send", () => new Promise((resolve) => (release = resolve)));
    for (let i = 0; i < 100; i += 1) void world.adapter.publishes("chat/room/lobby", String(i));
    await settled();
    world.adapter.before("send", () => undefined);
    const before = world.adapter.calls.length;
    release();
    await settled();
    expect(alice.hears()).toHaveLength(100);
    expect(world.adapter.calls.slice(before)).toEqual([`send ${alice.conn}`]);
  });
});

describe("a gateway that holds too much", () => {
  test("closes whoever makes it more", async () => {
    start({ limits: { maxHeldBytes: 1000 } });
    const alice = await world.login("a1");
    await alice.sendsBytes(`{"ping":{"nonce":"${"x".repeat(1000)}`);
    expect(alice.hears()).toMatchObject([{ bye: { code: "UNAVAILABLE" } }]);
    expect(alice.isOpen).toBe(false);
  });

  test("takes no more connections than it may", async () => {
    start({ limits: { maxConnections: 1 } });
    const alice = await world.login("a1");
    const bob = world.connect();
    await settled();
    expect(bob.isOpen).toBe(false);
    await alice.hangsUp();
    expect((await world.login("b1")).isOpen).toBe(true);
  });
});

describe("a Send that fails", () => {
  test("closes the connection: its stream has a hole", async () => {
    start();
    const alice = await world.login("a1");
    await alice.sends({ join: { room: "lobby" } });
    world.adapter.before("send", () => Promise.reject(new GatewayError("UNAVAILABLE", "away")));
    void world.adapter.publishes("chat/room/lobby", "x");
    await settled();
    expect(alice.isOpen).toBe(false);
    expect(world.registry.size).toBe(0);
  });
});
