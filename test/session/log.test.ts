/** Rooms that remember: what the session does with a log behind it. */
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { GatewayError } from "../../src/errors.js";
import {
  createMemoryPresenceStore,
  createMemoryRoomLog,
  createMemorySessionStore,
  type RoomLog,
} from "../../src/store/index.js";
import { createFakeClock, settled, type FakeClock } from "../support/fake-clock.js";
import {
  createWorld,
  type Client,
  type Frame,
  type World,
  type WorldOptions,
} from "../support/world.js";

let clock: FakeClock;
let log: RoomLog;
let world: World;

function start(options: WorldOptions = {}): World {
  return createWorld({ roomLog: log, clock, ...options });
}

beforeEach(() => {
  clock = createFakeClock();
  log = createMemoryRoomLog({ clock });
  world = start();
});
afterEach(() => world.end());

const LOBBY = "chat/room/lobby";

async function says(text: string, qos = 1): Promise<void> {
  await world.adapter.publishes(LOBBY, text, { qos });
  await settled();
}

async function saysAll(count: number, first = 1): Promise<void> {
  for (let i = first; i < first + count; i++) await says(`m${i}`);
}

interface Message {
  readonly seq?: string;
  readonly text?: string;
  readonly offset?: string;
  readonly replay?: boolean;
  readonly id: string;
}

function messagesOf(frames: readonly Frame[]): readonly Message[] {
  return frames.filter((frame) => "message" in frame).map((frame) => frame.message as Message);
}

const textsOf = (frames: readonly Frame[]) => messagesOf(frames).map(({ text }) => text);

async function member(clientId = "a1", join: Frame = {}): Promise<Client> {
  const client = await world.login(clientId);
  await client.sends({ join: { ref: 1, room: "lobby", ...join } });
  expect(client.hears()).toMatchObject([{ ok: { ref: 1, recoverable: true } }]);
  return client;
}

describe("live messages", () => {
  test("carry their offset, and a say's ok its id and offset", async () => {
    const alice = await member("a1");
    const bob = await member("b1");
    await alice.sends({ say: { ref: 2, room: "lobby", text: "hi" } });
    await says("from MQTT");
    const [first, second] = messagesOf(bob.hears());
    expect(first).toMatchObject({ text: "hi", seq: "1", offset: "1" });
    expect(second).toMatchObject({ text: "from MQTT", seq: "2", offset: "2" });
    expect(alice.hears()).toMatchObject([
      { ok: { ref: 2, id: first?.id, offset: "1" } },
      { message: { text: "from MQTT", offset: "2" } },
    ]);
  });

  test("come in the order of the log, whatever order they are delivered in", async () => {
    const alice = await member();
    const order: (() => void)[] = [];
    const hook = world.adapter.hook;
    // Stored one after the other, routed the other way round.
    world.adapter.hook = async (message) => {
      const answer = (await hook?.(message)) ?? "route";
      await new Promise<void>((resolve) => order.push(resolve));
      return answer;
    };
    const routed = [says("one"), says("two"), says("three")];
    await settled();
    for (const route of order.reverse()) {
      route();
      await settled();
    }
    await Promise.all(routed);
    expect(messagesOf(alice.hears())).toMatchObject([
      { text: "one", offset: "1", seq: "1" },
      { text: "two", offset: "2", seq: "2" },
      { text: "three", offset: "3", seq: "3" },
    ]);
  });

  test("that the broker lost are filled in from the log", async () => {
    const alice = await member();
    const message = { from: "m", username: "", protocol: "mqtt", qos: 1, timestamp: clock.now() };
    const id = "F".repeat(32);
    await log.append(LOBBY, [{ ...message, id, topic: LOBBY, payload: Buffer.from("lost") }]);
    await says("delivered");
    expect(textsOf(alice.hears())).toEqual(["lost", "delivered"]);
  });

  test("that the hook did not store are stored by who gets them, once", async () => {
    const alice = await member("a1");
    const bob = await member("b1");
    world.adapter.hook = undefined;
    await says("unhooked");
    await settled();
    const expected = [{ text: "unhooked", offset: "1" }];
    expect(messagesOf(alice.hears())).toMatchObject(expected);
    expect(messagesOf(bob.hears())).toMatchObject(expected);
    await expect(log.open([LOBBY])).resolves.toMatchObject([{ last: 1 }]);
  });

  test("go on while the log is away, come once when it is back, and wait at qos 2", async () => {
    const alice = await member("a1");
    const bob = await member("b1", { qos: 2 });
    const { append, read, readBack } = log;
    const away = () => Promise.reject(new GatewayError("UNAVAILABLE", "the store is away"));
    Object.assign(log, { append: away, read: away, readBack: away });
    const routed = says("while away", 2);
    await clock.advance(300);
    await routed;
    const [early] = messagesOf(alice.hears());
    expect(early).toMatchObject({ text: "while away" });
    expect(early?.offset).toBeUndefined();
    expect(bob.hears()).toEqual([]);
    Object.assign(log, { append, read, readBack });
    await clock.advance(5_000);
    expect(messagesOf(bob.hears())).toMatchObject([{ text: "while away", offset: "1", qos: 2 }]);
    await says("after");
    expect(messagesOf(alice.hears())).toMatchObject([{ text: "after", offset: "2" }]);
    expect(messagesOf(bob.hears())).toMatchObject([{ text: "after", offset: "2" }]);
  });
});

