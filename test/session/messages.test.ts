import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { GatewayError } from "../../src/errors.js";
import { settled } from "../support/fake-clock.js";
import { createWorld, type World } from "../support/world.js";

let world: World;
beforeEach(() => {
  world = createWorld();
});
afterEach(() => world.end());

describe("say", () => {
  test.each([
    ["neither room nor user", { text: "x" }],
    ["room and user", { room: "lobby", user: "bob", text: "x" }],
    ["neither text nor data", { room: "lobby" }],
    ["text and data", { room: "lobby", text: "x", data: "eA==" }],
    ["a qos of 3", { room: "lobby", text: "x", qos: 3 }],
    ["a key of 65", { room: "lobby", text: "x", key: "k".repeat(65) }],
    ["a user that is a wildcard", { user: "#", text: "x" }],
  ])("refuses %s", async (_, say) => {
    const alice = await world.login("a1");
    await alice.sends({ join: { room: "lobby" } }, { say: { ref: 1, ...say } });
    expect(alice.hears()).toMatchObject([{ fail: { ref: 1, code: "BAD_REQUEST" } }]);
    expect(world.adapter.calls.filter((call) => call.startsWith("publish"))).toEqual([]);
  });

  test("counts a key in characters, not in UTF-16 units", async () => {
    const alice = await world.login("a1");
    await alice.sends(
      { join: { room: "lobby" } },
      { say: { ref: 1, room: "lobby", text: "x", key: "😀".repeat(64) } },
    );
    expect(alice.hears()).toEqual([{ ok: { ref: 1 } }]);
  });

  test("needs the room to be joined", async () => {
    const alice = await world.login("a1");
    await alice.sends({ say: { room: "lobby", text: "x" } });
    expect(alice.hears()).toMatchObject([{ fail: { code: "NOT_JOINED" } }]);
  });

  test("carries bytes, and an empty text, as they are", async () => {
    const alice = await world.login("a1");
    await alice.sends(
      { join: { room: "lobby", echo: true } },
      { say: { room: "lobby", data: "AP+A" } },
      { say: { room: "lobby", text: "" } },
      { say: { room: "lobby", data: Buffer.from("all text").toString("base64") } },
    );
    expect(alice.hears()).toMatchObject([
      { message: { data: "AP+A" } },
      { message: { text: "" } },
      { message: { text: "all text" } },
    ]);
  });

  test("to a user reaches all of that user's devices, and nobody else", async () => {
    const alice = await world.login("a1", { username: "alice" });
    const phone = await world.login("b1", { username: "bob" });
    const desk = await world.login("b2", { username: "bob" });
    await alice.sends({ say: { ref: 1, user: "bob", text: "psst" } });
    const expected = { user: "bob", from: "a1", username: "alice", text: "psst", seq: "1" };
    expect(phone.hears()).toMatchObject([{ message: expected }]);
    expect(desk.hears()).toMatchObject([{ message: expected }]);
    expect(alice.hears()).toEqual([{ ok: { ref: 1 } }]);
  });

  test("to oneself arrives", async () => {
    const alice = await world.login("a1", { username: "alice" });
    await alice.sends({ say: { user: "alice", text: "note" } });
    expect(alice.hears()).toMatchObject([{ message: { user: "alice", text: "note" } }]);
  });

  test.each([
    ["FORBIDDEN", "the broker does not allow it"],
    ["UNAVAILABLE", "the broker is away; try again"],
    ["INTERNAL", "the gateway failed; its log says why"],
  ] as const)("that EMQX answers with %s fails with it", async (code, reason) => {
    const alice = await world.login("a1");
    await alice.sends({ join: { room: "lobby" } });
    world.adapter.before("publish", () => Promise.reject(new GatewayError(code, reason)));
    await alice.sends({ say: { ref: 1, room: "lobby", text: "x" } }, { ping: {} });
    expect(alice.hears()).toMatchObject([{ fail: { ref: 1, code, reason } }, { pong: {} }]);
  });

  test("is answered in the order it was said, one at a time", async () => {
    const alice = await world.login("a1");
    await alice.sends({ join: { room: "lobby" } });
    const waiting: (() => void)[] = [];
    world.adapter.before("publish", () => new Promise((resolve) => waiting.push(resolve)));
    await alice.sends(
      ...[1, 2, 3].map((ref) => ({ say: { ref, room: "lobby", text: String(ref) } })),
    );
    expect(waiting).toHaveLength(1);
    for (const ref of [1, 2, 3]) {
      expect(alice.hears()).toEqual(ref === 1 ? [] : [{ ok: { ref: ref - 1 } }]);
      waiting.shift()?.();
      await settled();
    }
    expect(alice.hears()).toEqual([{ ok: { ref: 3 } }]);
  });
});

