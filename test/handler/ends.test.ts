/** However a connection ends, nothing of it is left: not at EMQX, not in a store, not here. */
import { afterEach, describe, expect, test } from "@jest/globals";
import { GatewayError } from "../../src/errors.js";
import { createMemorySessionStore } from "../../src/store/index.js";
import { createFakeClock, settled } from "../support/fake-clock.js";
import { createWorld, type World, type WorldOptions } from "../support/world.js";

let world: World;
const start = (options?: WorldOptions) => (world = createWorld(options));
afterEach(() => world.end());

/** Makes the calls fail until it is called. */
function takeAway(...calls: readonly ("send" | "close")[]): () => void {
  let isAway = true;
  for (const call of calls) {
    world.adapter.before(call, () => {
      if (isAway) throw new GatewayError("UNAVAILABLE", "the broker is away");
    });
  }
  return () => (isAway = false);
}

describe("a Close that did not get through", () => {
  test("after a Send that failed is made good at the client's next byte", async () => {
    start();
    const alice = await world.login("a1");
    const bringBack = takeAway("send", "close");
    await alice.sends({ ping: {} });
    expect(world.registry.size).toBe(0);
    expect(alice.isOpen).toBe(true);
    bringBack();
    await alice.sends({ ping: {} });
    expect(alice.isOpen).toBe(false);
  });

  test("of an orphan is made good at its next byte", async () => {
    start();
    const { door } = world.adapter;
    world.adapter.door = undefined;
    const conn = world.adapter.connect();
    world.adapter.door = door;
    const bringBack = takeAway("close");
    door?.apply(conn, { kind: "bytes", bytes: Buffer.from("x") });
    await settled();
    bringBack();
    door?.apply(conn, { kind: "bytes", bytes: Buffer.from("y") });
    await settled();
    expect(world.adapter.isOpen(conn)).toBe(false);
  });

  test("is tried again by the sweep", async () => {
    start();
    const alice = await world.login("a1");
    world.registry.start();
    const bringBack = takeAway("close");
    await alice.sends({ bye: {} });
    bringBack();
    await world.clock.advance(60_000);
    expect(alice.isOpen).toBe(false);
    expect(world.registry.size).toBe(0);
  });

  test("behind a Send that hangs is made directly", async () => {
    start({ limits: { maxUnsentBytes: 1000 } });
    const alice = await world.login("a1");
    world.registry.start();
    await alice.sends({ join: { room: "lobby" } });
    world.adapter.before("send", () => new Promise(() => undefined));
    for (let i = 0; i < 3; i += 1) {
      void world.adapter.publishes("chat/room/lobby", "x".repeat(500));
      await settled();
    }
    await world.clock.advance(60_000);
    expect(alice.isOpen).toBe(false);
    expect(world.registry.size).toBe(0);
    expect(world.registry.heldBytes).toBe(0);
  });
});

test("a probe that EMQX could not answer once ends nothing", async () => {
  start();
  const alice = await world.login("a1", { keepalive: 3600 });
  world.registry.start();
  const bringBack = takeAway("send");
  await world.clock.advance(150_000);
  bringBack();
  expect(alice.isOpen).toBe(true);
  expect(world.complaints).toEqual([]);
});

test("a session that is taken when its connection has gone is given back", async () => {
  const clock = createFakeClock();
  const store = createMemorySessionStore({ clock });
  let answer = (): void => undefined;
  const released: string[] = [];
  start({
    clock,
    sessions: {
      ...store,
      async take(clientId, username) {
        await new Promise<void>((resolve) => (answer = resolve));
        return store.take(clientId, username);
      },
      release(clientId, epoch) {
        released.push(clientId);
        return store.release(clientId, epoch);
      },
    },
  });
  const client = world.connect();
  await client.sends({ hello: { clientId: "a1" } });
  await client.hangsUp();
  answer();
  await settled();
  expect(released).toEqual(["a1"]);
});

test("a protocol that can't even accept a connection costs that connection", async () => {
  start({
    protocol: {
      name: "broken",
      farewell: () => new Uint8Array(),
      accept() {
        throw new Error("a bug");
      },
    },
  });
  const client = world.connect();
  await settled();
  expect(client.isOpen).toBe(false);
  expect(world.complaints).toEqual(["a bug in the handler"]);
});

describe("what waits for a command", () => {
  const stuck = async () => {
    start();
    const alice = await world.login("a1");
    await alice.sends({ join: { room: "lobby" } });
    world.adapter.before("publish", () => new Promise(() => undefined));
    return alice;
  };

  test("counts whole, in however many chunks it came", async () => {
    const alice = await stuck();
    const say = Buffer.from(
      `${JSON.stringify({ say: { room: "lobby", text: "x".repeat(60_000) } })}\n`,
    );
    for (let frame = 0; frame < 5; frame += 1) {
      for (let at = 0; at < say.length; at += 4096) {
        await alice.sendsBytes(say.subarray(at, at + 4096));
      }
    }
    expect(world.registry.heldBytes).toBeGreaterThan(4 * 60_000);
    world.adapter.hangUp(alice.conn);
  });

  test("counts as what it takes here, however small it is on the wire", async () => {
    const alice = await stuck();
    await alice.sends({ say: { room: "lobby", text: "stuck" } });
    const before = world.registry.heldBytes;
    await alice.sendsBytes("{}\n".repeat(1000));
    expect(world.registry.heldBytes - before).toBeGreaterThan(100_000);
    world.adapter.hangUp(alice.conn);
  });
});