describe("acknowledgement", () => {
  const chat = { ackWindow: 4, slowConsumerMs: 30_000 };

  async function slowMember(): Promise<Client> {
    await world.end();
    world = start({ chat });
    return member();
  }

  test("opens the window: no more than that is sent ahead of it, and nothing is lost", async () => {
    const alice = await slowMember();
    await saysAll(10);
    expect(textsOf(alice.hears())).toEqual(["m1", "m2", "m3", "m4"]);
    await alice.sends({ ack: { seq: "3" } });
    expect(textsOf(alice.hears())).toEqual(["m5", "m6", "m7"]);
    await alice.sends({ ack: { seq: "7" } });
    await alice.sends({ ack: { seq: "10" } });
    expect(messagesOf(alice.hears())).toMatchObject([
      { text: "m8", seq: "8" },
      { text: "m9", seq: "9" },
      { text: "m10", seq: "10" },
    ]);
    await says("live again");
    expect(textsOf(alice.hears())).toEqual(["live again"]);
  });

  test("that never comes ends the connection, and the session may resume", async () => {
    const alice = await slowMember();
    await saysAll(6);
    alice.hears();
    await clock.advance(29_000);
    expect(alice.isOpen).toBe(true);
    await clock.advance(2_000);
    expect(alice.hears()).toMatchObject([{ bye: { code: "SLOW_CONSUMER" } }]);
    const again = await world.resume("a1", { lastSeq: "4" });
    expect(textsOf(again.hears())).toEqual(["m5", "m6"]);
  });

  test("is no matter for a client that does not lag", async () => {
    const alice = await slowMember();
    await saysAll(4);
    alice.hears();
    await clock.advance(60_000);
    expect(alice.isOpen).toBe(true);
  });

  test("is not asked for at qos 0", async () => {
    await world.end();
    world = start({ chat });
    const alice = await member("a1", { qos: 0 });
    await saysAll(10);
    expect(messagesOf(alice.hears())).toHaveLength(10);
  });
});

