/** A way to every code of the protocol: none is dead vocabulary. */
import { describe, expect, test } from "@jest/globals";
import { GatewayError, errorCodes, type ErrorCode } from "../src/errors.js";
import { settled } from "./support/fake-clock.js";
import { createWorld, type Frame, type World, type WorldOptions } from "./support/world.js";

/** Gives the frames that a client hears in the end. */
type Way = (world: World) => Promise<readonly Frame[]>;

/** What a welcomed client hears to these frames. */
function after(...frames: readonly Frame[]): Way {
  return async (world) => {
    const alice = await world.login("a1");
    await alice.sends(...frames);
    return alice.hears();
  };
}

/** What a client hears whose connection begins with these. */
function first(bytes: string): Way {
  return async (world) => {
    const client = world.connect();
    await client.sendsBytes(bytes);
    return client.hears();
  };
}

const ways: Record<ErrorCode, Way> = {
  BAD_FRAME: first("{oops}\n"),
  FRAME_TOO_LARGE: first(`{${" ".repeat(5000)}`),
  UNSUPPORTED: after({ dance: { ref: 1 } }),
  BAD_REQUEST: after({ join: { ref: 1, room: 7 } }),
  BAD_ROOM: after({ join: { room: "a/b" } }),
  NOT_WELCOMED: first('{"join":{"room":"lobby"}}\n'),
  ALREADY_WELCOMED: after({ hello: {} }),
  UNAUTHENTICATED: async (world) => {
    world.adapter.passwords.set("alice", "secret");
    return first('{"hello":{"username":"alice"}}\n')(world);
  },
  FORBIDDEN: async (world) => {
    world.adapter.before("subscribe", () => {
      throw new GatewayError("FORBIDDEN", "the broker does not allow it");
    });
    return after({ join: { room: "lobby" } })(world);
  },
  NOT_JOINED: after({ leave: { room: "lobby" } }),
  TOO_MANY_ROOMS: after({ join: { room: "r1" } }, { join: { room: "r2" } }),
  RATE_LIMITED: after(...Array.from({ length: 12 }, () => ({ ping: {} }))),
  SLOW_CONSUMER: async (world) => {
    const alice = await world.login("a1");
    await alice.sends({ join: { room: "lobby" } });
    let release = (): void => undefined;
    world.adapter.before("send", () => new Promise((resolve) => (release = resolve)));
    void world.adapter.publishes("chat/room/lobby", "x".repeat(10_001));
    await settled();
    world.adapter.before("send", () => undefined);
    release();
    await settled();
    return alice.hears();
  },
  IDLE_TIMEOUT: async (world) => {
    const client = world.connect();
    await client.sendsBytes("{");
    await world.clock.advance(10_000);
    return client.hears();
  },
  TAKEN_OVER: async (world) => {
    const alice = await world.login("a1");
    await world.sessions.take("a1", "");
    await alice.sends({ join: { room: "lobby" } });
    return alice.hears();
  },
  UNAVAILABLE: after({ join: { room: "lobby" } }, { history: { room: "lobby", limit: 1 } }),
  SHUTTING_DOWN: async (world) => {
    const alice = await world.login("a1");
    await world.registry.shutdown(1000);
    return alice.hears();
  },
  INTERNAL: async (world) => {
    world.adapter.before("publish", () => {
      throw new TypeError("a bug");
    });
    return after({ say: { user: "bob", text: "x" } })(world);
  },
};

const options: WorldOptions = {
  chat: {
    maxRooms: 1,
    rate: { framesPerSecond: 1, frameBurst: 10, bytesPerSecond: 10_000, byteBurst: 20_000 },
  },
  limits: { maxUnsentBytes: 10_000 },
};

describe("every code is produced", () => {
  test.each(Object.entries(ways))("%s", async (code, way) => {
    const world = createWorld(options);
    const heard = (await way(world)).at(-1) ?? {};
    const [kind, fields] = Object.entries(heard)[0] ?? [];
    expect(fields).toMatchObject({ code, reason: expect.stringMatching(/\w/) });
    const { closes } = errorCodes[code as ErrorCode];
    if (closes === "always") expect(kind).toBe("bye");
    if (closes === "never") expect(kind).toBe("fail");
    await world.end();
  });
});
