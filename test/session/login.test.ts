import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { GatewayError } from "../../src/errors.js";
import { settled } from "../support/fake-clock.js";
import { createWorld, type World } from "../support/world.js";

let world: World;
beforeEach(() => {
  world = createWorld();
});
afterEach(() => world.end());

describe("hello", () => {
  test("is answered by welcome, with what holds from now on", async () => {
    const alice = world.connect();
    await alice.sends({ hello: { clientId: "a1", username: "alice", keepalive: 30 } });
    const [welcome, ...more] = alice.hears();
    expect(welcome).toEqual({
      welcome: {
        clientId: "a1",
        session: expect.stringMatching(/^[0-9a-z]+$/),
        keepalive: 30,
        maxFrameBytes: 65_536,
        server: "exproto-gateway",
      },
    });
    expect(more).toEqual([]);
    expect(world.adapter.timerOf(alice.conn)).toBe(30);
  });

  test("asks for the default keepalive by saying none, and for a day's timer by saying 0", async () => {
    await world.login("a1");
    const patient = await world.login("a2", { keepalive: 0 });
    expect(world.adapter.timerOf("conn-1")).toBe(60);
    expect(world.adapter.timerOf(patient.conn)).toBe(24 * 3600);
  });

  test("gives a client id that names the user to whoever brings none", async () => {
    const client = world.connect();
    await client.sends({ hello: { username: "alice" } });
    expect(client.hears()).toMatchObject([
      { welcome: { clientId: expect.stringMatching(/^alice-[0-9a-z]+$/) } },
    ]);
  });

  test("gives a plain client id where the username can't stand in one", async () => {
    const client = world.connect();
    await client.sends({ hello: { username: "Zoë" } });
    expect(client.hears()).toMatchObject([
      { welcome: { clientId: expect.stringMatching(/^chat-[0-9a-z]+$/) } },
    ]);
  });

  test("is followed by what was sent behind it, in order", async () => {
    const alice = world.connect();
    await alice.sends(
      { hello: { clientId: "a1" } },
      { join: { ref: 1, room: "lobby", echo: true } },
      { say: { ref: 2, room: "lobby", text: "hi" } },
      { ping: { nonce: "x" } },
    );
    expect(alice.hears()).toMatchObject([
      { welcome: {} },
      { ok: { ref: 1 } },
      { message: { room: "lobby", text: "hi", seq: "1" } },
      { ok: { ref: 2 } },
      { pong: { nonce: "x" } },
    ]);
  });

  test("may come only once", async () => {
    const alice = await world.login("a1");
    await alice.sends({ hello: { clientId: "a2" } }, { ping: {} });
    expect(alice.hears()).toMatchObject([{ fail: { code: "ALREADY_WELCOMED" } }, { pong: {} }]);
  });

  test.each([
    ["a client id with a blank", { clientId: "a b" }],
    ["a client id of 65", { clientId: "a".repeat(65) }],
    ["a username that would be a wildcard", { username: "+" }],
    ["a username that would be another topic", { username: "a/b" }],
    ["a username of EMQX's own", { username: "$share" }],
    ["a keepalive over an hour", { keepalive: 3601 }],
  ])("with %s is refused before EMQX hears of it", async (_, hello) => {
    const client = world.connect();
    await client.sends({ hello });
    expect(client.hears()).toMatchObject([{ bye: { code: "BAD_REQUEST" } }]);
    expect(client.isOpen).toBe(false);
    expect(world.adapter.calls).not.toContain(`authenticate ${client.conn}`);
  });

  test("with a wrong password ends the connection", async () => {
    world.adapter.passwords.set("alice", "secret");
    const client = world.connect();
    await client.sends({ hello: { username: "alice", password: "guess" } });
    expect(client.hears()).toMatchObject([{ bye: { code: "UNAUTHENTICATED" } }]);
    expect(client.isOpen).toBe(false);
  });

  test("must come within 10 s", async () => {
    const client = world.connect();
    await client.sendsBytes("{");
    await world.clock.advance(9_999);
    expect(client.isOpen).toBe(true);
    await world.clock.advance(1);
    expect(client.hears()).toEqual([
      { bye: { code: "IDLE_TIMEOUT", reason: "no hello within 10 s; say it first" } },
    ]);
    expect(client.isOpen).toBe(false);
  });

  test("that never came has EMQX's timer as well, in case our Close is lost", async () => {
    const client = world.connect();
    await settled();
    expect(world.adapter.timerOf(client.conn)).toBe(7);
  });

  test("that EMQX does not answer ends with UNAVAILABLE, and drops no session", async () => {
    world.adapter.before("authenticate", () => new Promise(() => undefined));
    const client = world.connect();
    await client.sends({ hello: { clientId: "a1" } });
    await world.clock.advance(10_000);
    expect(client.hears()).toEqual([]);
    world.adapter.hangUp(client.conn);
    await settled();
  });

  test.each(["join", "leave", "say", "who", "ping", "ack", "history"])(
    "must come before %s",
    async (command) => {
      const client = world.connect();
      await client.sends({ [command]: { room: "lobby" } });
      expect(client.hears()).toMatchObject([{ bye: { code: "NOT_WELCOMED" } }]);
      expect(client.isOpen).toBe(false);
    },
  );

  test("is told what is wrong when the store is away", async () => {
    world.sessions.take = () =>
      Promise.reject(new GatewayError("UNAVAILABLE", "the store is away"));
    const client = world.connect();
    await client.sends({ hello: { clientId: "a1" } });
    expect(client.hears()).toEqual([
      { bye: { code: "UNAVAILABLE", reason: "the store is away", retryAfterMs: 2000 } },
    ]);
  });
});

describe("a second connection of a client id", () => {
  test("takes over, and the first one's end harms it in no way", async () => {
    const old = await world.login("a1", { username: "alice" });
    await old.sends({ join: { room: "lobby" } });
    const fresh = await world.login("a1", { username: "alice" });
    expect(old.isOpen).toBe(false);
    await fresh.sends({ join: { ref: 1, room: "lobby" } }, { who: { ref: 2, room: "lobby" } });
    expect(fresh.hears()).toMatchObject([
      { ok: { ref: 1 } },
      { members: { ref: 2, members: [{ clientId: "a1", username: "alice" }] } },
    ]);
  });

  test("at another EMQX is told the older one by TAKEN_OVER, at its next write", async () => {
    const other = createWorld({
      sessions: world.sessions,
      presenceStore: world.presenceStore,
      clock: world.clock,
    });
    const old = await world.login("a1");
    const fresh = await other.login("a1");
    await old.sends({ join: { ref: 1, room: "lobby" } });
    expect(old.hears()).toMatchObject([{ bye: { code: "TAKEN_OVER" } }]);
    expect(old.isOpen).toBe(false);
    expect(fresh.isOpen).toBe(true);
    await fresh.sends({ join: { ref: 1, room: "lobby" } });
    expect(fresh.hears()).toMatchObject([{ ok: { ref: 1 } }]);
    await other.end();
  });
});
