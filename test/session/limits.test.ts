/** Rooms that remember, at the limits: slow clients, full windows, a store that is away. */
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { GatewayError } from "../../src/errors.js";
import { createMemoryRoomLog, type RoomLog } from "../../src/store/index.js";
import { createFakeClock, settled, type FakeClock } from "../support/fake-clock.js";
import { createWorld, textsOf, type World } from "../support/world.js";

let clock: FakeClock;
let log: RoomLog;
let world: World;
const chat = { ackWindow: 4, slowConsumerMs: 30_000 };
beforeEach(() => {
  clock = createFakeClock();
  log = createMemoryRoomLog({ clock });
  world = createWorld({ roomLog: log, clock, chat });
});
afterEach(() => world.end());
const topicOf = (room: string) => `chat/room/${room}`;
const away = () => Promise.reject(new GatewayError("UNAVAILABLE", "the store is away"));
async function says(text: string, { qos = 1, room = "lobby" } = {}): Promise<void> {
  const routed = world.adapter.publishes(topicOf(room), text, { qos });
  await settled();
  void routed;
}
function storeAway(): () => void {
  const { append, read, readBack } = log;
  Object.assign(log, { append: away, read: away, readBack: away });
  return () => void Object.assign(log, { append, read, readBack });
}

describe("while the store is away", () => {
  test("no more than the window is sent ahead of the acknowledgement, and the rest comes in order", async () => {
    const alice = await world.member("a1", "lobby");
    const back = storeAway();
    await says("m1");
    await clock.advance(300);
    for (let i = 2; i <= 7; i++) await says(`m${i}`);
    await clock.advance(300);
    expect(textsOf(alice.hears())).toEqual(["m1", "m2", "m3", "m4"]);
    await alice.sends({ ack: { seq: "4" } });
    await says("m8");
    await clock.advance(300);
    expect(alice.hears()).toEqual([]);
    back();
    await clock.advance(5_000);
    expect(textsOf(alice.hears())).toEqual(["m5", "m6", "m7", "m8"]);
  });

  test("what comes before a join has opened its log comes once", async () => {
    const alice = await world.login("a1");
    const { append } = log;
    log.append = away;
    let open = (): void => undefined;
    const opening = log.open;
    log.open = async (topics) => {
      const heads = await opening(topics);
      await new Promise<void>((resolve) => (open = resolve));
      return heads;
    };
    await alice.sends({ join: { ref: 1, room: "lobby", qos: 2 } });
    await says("early", { qos: 2 });
    await clock.advance(300);
    open();
    await settled();
    log.open = opening;
    log.append = append;
    await clock.advance(5_000);
    await says("next", { qos: 2 });
    expect(textsOf(alice.hears())).toEqual(["early", "next"]);
  });
});

test("a room that was left and joined again is resumed from where it was joined", async () => {
  const alice = await world.member("a1", "lobby");
  await says("one");
  await alice.sends({ leave: { room: "lobby" } });
  await says("not for alice");
  await alice.sends({ join: { room: "lobby" } });
  await says("two");
  expect(textsOf(alice.hears())).toEqual(["one", "two"]);
  await alice.hangsUp();
  const again = await world.resume("a1");
  expect(textsOf(again.hears())).toEqual(["two"]);
});

test("a lastSeq that the session has never given out takes nothing over", async () => {
  const alice = await world.member("a1", "lobby");
  await says("one");
  await alice.hangsUp();
  const again = await world.resume("a1", { lastSeq: "1000" });
  expect(again.hears()).toMatchObject([
    { welcome: {} },
    { message: { text: "one", seq: "1001" } },
    { caughtUp: {} },
  ]);
});

describe("without a log", () => {
  beforeEach(async () => {
    await world.end();
    world = createWorld({ clock, limits: { pressedBytes: 1_000 } });
  });

  test("what comes at qos 2 during a resume is sent", async () => {
    const alice = await world.login("a1");
    await alice.sends({ join: { room: "lobby", qos: 2 } });
    await alice.hangsUp();
    const { save } = world.sessions;
    let reply = (): void => undefined;
    world.sessions.save = async (record) => {
      await new Promise<void>((resolve) => (reply = resolve));
      return save(record);
    };
    const again = await world.resume("a1");
    await says("held", { qos: 2 });
    world.sessions.save = save;
    reply();
    await settled();
    expect(textsOf(again.hears())).toEqual(["held"]);
  });

  test("what a client is too slow for is dropped at qos 0, and counted", async () => {
    const alice = await world.login("a1");
    await alice.sends({ join: { room: "lobby", qos: 0 } });
    let taken = (): void => undefined;
    world.adapter.before("send", () => new Promise<void>((resolve) => (taken = resolve)));
    for (let i = 0; i < 10; i++) await says("x".repeat(400));
    world.adapter.before("send", () => undefined);
    taken();
    await settled();
    expect(world.counters.droppedMessages).toBeGreaterThan(3);
  });
});

test("a save that fails is tried again, with no change of the session", async () => {
  const alice = await world.member("a1", "lobby");
  await says("one");
  await clock.advance(600);
  await alice.sends({ ack: { seq: "1" } });
  const { save } = world.sessions;
  world.sessions.save = away;
  await clock.advance(600);
  world.sessions.save = save;
  await clock.advance(1_100);
  world.adapter.vanish(alice.conn);
  const crashed = world;
  world = createWorld({ roomLog: log, clock, sessions: crashed.sessions });
  const again = await world.resume("a1");
  expect(textsOf(again.hears())).toEqual([]);
  await crashed.end();
});