describe("a resume", () => {
  test("brings the rooms, what was missed in order, and then what is live", async () => {
    const alice = await member("a1");
    await says("before");
    expect(textsOf(alice.hears())).toEqual(["before"]);
    await alice.sends({ ack: { seq: "1" } });
    await alice.hangsUp();
    await saysAll(3);
    const again = await world.resume();
    await says("live");
    const heard = again.hears();
    expect(heard[0]).toMatchObject({ welcome: { resumed: true, rooms: ["lobby"] } });
    expect(messagesOf(heard)).toMatchObject([
      { text: "m1", seq: "2", offset: "2", replay: true },
      { text: "m2", seq: "3", offset: "3", replay: true },
      { text: "m3", seq: "4", offset: "4", replay: true },
      { text: "live", seq: "5", offset: "5" },
    ]);
    const caughtUp = heard.findIndex((frame) => "caughtUp" in frame);
    expect(heard[caughtUp]).toEqual({ caughtUp: { room: "lobby", complete: true } });
    expect(caughtUp).toBe(heard.length - 2);
    expect(heard.at(-1)?.message).not.toHaveProperty("replay");
  });

  test("of more than a window goes on as it is acknowledged", async () => {
    const alice = await member("a1");
    await alice.hangsUp();
    await saysAll(300);
    const again = await world.resume();
    let expected = 0;
    for (let heard = again.hears(); messagesOf(heard).length > 0; heard = again.hears()) {
      for (const { text, seq } of messagesOf(heard)) {
        expected += 1;
        expect({ text, seq }).toEqual({ text: `m${expected}`, seq: String(expected) });
        if (expected % 32 === 0) await again.sends({ ack: { seq } });
      }
    }
    expect(expected).toBe(300);
  });

  test("sends nothing twice to a client that tells its lastSeq, and the same ids to one that doesn't", async () => {
    const alice = await member("a1");
    await saysAll(3);
    const first = messagesOf(alice.hears());
    await alice.hangsUp();
    const other = await world.resume("a1", { lastSeq: "2" });
    expect(messagesOf(other.hears())).toMatchObject([{ text: "m3", seq: "3", id: first[2]?.id }]);
    await other.hangsUp();
    const third = await world.resume("a1");
    expect(messagesOf(third.hears()).map(({ id }) => id)).toEqual([first[2]?.id]);
  });

  test("sends nothing again that was taken over before it was in the log", async () => {
    const alice = await member("a1");
    const { append, read, readBack } = log;
    const away = () => Promise.reject(new GatewayError("UNAVAILABLE", "the store is away"));
    Object.assign(log, { append: away, read: away, readBack: away });
    for (const text of ["taken", "not taken"]) {
      const routed = says(text);
      await clock.advance(300);
      await routed;
    }
    expect(messagesOf(alice.hears())).toMatchObject([{ seq: "1" }, { seq: "2" }]);
    await alice.hangsUp();
    Object.assign(log, { append, read, readBack });
    await clock.advance(5_000);
    const again = await world.resume("a1", { lastSeq: "1" });
    expect(messagesOf(again.hears())).toMatchObject([{ text: "not taken", offset: "2" }]);
    await again.hangsUp();
    const third = await world.resume("a1", { lastSeq: "2" });
    expect(textsOf(third.hears())).toEqual([]);
  });

  test("sends again what was in no log when it was sent, and was not taken over", async () => {
    const alice = await member("a1");
    const { append, read, readBack } = log;
    const away = () => Promise.reject(new GatewayError("UNAVAILABLE", "the store is away"));
    Object.assign(log, { append: away, read: away, readBack: away });
    const routed = says("unlogged");
    await clock.advance(300);
    await routed;
    Object.assign(log, { append, read, readBack });
    await clock.advance(5_000);
    await says("logged");
    expect(textsOf(alice.hears())).toEqual(["unlogged", "logged"]);
    await alice.hangsUp();
    const again = await world.resume("a1");
    expect(textsOf(again.hears())).toEqual(["unlogged", "logged"]);
  });

  test("keeps the session's name, and takes over at once from a connection that still lives", async () => {
    const alice = world.connect();
    await alice.sends({ hello: { clientId: "a1" } }, { join: { room: "lobby" } });
    const [welcome] = alice.hears();
    await says("one");
    const again = await world.resume("a1", { lastSeq: "1" });
    expect(alice.isOpen).toBe(false);
    const heard = again.hears();
    expect(heard[0]).toMatchObject({
      welcome: { session: (welcome?.welcome as { session: string }).session, resumed: true },
    });
    expect(messagesOf(heard)).toEqual([]);
  });

  test("replays what came at qos 0 while the session was away, and never what was sent", async () => {
    const alice = await member("a1");
    await says("sent", 0);
    expect(textsOf(alice.hears())).toEqual(["sent"]);
    await alice.hangsUp();
    await says("missed", 0);
    const again = await world.resume();
    expect(messagesOf(again.hears())).toMatchObject([{ text: "missed", replay: true }]);
  });

  test("of a room joined at qos 0 tells what was missed and sends none of it", async () => {
    const alice = await member("a1", { qos: 0 });
    await says("one");
    await alice.hangsUp();
    await saysAll(2);
    const again = await world.resume();
    const heard = again.hears();
    expect(messagesOf(heard)).toEqual([]);
    expect(heard.at(-1)).toEqual({ caughtUp: { room: "lobby", from: "2", to: "3" } });
  });

  test("tells the hole where the log is shorter", async () => {
    await world.end();
    log = createMemoryRoomLog({ clock, retention: { maxEntries: 3 } });
    world = start();
    const alice = await member("a1");
    await alice.hangsUp();
    await saysAll(5);
    const again = await world.resume();
    const heard = again.hears();
    expect(textsOf(heard)).toEqual(["m3", "m4", "m5"]);
    expect(heard.at(-1)).toEqual({ caughtUp: { room: "lobby", from: "1", to: "2" } });
  });

  test("tells the loss where the log is a new one, and sends all that this has", async () => {
    const alice = await member("a1");
    await saysAll(5);
    await alice.sends({ ack: { seq: "5" } });
    alice.hears();
    await alice.hangsUp();
    const sessions = world.sessions;
    await world.end();
    log = createMemoryRoomLog({ clock });
    await clock.advance(1_000);
    world = start({ sessions });
    await saysAll(2, 6);
    const again = await world.resume();
    const heard = again.hears();
    expect(messagesOf(heard)).toMatchObject([
      { text: "m6", offset: "1", seq: "6" },
      { text: "m7", offset: "2", seq: "7" },
    ]);
    expect(heard.at(-1)?.caughtUp).toMatchObject({ room: "lobby", from: "1" });
    expect(heard.at(-1)?.caughtUp).not.toHaveProperty("complete");
  });

  test("survives a crash of the gateway: what was kept half a second ago counts", async () => {
    const alice = await member("a1");
    await saysAll(2);
    await alice.sends({ ack: { seq: "1" } });
    await clock.advance(600);
    await says("m3");
    expect(textsOf(alice.hears())).toEqual(["m1", "m2", "m3"]);
    world.adapter.vanish(alice.conn);
    const crashed = world;
    world = start({ sessions: crashed.sessions });
    const again = await world.resume("a1", { lastSeq: "2" });
    expect(textsOf(again.hears())).toEqual(["m3"]);
    await crashed.end();
  });

  test("of a session that never got a message begins where it joined", async () => {
    await says("before the join");
    const alice = await member("a1");
    world.adapter.vanish(alice.conn);
    const crashed = world;
    world = start({ sessions: crashed.sessions });
    await says("after the crash");
    const again = await world.resume();
    expect(textsOf(again.hears())).toEqual(["after the crash"]);
    await crashed.end();
  });

  test("leaves a room out that may no longer be joined", async () => {
    const alice = await world.login("a1");
    await alice.sends({ join: { room: "lobby" } }, { join: { room: "den" } });
    await alice.hangsUp();
    world.adapter.before("subscribe", (_, topic) => {
      if (topic === LOBBY) throw new GatewayError("FORBIDDEN", "no");
    });
    const again = await world.resume();
    expect(again.hears()[0]).toMatchObject({ welcome: { resumed: true, rooms: ["den"] } });
  });

  test("that fails leaves the session as it was", async () => {
    const alice = await member("a1");
    await alice.hangsUp();
    await says("missed");
    let broken = true;
    world.adapter.before("subscribe", () => {
      if (broken) throw new GatewayError("UNAVAILABLE", "not now");
    });
    const failed = await world.resume();
    expect(failed.hears()).toMatchObject([{ bye: { code: "UNAVAILABLE" } }]);
    broken = false;
    const again = await world.resume();
    expect(textsOf(again.hears())).toEqual(["missed"]);
  });

  test("of another user's session is none", async () => {
    const alice = await member("a1");
    await alice.hangsUp();
    await says("missed");
    const mallory = await world.resume("a1", { username: "mallory" });
    const heard = mallory.hears();
    expect(heard).toHaveLength(1);
    expect(heard[0]?.welcome).not.toHaveProperty("resumed");
  });

  test("may move between gateways at will", async () => {
    const sessions = createMemorySessionStore({ clock });
    const presenceStore = createMemoryPresenceStore({ clock });
    const shared = { sessions, presenceStore };
    const worlds = [start(shared), start(shared)] as const;
    const own = world;
    let expected = 0;
    for (let i = 0; i < 6; i++) {
      world = i % 2 === 0 ? worlds[0] : worlds[1];
      const client = i === 0 ? await member("a1") : await world.resume("a1");
      await says(`live${i}`);
      const texts = textsOf(client.hears());
      expect(texts).toEqual(i === 0 ? ["live0"] : [`away${i - 1}`, `live${i}`]);
      expected += texts.length;
      await client.sends({ ack: { seq: String(expected) } });
      await client.hangsUp();
      await says(`away${i}`);
    }
    for (const one of worlds) await one.end();
    world = own;
  });
});

