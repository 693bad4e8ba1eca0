/** Rooms that remember, when something comes at a bad moment: each case has been a bug once. */
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { GatewayError } from "../../src/errors.js";
import { createMemoryRoomLog, type RoomLog } from "../../src/store/index.js";
import { createFakeClock, settled, type FakeClock } from "../support/fake-clock.js";
import { createWorld, textsOf, type Frame, type World } from "../support/world.js";

let clock: FakeClock;
let log: RoomLog;
let world: World;

beforeEach(() => {
  clock = createFakeClock();
  log = createMemoryRoomLog({ clock });
  world = createWorld({ roomLog: log, clock });
});
afterEach(() => world.end());

const topicOf = (room: string) => `chat/room/${room}`;
const away = () => Promise.reject(new GatewayError("UNAVAILABLE", "the store is away"));

async function says(text: string, { qos = 1, room = "lobby" } = {}): Promise<void> {
  await world.adapter.publishes(topicOf(room), text, { qos });
  await settled();
}

/** A log of its own, with a newer epoch, takes the place of the one that was there. */
async function loseLog(): Promise<void> {
  await clock.advance(1_000);
  Object.assign(log, createMemoryRoomLog({ clock }));
}

const caughtUps = (frames: readonly Frame[]) => frames.filter((frame) => "caughtUp" in frame);

test("a direct message between the opening of the inbox and the welcome comes at once", async () => {
  const { save } = world.sessions;
  let reply = (): void => undefined;
  world.sessions.save = async (record) => {
    await new Promise<void>((resolve) => (reply = resolve));
    return save(record);
  };
  const alice = world.connect();
  await alice.sends({ hello: { clientId: "a1", username: "alice" } });
  await world.adapter.publishes("chat/user/alice", "psst");
  await settled();
  world.sessions.save = save;
  reply();
  await settled();
  const heard = alice.hears();
  expect(heard[0]).toHaveProperty("welcome");
  expect(textsOf(heard)).toEqual(["psst"]);
});

describe("a log that is lost while its readers are connected", () => {
  test("is told at once, and what is said after that is no history", async () => {
    await Promise.all(Array.from({ length: 5 }, (_, i) => says(`before ${i}`)));
    const alice = await world.member("a1", "lobby");
    await loseLog();
    await says("after");
    const heard = alice.hears();
    expect(textsOf(heard)).toEqual(["after"]);
    expect(caughtUps(heard)).toEqual([{ caughtUp: { room: "lobby", from: expect.any(String) } }]);
    await alice.sends({ say: { room: "lobby", text: "mine" } });
    await says("live");
    expect(alice.hears()).toEqual([
      { message: expect.not.objectContaining({ replay: true }) as unknown },
    ]);
  });

  test("and again while it is read: nothing comes twice", async () => {
    const alice = await world.member("a1", "lobby");
    for (let i = 1; i <= 3; i++) {
      await loseLog();
      await says(`m${i}`);
    }
    const heard = alice.hears();
    expect(textsOf(heard)).toEqual(["m1", "m2", "m3"]);
    expect(caughtUps(heard)).toHaveLength(3);
  });
});

test("what was sent at qos 0 is not sent again, when a resume ends before it begins", async () => {
  const alice = await world.member("a1", "lobby");
  await says("one");
  await says("two", { qos: 0 });
  expect(textsOf(alice.hears())).toEqual(["one", "two"]);
  await alice.hangsUp();
  const { read, readBack } = log;
  Object.assign(log, { read: away, readBack: away });
  const second = await world.resume("a1");
  expect(second.hears()).toEqual([{ welcome: expect.anything() }]);
  await second.hangsUp();
  Object.assign(log, { read, readBack });
  const third = await world.resume("a1");
  expect(textsOf(third.hears())).toEqual(["one"]);
});

test("a join is kept, though the session was to be kept while it was written", async () => {
  const alice = await world.member("a1", "lobby");
  await says("one");
  await clock.advance(400);
  const { save } = world.sessions;
  let reply = (): void => undefined;
  world.sessions.save = async (record) => {
    const saved = await save(record);
    await new Promise<void>((resolve) => (reply = resolve));
    return saved;
  };
  await alice.sends({ join: { ref: 7, room: "den" } });
  world.sessions.save = save;
  await clock.advance(200);
  reply();
  await settled();
  expect(alice.hears().at(-1)).toMatchObject({ ok: { ref: 7 } });
  world.adapter.vanish(alice.conn);
  const crashed = world;
  world = createWorld({ roomLog: log, clock, sessions: crashed.sessions });
  const again = await world.resume("a1", { lastSeq: "1" });
  expect(again.hears()[0]).toMatchObject({ welcome: { rooms: ["lobby", "den"] } });
  await crashed.end();
});

test("a log that can't be read holds up no other", async () => {
  const alice = await world.member("a1", "broken", "lobby", "den");
  await alice.hangsUp();
  await says("one");
  await says("two", { room: "den" });
  const { readBack } = log;
  log.readBack = (topic, range) => (topic === topicOf("broken") ? away() : readBack(topic, range));
  const again = await world.resume("a1");
  await clock.advance(2_000);
  const heard = again.hears();
  expect(textsOf(heard)).toEqual(["one", "two"]);
  expect(caughtUps(heard)).toHaveLength(2);
  log.readBack = readBack;
  await clock.advance(2_000);
  expect(again.hears()).toEqual([{ caughtUp: { room: "broken", complete: true } }]);
});

test("caughtUp comes once, also where the end of the replay is delivered live", async () => {
  await world.end();
  world = createWorld({ roomLog: log, clock, chat: { ackWindow: 1 } });
  const alice = await world.member("a1", "lobby");
  await alice.hangsUp();
  await says("one");
  // In the log before the resume, and routed after it.
  const { hook } = world.adapter;
  let route = (): void => undefined;
  world.adapter.hook = async (message) => {
    const answer = (await hook?.(message)) ?? "route";
    if (message.topic === topicOf("lobby")) {
      await new Promise<void>((resolve) => (route = resolve));
    }
    return answer;
  };
  const routed = says("two", { qos: 0 });
  await settled();
  const again = await world.resume("a1");
  expect(textsOf(again.hears())).toEqual(["one"]);
  route();
  await routed;
  await again.sends({ ack: { seq: "1" } });
  const heard = again.hears();
  expect(textsOf(heard)).toEqual(["two"]);
  expect(heard.at(-1)).toEqual({ caughtUp: { room: "lobby", complete: true } });
});

test("what is appended late to an inbox is no matter for other users", async () => {
  const alice = await world.login("a1", { username: "alice" });
  const { append, read, readBack } = log;
  log.append = away;
  const routed = world.adapter.publishes("chat/user/bob", "for bob");
  await clock.advance(300);
  await routed;
  let reads = 0;
  const counting = { read, readBack };
  log.read = (...args) => ((reads += 1), counting.read(...args));
  log.readBack = (...args) => ((reads += 1), counting.readBack(...args));
  log.append = append;
  await clock.advance(5_000);
  expect(reads).toBe(0);
  expect(alice.hears()).toEqual([]);
});
