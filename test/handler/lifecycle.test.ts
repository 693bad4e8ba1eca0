import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { createChatProtocol, defaultChatOptions } from "../../src/chat.js";
import type { Protocol } from "../../src/protocol.js";
import { settled } from "../support/fake-clock.js";
import { createWorld, type World } from "../support/world.js";

let world: World;
beforeEach(() => {
  world = createWorld();
});
afterEach(() => world.end());

describe("EMQX's keepalive timer", () => {
  test("is answered by bye", async () => {
    const alice = await world.login("a1");
    world.adapter.door?.apply(alice.conn, { kind: "timer" });
    await settled();
    expect(alice.hears()).toMatchObject([{ bye: { code: "IDLE_TIMEOUT" } }]);
  });

  test("that does not end a silent connection is made up for", async () => {
    const alice = await world.login("a1", { keepalive: 20 });
    world.registry.start();
    await world.clock.advance(60_000);
    expect(alice.isOpen).toBe(true);
    await world.clock.advance(15_000);
    expect(alice.isOpen).toBe(false);
    expect(world.registry.size).toBe(0);
    expect(world.complaints).toEqual(["EMQX has not ended a silent connection"]);
  });
});

describe("a connection whose OnSocketClosed was lost", () => {
  test("is found by a probe, and its rooms are left", async () => {
    const alice = await world.login("a1", { keepalive: 3600 });
    const bob = await world.login("b1", { keepalive: 3600 });
    await alice.sends({ join: { room: "lobby" } });
    await bob.sends({ join: { room: "lobby", presence: true } });
    world.adapter.vanish(alice.conn);
    world.registry.start();
    await world.clock.advance(120_000);
    expect(world.registry.size).toBe(2);
    await world.clock.advance(30_000);
    expect(world.registry.size).toBe(1);
    expect(bob.hears()).toMatchObject([{ presence: { event: "LEFT", clientId: "a1" } }]);
  });

  test("after our own Close is given up after a while", async () => {
    const alice = await world.login("a1");
    world.adapter.before("close", (conn) => {
      world.adapter.vanish(conn);
      return new Promise(() => undefined);
    });
    await alice.sends({ bye: {} });
    expect(world.registry.size).toBe(1);
    world.registry.start();
    await world.clock.advance(45_000);
    expect(world.registry.size).toBe(0);
  });
});

describe("a connection that this process does not know", () => {
  const bytes = { kind: "bytes", bytes: Buffer.from("{") } as const;

  test("is closed with a bye in the encoding that was noted", async () => {
    const { door } = world.adapter;
    world.adapter.door = undefined;
    const conn = world.adapter.connect();
    await world.sessions.note(conn, "ndjson");
    door?.apply(conn, bytes);
    door?.apply(conn, bytes);
    await settled();
    expect(JSON.parse(Buffer.from(world.adapter.taken(conn)).toString())).toEqual({
      bye: { code: "UNAVAILABLE", reason: "the gateway was restarted; come back" },
    });
    expect(world.adapter.calls).toEqual([`send ${conn}`, `close ${conn}`]);
    expect(await world.sessions.noteOf(conn)).toBeUndefined();
  });

  test("is closed without one where nothing was noted", async () => {
    const { door } = world.adapter;
    world.adapter.door = undefined;
    const conn = world.adapter.connect();
    door?.apply(conn, bytes);
    await settled();
    expect(world.adapter.calls).toEqual([`close ${conn}`]);
  });

  test("is left alone when it only says that it has closed", async () => {
    world.adapter.door?.apply("conn-x", { kind: "closed", reason: "" });
    await settled();
    expect(world.adapter.calls).toEqual([]);
  });

  test("is no connection that has just ended", async () => {
    const alice = await world.login("a1");
    await alice.hangsUp();
    const before = world.adapter.calls.length;
    await alice.sends({ ping: {} });
    expect(world.adapter.calls).toHaveLength(before);
  });
});