describe("direct messages", () => {
  test("reach every device of the user, and wait for those that are away", async () => {
    const alice = await world.login("a1");
    const phone = await world.login("b-phone", { username: "bob" });
    const desk = await world.login("b-desk", { username: "bob" });
    await phone.hangsUp();
    await alice.sends({ say: { ref: 3, user: "bob", text: "psst" } });
    const [ok] = alice.hears();
    expect(ok).toMatchObject({ ok: { ref: 3, offset: "1" } });
    const { id } = ok?.ok as { id: string };
    expect(desk.hears()).toMatchObject([{ message: { user: "bob", text: "psst", id, seq: "1" } }]);
    const back = await world.resume("b-phone", { username: "bob" });
    expect(messagesOf(back.hears())).toMatchObject([{ user: "bob", text: "psst", id }]);
  });
});

describe("history", () => {
  test("pages backwards by message id", async () => {
    await saysAll(7);
    const alice = await member("a1");
    await alice.sends({ history: { ref: 2, room: "lobby", limit: 3 } });
    const [page] = alice.hears();
    expect(page).toMatchObject({ page: { ref: 2, room: "lobby", more: true } });
    const { messages } = page?.page as { messages: readonly Message[] };
    expect(messages.map(({ text }) => text)).toEqual(["m7", "m6", "m5"]);
    const before = messages[2]?.id;
    await alice.sends({ history: { ref: 3, room: "lobby", limit: 100, before } });
    const [rest] = alice.hears();
    const older = rest?.page as { messages: readonly Message[]; more?: boolean };
    expect(older.messages.map(({ text }) => text)).toEqual(["m4", "m3", "m2", "m1"]);
    expect(older.more).toBeUndefined();
  });

  test("refuses a before that is no message id", async () => {
    const alice = await member("a1");
    await alice.sends({ history: { ref: 2, room: "lobby", limit: 3, before: "x" } });
    expect(alice.hears()).toMatchObject([{ fail: { ref: 2, code: "BAD_REQUEST" } }]);
  });

  test("comes with a join: the last messages, one's own among them, before the live ones", async () => {
    const first = await member("a1");
    await first.sends({ say: { room: "lobby", text: "mine" } });
    await first.sends({ leave: { room: "lobby" } });
    await saysAll(2);
    await first.sends({ join: { ref: 9, room: "lobby", history: 2 } });
    await says("live");
    expect(first.hears()).toMatchObject([
      { ok: { ref: 9 } },
      { message: { text: "m1", replay: true } },
      { message: { text: "m2", replay: true } },
      { message: { text: "live" } },
    ]);
    await first.sends({ leave: { room: "lobby" } }, { join: { room: "lobby", history: 100 } });
    expect(textsOf(first.hears())).toEqual(["mine", "m1", "m2", "live"]);
  });
});