test("a client that takes nothing is slow, however open its window is", async () => {
  await world.end();
  world = createWorld({ roomLog: log, clock, limits: { pressedBytes: 1_000 } });
  const alice = await world.member("a1", "lobby");
  let taken = (): void => undefined;
  world.adapter.before("send", () => new Promise<void>((resolve) => (taken = resolve)));
  for (let i = 0; i < 10; i++) await says("x".repeat(400));
  await clock.advance(29_000);
  expect(world.registry.size).toBe(1);
  await clock.advance(2_000);
  world.adapter.before("send", () => undefined);
  taken();
  await settled();
  expect(alice.hears().at(-1)).toMatchObject({ bye: { code: "SLOW_CONSUMER" } });
});

test("a client that acknowledges a whole window at a time is not waited for", async () => {
  const alice = await world.member("a1", "lobby");
  for (let i = 1; i <= 3; i++) await says(`m${i}`);
  for (let i = 1; i <= 4; i++) await says(`old${i}`, { room: "den" });
  await alice.sends({ join: { room: "den", history: 4 } });
  expect(textsOf(alice.hears())).toEqual(["m1", "m2", "m3"]);
  await clock.advance(2_000);
  expect(textsOf(alice.hears())).toEqual(["old1"]);
  await alice.sends({ ack: { seq: "4" } });
  expect(textsOf(alice.hears())).toEqual(["old2", "old3", "old4"]);
});

test("a page is cut to what a client is told a frame may have", async () => {
  const alice = await world.member("a1", "lobby");
  for (let i = 1; i <= 4; i++) await says(`${i}${'"'.repeat(15_000)}`);
  alice.hears();
  await alice.sends({ ack: { seq: "4" } });
  const pages: { messages: { id: string; text: string }[]; more?: boolean }[] = [];
  let before = "";
  for (;;) {
    await alice.sends({ history: { ref: 2, room: "lobby", limit: 100, before } });
    const [heard] = alice.hears();
    expect(Buffer.byteLength(JSON.stringify(heard))).toBeLessThanOrEqual(64 * 1024);
    const page = heard?.page as (typeof pages)[number];
    pages.push(page);
    before = page.messages.at(-1)?.id ?? "";
    if (page.more !== true) break;
  }
  expect(pages.map(({ messages }) => messages.map(({ text }) => text[0]).join())).toEqual([
    "4,3",
    "2,1",
  ]);
});

test("a loss that was noticed and not told yet is told after a resume", async () => {
  const alice = await world.member("a1", "lobby", "den");
  for (let i = 1; i <= 4; i++) await says(`m${i}`);
  await clock.advance(1_000);
  Object.assign(log, createMemoryRoomLog({ clock }));
  await says("after", { room: "den" });
  expect(textsOf(alice.hears())).toEqual(["m1", "m2", "m3", "m4"]);
  await alice.hangsUp();
  const again = await world.resume("a1", { lastSeq: "4" });
  const heard = again.hears();
  expect(textsOf(heard)).toEqual(["after"]);
  expect(heard).toContainEqual({ caughtUp: { room: "den", from: "1" } });
});

test("a loss is told again after a resume, until the client is known to have got it", async () => {
  const alice = await world.member("a1", "lobby");
  await says("m1");
  await clock.advance(1_000);
  Object.assign(log, createMemoryRoomLog({ clock }));
  await says("m2");
  const loss = { caughtUp: { room: "lobby", from: "1" } };
  expect(alice.hears()).toContainEqual(loss);
  await alice.hangsUp();
  const again = await world.resume("a1", { lastSeq: "2" });
  expect(again.hears()).toContainEqual(loss);
  await says("m3");
  await again.sends({ ack: { seq: "3" } });
  await again.hangsUp();
  const last = await world.resume("a1", { lastSeq: "3" });
  expect(last.hears()).toContainEqual({ caughtUp: { room: "lobby", complete: true } });
});

test("a client that has taken over what came behind it need not be told again", async () => {
  const alice = await world.member("a1", "lobby");
  await clock.advance(1_000);
  Object.assign(log, createMemoryRoomLog({ clock }));
  await says("m1");
  await says("m2");
  await alice.hangsUp();
  const again = await world.resume("a1", { lastSeq: "2" });
  expect(again.hears()).toContainEqual({ caughtUp: { room: "lobby", complete: true } });
});

test("the login of a session with many rooms may take its time, as long as it goes on", async () => {
  const rooms = Array.from({ length: 8 }, (_, i) => `room-${i}`);
  const alice = await world.member("a1", ...rooms);
  await alice.hangsUp();
  world.adapter.before(
    "subscribe",
    () => new Promise<void>((resolve) => void clock.schedule(9_000, resolve)),
  );
  const again = world.connect();
  await again.sends({ hello: { clientId: "a1", resume: true, keepalive: 60 } });
  // EMQX's own timer is no longer the one for those who don't say hello.
  expect(world.adapter.timerOf(again.conn)).toBe(60);
  for (const room of rooms) {
    expect([room, again.hears()]).toEqual([room, []]);
    await clock.advance(9_000);
  }
  expect(again.hears()[0]).toMatchObject({ welcome: { resumed: true, rooms } });
});

test("a login that stands still ends", async () => {
  world.sessions.take = () => new Promise(() => undefined);
  const alice = world.connect();
  await alice.sends({ hello: { clientId: "a1" } });
  await clock.advance(9_999);
  expect(alice.hears()).toEqual([]);
  await clock.advance(1);
  expect(alice.hears()).toMatchObject([{ bye: { code: "UNAVAILABLE" } }]);
});