describe("message", () => {
  test("has the lower qos of publisher and joiner, and a seq from qos 1 on", async () => {
    const alice = await world.login("a1");
    await alice.sends({ join: { room: "r1", qos: 1 } }, { join: { room: "r0", qos: 0 } });
    void world.adapter.publishes("chat/room/r1", "a", { qos: 2 });
    void world.adapter.publishes("chat/room/r1", "b", { qos: 0 });
    void world.adapter.publishes("chat/room/r0", "c", { qos: 2 });
    void world.adapter.publishes("chat/room/r1", "d", { qos: 1 });
    await settled();
    expect(alice.hears()).toMatchObject([
      { message: { text: "a", qos: 1, seq: "1" } },
      { message: { text: "b" } },
      { message: { text: "c" } },
      { message: { text: "d", qos: 1, seq: "2" } },
    ]);
  });

  test("of a topic that is none of ours is dropped", async () => {
    const alice = await world.login("a1", { username: "alice" });
    for (const topic of ["x", "chat/room/", "chat/room/a/b", "chat/user/bob", "chat/room/other"]) {
      world.adapter.door?.apply(alice.conn, {
        kind: "messages",
        messages: [{ id: "1", topic, payload: Buffer.from("x"), qos: 1, from: "x", timestamp: 1 }],
      });
    }
    await alice.sends({ ping: {} });
    expect(alice.hears()).toEqual([{ pong: {} }]);
  });

  test("that comes to the inbox before welcome follows it", async () => {
    const alice = world.connect();
    world.adapter.before("subscribe", () =>
      world.adapter.door?.apply(alice.conn, {
        kind: "messages",
        messages: [
          {
            id: "1",
            topic: "chat/user/alice",
            payload: Buffer.from("early"),
            qos: 1,
            from: "x",
            timestamp: 1,
          },
        ],
      }),
    );
    await alice.sends({ hello: { clientId: "a1", username: "alice" } });
    expect(alice.hears()).toMatchObject([{ welcome: {} }, { message: { text: "early" } }]);
  });

  test.each([
    [256, "are all told"],
    [257, "end the login: none is lost unnoticed"],
  ])("%i that come to the inbox before welcome %s", async (count) => {
    const alice = world.connect();
    world.adapter.before("subscribe", () =>
      world.adapter.door?.apply(alice.conn, {
        kind: "messages",
        messages: Array.from({ length: count }, (_, i) => ({
          id: String(i),
          topic: "chat/user/alice",
          payload: Buffer.from(String(i)),
          qos: 1 as const,
          from: "x",
          timestamp: 1,
        })),
      }),
    );
    await alice.sends({ hello: { clientId: "a1", username: "alice" } });
    const heard = alice.hears();
    if (count > 256) {
      expect(heard).toMatchObject([{ bye: { code: "UNAVAILABLE" } }]);
      expect(heard[0]?.bye).toHaveProperty("retryAfterMs");
      expect(alice.isOpen).toBe(false);
    } else {
      expect(heard.filter((frame) => "message" in frame)).toHaveLength(count);
    }
  });
});

describe("what comes on another topic than a room's or one's own inbox", () => {
  test.each(["chat/history/lobby", "chat/reply/a1", "chat/user/bob", "elsewhere"])(
    "is not shown: %s",
    async (topic) => {
      const alice = await world.login("a1", { username: "alice" });
      const message = { topic, qos: 1, from: "m1", payload: Buffer.from("x"), timestamp: 1 };
      world.adapter.door?.apply(alice.conn, {
        kind: "messages",
        messages: [{ ...message, id: "F".repeat(32) }],
      });
      await settled();
      expect(alice.hears()).toEqual([]);
    },
  );
});

describe("ack", () => {
  test("takes what was sent, and refuses what was not", async () => {
    const alice = await world.login("a1");
    await alice.sends({ join: { room: "lobby" } });
    void world.adapter.publishes("chat/room/lobby", "x");
    await alice.sends({ ack: { seq: "1" } }, { ack: { seq: "0" } }, { ack: { seq: "2" } });
    expect(alice.hears()).toMatchObject([{ message: {} }, { fail: { code: "BAD_REQUEST" } }]);
    await alice.sends({ join: { room: "den" } });
    await alice.hangsUp();
    const taken = await world.sessions.take("a1", "");
    expect(taken.previous).toMatchObject({ seq: 1, ackedSeq: 1 });
  });
});

describe("without a room log", () => {
  test("history is refused, and a join says so", async () => {
    const alice = await world.login("a1");
    await alice.sends(
      { join: { ref: 1, room: "lobby", history: 20 } },
      { history: { ref: 2, room: "lobby", limit: 20 } },
      { history: { ref: 3, room: "lobby" } },
      { history: { ref: 4, room: "den", limit: 20 } },
    );
    expect(alice.hears()).toMatchObject([
      { ok: { ref: 1 } },
      { fail: { ref: 2, code: "UNAVAILABLE" } },
      { fail: { ref: 3, code: "BAD_REQUEST" } },
      { fail: { ref: 4, code: "NOT_JOINED" } },
    ]);
  });

  test("a resume has the rooms, and tells that it may have missed something", async () => {
    const alice = await world.login("a1");
    await alice.sends({ join: { room: "lobby" } });
    await alice.hangsUp();
    const again = world.connect();
    await again.sends({ hello: { clientId: "a1", resume: true, lastSeq: "3" } });
    expect(again.hears()).toMatchObject([
      { welcome: { clientId: "a1", resumed: true, rooms: ["lobby"] } },
      { caughtUp: { room: "lobby" } },
    ]);
    await world.adapter.publishes("chat/room/lobby", "still there");
    await settled();
    expect(again.hears()).toMatchObject([{ message: { text: "still there", seq: "4" } }]);
  });
});

describe("bye", () => {
  test("closes, and drops the session", async () => {
    const alice = await world.login("a1");
    await alice.sends({ join: { room: "lobby" } }, { bye: {} });
    expect(alice.hears()).toEqual([]);
    expect(alice.isOpen).toBe(false);
    expect((await world.sessions.take("a1", "")).previous).toBeUndefined();
  });

  test("before hello just closes", async () => {
    const client = world.connect();
    await client.sends({ bye: {} });
    expect(client.isOpen).toBe(false);
  });
});

describe("ping", () => {
  test("is answered by pong, with its nonce", async () => {
    const alice = await world.login("a1");
    await alice.sends({ ping: { nonce: "n".repeat(64) } }, { ping: { nonce: "n".repeat(65) } });
    expect(alice.hears()).toMatchObject([
      { pong: { nonce: "n".repeat(64) } },
      { fail: { code: "BAD_REQUEST" } },
    ]);
  });
});
