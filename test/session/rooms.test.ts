import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { GatewayError } from "../../src/errors.js";
import { createWorld, type World } from "../support/world.js";

let world: World;
beforeEach(() => {
  world = createWorld({ chat: { maxRooms: 3 } });
});
afterEach(() => world.end());

const away = () => Promise.reject(new GatewayError("UNAVAILABLE", "the store is away"));

describe("join", () => {
  test("brings what others say in the room", async () => {
    const alice = await world.login("a1", { username: "alice" });
    const bob = await world.login("b1");
    await alice.sends({ join: { room: "lobby" } });
    await bob.sends({ join: { room: "lobby" } });
    await alice.sends({ say: { ref: 1, room: "lobby", text: "hi" } });
    expect(alice.hears()).toEqual([{ ok: { ref: 1 } }]);
    expect(bob.hears()).toEqual([
      {
        message: {
          seq: "1",
          room: "lobby",
          id: expect.stringMatching(/^[0-9A-F]{32}$/),
          from: "a1",
          username: "alice",
          text: "hi",
          qos: 1,
          ts: world.clock.now(),
        },
      },
    ]);
  });

  test("is answered when a ref asks for it, and without one only when it fails", async () => {
    const alice = await world.login("a1");
    await alice.sends({ join: { room: "lobby" } }, { join: { ref: 7, room: "den" } });
    expect(alice.hears()).toEqual([{ ok: { ref: 7 } }]);
    await alice.sends({ join: { room: "no/such" } });
    expect(alice.hears()).toMatchObject([{ fail: { code: "BAD_ROOM" } }]);
  });

  test.each(["", "a/b", "+", "#", "$share", "a\u0007", "x".repeat(65), "two words"])(
    "refuses the room %j",
    async (room) => {
      const alice = await world.login("a1");
      await alice.sends({ join: { ref: 1, room } });
      expect(alice.hears()).toMatchObject([{ fail: { ref: 1, code: "BAD_ROOM" } }]);
    },
  );

  test.each(["__proto__", "constructor", "Größe", "広場", "हिन्दी", "a.b-c_d"])(
    "takes the room %j",
    async (room) => {
      const alice = await world.login("a1");
      await alice.sends(
        { leave: { ref: 1, room } },
        { join: { ref: 2, room, echo: true } },
        { say: { room, text: "hi" } },
        { leave: { ref: 3, room } },
      );
      expect(alice.hears()).toMatchObject([
        { fail: { ref: 1, code: "NOT_JOINED" } },
        { ok: { ref: 2 } },
        { message: { room, text: "hi" } },
        { ok: { ref: 3 } },
      ]);
    },
  );

  test("again changes the options, and is no further room", async () => {
    const alice = await world.login("a1");
    for (const room of ["r1", "r2", "r3"]) await alice.sends({ join: { room } });
    await alice.sends({ join: { ref: 1, room: "r1", echo: true, qos: 0 } });
    expect(alice.hears()).toEqual([{ ok: { ref: 1 } }]);
    await alice.sends({ say: { room: "r1", text: "hi" } });
    expect(alice.hears()).toMatchObject([{ message: { text: "hi" } }]);
    await alice.sends({ join: { ref: 2, room: "r4" } });
    expect(alice.hears()).toMatchObject([{ fail: { ref: 2, code: "TOO_MANY_ROOMS" } }]);
  });

  test.each([
    ["qos", { qos: 3 }],
    ["history", { history: 101 }],
  ])("refuses %s out of range", async (_, options) => {
    const alice = await world.login("a1");
    await alice.sends({ join: { ref: 1, room: "lobby", ...options } });
    expect(alice.hears()).toMatchObject([{ fail: { ref: 1, code: "BAD_REQUEST" } }]);
  });

  test("that EMQX does not allow changes nothing", async () => {
    const alice = await world.login("a1");
    world.adapter.before("subscribe", () => {
      throw new GatewayError("FORBIDDEN", "the broker does not allow it");
    });
    await alice.sends({ join: { ref: 1, room: "lobby" } }, { who: { ref: 2, room: "lobby" } });
    expect(alice.hears()).toMatchObject([
      { fail: { ref: 1, code: "FORBIDDEN" } },
      { fail: { ref: 2, code: "NOT_JOINED" } },
    ]);
  });

  test("that the store can't keep is undone at EMQX and in the presence list", async () => {
    const alice = await world.login("a1");
    const bob = await world.login("b1");
    await bob.sends({ join: { room: "lobby" } });
    const { save } = world.sessions;
    world.sessions.save = away;
    await alice.sends({ join: { ref: 1, room: "lobby", presence: true } });
    world.sessions.save = save;
    expect(alice.hears()).toMatchObject([{ fail: { ref: 1, code: "UNAVAILABLE" } }]);
    void world.adapter.publishes("chat/room/lobby", "hi");
    await bob.sends({ who: { ref: 1, room: "lobby" } });
    expect(alice.hears()).toEqual([]);
    expect(bob.hears()).toMatchObject([
      { message: { text: "hi" } },
      { members: { members: [{ clientId: "b1" }] } },
    ]);
  });

  test("again that fails leaves the options as they were", async () => {
    const alice = await world.login("a1");
    await alice.sends({ join: { room: "lobby", echo: true, presence: true } });
    const { save } = world.sessions;
    world.sessions.save = away;
    await alice.sends({ join: { ref: 1, room: "lobby" } });
    world.sessions.save = save;
    await alice.sends({ say: { room: "lobby", text: "still echoed" } });
    const bob = await world.login("b1");
    await bob.sends({ join: { room: "lobby" } });
    expect(alice.hears()).toMatchObject([
      { fail: { ref: 1, code: "UNAVAILABLE" } },
      { message: { text: "still echoed" } },
      { presence: { event: "JOINED", clientId: "b1" } },
    ]);
  });

  test("shows a retained message that EMQX sends before it answers", async () => {
    const alice = await world.login("a1");
    world.adapter.before("subscribe", (conn) => {
      world.adapter.door?.apply(conn, {
        kind: "messages",
        messages: [
          {
            id: "0".repeat(32),
            topic: "chat/room/lobby",
            payload: Buffer.from("kept"),
            qos: 1,
            from: "x",
            timestamp: 1,
          },
        ],
      });
    });
    await alice.sends({ join: { ref: 1, room: "lobby" } });
    expect(alice.hears()).toMatchObject([{ message: { text: "kept" } }, { ok: { ref: 1 } }]);
  });
});