test("a note goes with its connection", async () => {
  const alice = await world.login("a1");
  expect(await world.sessions.noteOf(alice.conn)).toBe("ndjson");
  await alice.hangsUp();
  expect(await world.sessions.noteOf(alice.conn)).toBeUndefined();
});

describe("a gateway that stops", () => {
  test("says when to come back, each client another time, and takes nobody more", async () => {
    const clients = [await world.login("a1"), await world.login("b1")];
    await world.registry.shutdown(1000);
    const byes = clients.map((client) => client.hears());
    for (const heard of byes) {
      expect(heard).toMatchObject([{ bye: { code: "SHUTTING_DOWN" } }]);
    }
    const late = world.connect();
    await settled();
    expect(late.isOpen).toBe(false);
  });

  test("waits no longer than its deadline", async () => {
    await world.login("a1");
    world.adapter.before("send", () => new Promise(() => undefined));
    const stopped = world.registry.shutdown(1000);
    await world.clock.advance(1000);
    await stopped;
    expect(world.registry.size).toBe(0);
  });
});

describe("a bug in a protocol", () => {
  function buggy(when: string): Protocol {
    const chat = createChatProtocol(defaultChatOptions);
    return {
      ...chat,
      accept(link) {
        const inner = chat.accept(link);
        return {
          get pendingBytes() {
            return inner.pendingBytes;
          },
          handle(event, now) {
            if (event.kind === "bytes" && Buffer.from(event.bytes).includes(when)) {
              throw new Error("a bug");
            }
            return inner.handle(event, now);
          },
        };
      },
    };
  }

  test("closes its connection with INTERNAL, and no other", async () => {
    const other = createWorld({ protocol: buggy("boom") });
    const alice = await other.login("a1");
    const bob = await other.login("b1");
    await alice.sends({ ping: { nonce: "boom" } });
    expect(alice.hears()).toMatchObject([{ bye: { code: "INTERNAL" } }]);
    expect(alice.isOpen).toBe(false);
    await bob.sends({ ping: {} });
    expect(bob.hears()).toEqual([{ pong: {} }]);
    expect(other.complaints).toEqual(["a bug in the protocol"]);
    await other.end();
  });
});

describe("presence", () => {
  test("goes on after the store has lost it", async () => {
    const alice = await world.login("a1");
    await world.presence.start();
    await alice.sends({ join: { room: "lobby" } });
    await world.clock.advance(5_000);
    const { renew } = world.presenceStore;
    const joins: string[] = [];
    const { join } = world.presenceStore;
    world.presenceStore.join = (gateway, entry) => {
      joins.push(entry.clientId);
      return join.call(world.presenceStore, gateway, entry);
    };
    world.presenceStore.renew = () => Promise.resolve(false);
    await world.presence.beat();
    world.presenceStore.renew = renew;
    expect(joins).toEqual(["a1"]);
  });

  test("of a gateway that has crashed ends with its lease, and is told", async () => {
    const other = createWorld({
      sessions: world.sessions,
      presenceStore: world.presenceStore,
      clock: world.clock,
    });
    await world.presence.start();
    // The other one never renews its lease.
    const ghost = await other.login("g1");
    await ghost.sends({ join: { room: "lobby" } });
    const alice = await world.login("a1", { keepalive: 3600 });
    await alice.sends({ join: { room: "lobby", presence: true } }, { who: { room: "lobby" } });
    expect(alice.hears()).toMatchObject([
      { members: { members: [{ clientId: "a1" }, { clientId: "g1" }] } },
    ]);
    await world.clock.advance(41_000);
    await alice.sends({ who: { room: "lobby" } });
    expect(alice.hears()).toMatchObject([
      { presence: { event: "LEFT", clientId: "g1" } },
      { members: { members: [{ clientId: "a1" }] } },
    ]);
    await other.end();
  });
});