describe("a key", () => {
  test("publishes once, however often and over whichever connection it is said", async () => {
    const bob = await member("b1");
    const alice = await member("a1");
    const say = { say: { ref: 5, room: "lobby", text: "once", key: "k1" } };
    await alice.sends(say, say);
    const [one, two] = alice.hears();
    expect(one).toMatchObject({ ok: { ref: 5, offset: "1" } });
    expect(two).toEqual(one);
    await alice.hangsUp();
    const again = await world.resume("a1");
    again.hears();
    await again.sends(say);
    expect(again.hears()).toEqual([one]);
    expect(textsOf(bob.hears())).toEqual(["once"]);
  });

  test("is another message's where it is another key, or none", async () => {
    const bob = await member("b1");
    const alice = await member("a1");
    const say = (more: object) => ({ say: { room: "lobby", text: "same", ...more } });
    await alice.sends(say({ key: "k1" }), say({ key: "k2" }), say({}), say({}));
    expect(textsOf(bob.hears())).toEqual(["same", "same", "same", "same"]);
  });

  test("repairs a say whose first attempt was not answered", async () => {
    const bob = await member("b1");
    const alice = await member("a1");
    const hook = world.adapter.hook;
    // It is stored and routed, but EMQX' answer is lost.
    world.adapter.before("publish", () => undefined);
    let attempts = 0;
    world.adapter.hook = async (message) => {
      const answer = (await hook?.(message)) ?? "route";
      attempts += 1;
      if (attempts === 1) throw new GatewayError("UNAVAILABLE", "the answer was lost");
      return answer;
    };
    const say = { say: { ref: 5, room: "lobby", text: "once", key: "k1" } };
    await alice.sends(say);
    expect(alice.hears()).toMatchObject([{ fail: { ref: 5, code: "UNAVAILABLE" } }]);
    await alice.sends(say);
    expect(alice.hears()).toMatchObject([{ ok: { ref: 5, offset: "1" } }]);
    expect(attempts).toBe(1);
    await says("next");
    expect(textsOf(bob.hears())).toEqual(["once", "next"]);
  });

  test("is no excuse for qos 1 where nothing stores what is said", async () => {
    const alice = await member("a1");
    await alice.sends({ leave: { room: "lobby" } }, { say: { user: "bob", ref: 4, text: "x" } });
    expect(alice.hears()).toMatchObject([{ ok: { ref: 4 } }]);
    world.adapter.hook = undefined;
    await alice.sends({ say: { user: "bob", ref: 4, text: "y" } });
    await clock.advance(1_000);
    expect(alice.hears()).toMatchObject([{ fail: { ref: 4, code: "UNAVAILABLE" } }]);
    await alice.sends({ say: { user: "bob", ref: 4, text: "y", qos: 0 } });
    await clock.advance(1_000);
    expect(alice.hears()).toMatchObject([{ ok: { ref: 4 } }]);
  });
});