describe("leave", () => {
  test("ends what the room brings", async () => {
    const alice = await world.login("a1");
    await alice.sends(
      { join: { room: "lobby", presence: true } },
      { leave: { ref: 1, room: "lobby" } },
    );
    void world.adapter.publishes("chat/room/lobby", "hi");
    const bob = await world.login("b1");
    await bob.sends({ join: { room: "lobby" } });
    expect(alice.hears()).toEqual([{ ok: { ref: 1 } }]);
  });

  test("needs the room to be joined", async () => {
    const alice = await world.login("a1");
    await alice.sends({ leave: { ref: 1, room: "lobby" } }, { leave: { ref: 2, room: "a/b" } });
    expect(alice.hears()).toMatchObject([
      { fail: { ref: 1, code: "NOT_JOINED" } },
      { fail: { ref: 2, code: "BAD_ROOM" } },
    ]);
  });

  test.each(["store", "broker"])(
    "that the %s can't carry out leaves the room joined",
    async (who) => {
      const alice = await world.login("a1");
      await alice.sends({ join: { room: "lobby" } });
      const { save } = world.sessions;
      if (who === "store") world.sessions.save = away;
      else world.adapter.before("unsubscribe", away);
      await alice.sends({ leave: { ref: 1, room: "lobby" } });
      world.sessions.save = save;
      world.adapter.before("unsubscribe", () => undefined);
      void world.adapter.publishes("chat/room/lobby", "still here");
      await alice.sends({ who: { ref: 2, room: "lobby" } });
      expect(alice.hears()).toMatchObject([
        { fail: { ref: 1, code: "UNAVAILABLE" } },
        { message: { text: "still here" } },
        { members: { ref: 2 } },
      ]);
    },
  );
});

describe("presence", () => {
  test("tells those who asked for it who comes and goes, themselves left out", async () => {
    const alice = await world.login("a1");
    await alice.sends({ join: { room: "lobby", presence: true } });
    const bob = await world.login("b1", { username: "bob" });
    await bob.sends({ join: { room: "lobby" } });
    const at = world.clock.now();
    await bob.sends({ leave: { room: "lobby" } });
    await bob.sends({ join: { room: "lobby" } });
    await bob.hangsUp();
    const bobs = { room: "lobby", clientId: "b1", username: "bob", ts: at };
    expect(alice.hears()).toEqual([
      { presence: { ...bobs, event: "JOINED" } },
      { presence: { ...bobs, event: "LEFT" } },
      { presence: { ...bobs, event: "JOINED" } },
      { presence: { ...bobs, event: "LEFT" } },
    ]);
  });

  test("is not fooled by whatever lies on its topic", async () => {
    const alice = await world.login("a1");
    await alice.sends({ join: { room: "lobby", presence: true } });
    for (const payload of [
      "",
      "{",
      "null",
      "[]",
      '{"event":"JOINED"}',
      '{"event":"X","room":"lobby"}',
    ]) {
      void world.adapter.publishes("chat/presence/lobby", payload);
    }
    void world.adapter.publishes(
      "chat/presence/lobby",
      '{"event":"LEFT","room":"den","clientId":"b1","username":"","ts":1}',
    );
    await alice.sends({ ping: {} });
    expect(alice.hears()).toEqual([{ pong: {} }]);
  });

  test("who lists the members", async () => {
    const alice = await world.login("a1", { username: "alice" });
    await alice.sends({ join: { room: "lobby" } });
    const since = world.clock.now();
    await world.clock.advance(5);
    const bob = await world.login("b1");
    await bob.sends({ join: { room: "lobby" } }, { who: { ref: 1, room: "lobby" } });
    expect(bob.hears()).toEqual([
      {
        members: {
          ref: 1,
          room: "lobby",
          members: [
            { clientId: "a1", username: "alice", since },
            { clientId: "b1", since: since + 5 },
          ],
        },
      },
    ]);
  });
});
