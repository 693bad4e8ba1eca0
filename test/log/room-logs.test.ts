import { beforeEach, describe, expect, test } from "@jest/globals";
import { createRoomLogs, type OlderEntries, type RoomLogs } from "../../src/log/index.js";
import { silentLogger } from "../../src/logger.js";
import type { BrokerMessage } from "../../src/protocol.js";
import {
  createMemoryRoomLog,
  type LogEntry,
  type LogMessage,
  type LogPage,
  type LogPosition,
} from "../../src/store/index.js";
import { createFakeClock, settled, type FakeClock } from "../support/fake-clock.js";
import { away, createFaultyLog, message, TOPIC, type FaultyLog } from "./faulty-log.js";

let clock: FakeClock;
let log: FaultyLog;
let logs: RoomLogs;
let late: (readonly [string, LogPosition])[];

function start(archive?: OlderEntries): void {
  late = [];
  logs = createRoomLogs({
    log,
    keeps: (topic) => topic.startsWith("chat/room/"),
    ...(archive && { archive }),
    clock,
    logger: silentLogger,
    maxSpooledMessages: 50,
  });
  logs.onLate((topic, position) => void late.push([topic, position]));
}

beforeEach(() => {
  clock = createFakeClock();
  log = createFaultyLog(clock);
  start();
});

const said = (text: string, more: Partial<LogMessage> = {}) =>
  message(text, { timestamp: clock.now(), ...more });

/** As EMQX delivers it: without its publisher's protocol and name. */
function delivered({ id, topic, payload, qos, from, timestamp }: LogMessage): BrokerMessage {
  return { id, topic, payload, qos, from, timestamp };
}

async function append(count: number): Promise<readonly LogMessage[]> {
  const all = Array.from({ length: count }, (_, i) => said(`m${i + 1}`));
  for (const one of all) await logs.append(one);
  return all;
}

async function place(one: LogMessage): Promise<LogPosition | undefined> {
  const [located] = await logs.locate([delivered(one)]);
  return located?.position;
}

async function read(after: LogPosition, isFresh = false, limit = 100) {
  const { head, entries } = await logs.read({ topic: TOPIC, after, limit, isFresh });
  return { head, offsets: entries.map(({ offset }) => offset) };
}

const appends = () => log.calls.filter((call) => call.startsWith("append"));

describe("append", () => {
  test("routes, and drops the second attempt of one publication", async () => {
    const publication = { from: "a1", username: "al", key: "k", payload: Buffer.from("hi") };
    await logs.announce(TOPIC, publication);
    const attempt = { from: "a1", protocol: "", payload: Buffer.from("hi") };
    const first = said("hi", attempt);
    await expect(logs.append(first)).resolves.toBe("route");
    await expect(logs.append(said("hi", attempt))).resolves.toBe("drop");
    // A callback that comes twice is no second attempt.
    await expect(logs.append(first)).resolves.toBe("route");
  });

  test("waits for a slow store a while, and tells late of what it took after that", async () => {
    log.isSlow = true;
    const routed = logs.append(said("slow"));
    await clock.advance(249);
    expect(logs.stats()).toEqual({ spooled: 1, refused: 0 });
    await clock.advance(1);
    await expect(routed).resolves.toBe("route");
    expect(late).toEqual([]);
    log.answer();
    await settled();
    expect(late).toEqual([[TOPIC, { epoch: expect.any(Number), offset: 1 }]]);
    expect(clock.armed).toBe(0);
  });

  test("waits no more once the store has failed, and tells of each topic's newest alone", async () => {
    log.fault = away;
    const first = logs.append(said("m1"));
    await settled();
    for (let i = 2; i <= 5; i++) await expect(logs.append(said(`m${i}`))).resolves.toBe("route");
    const other = said("other", { topic: "chat/room/den" });
    await expect(logs.append(other)).resolves.toBe("route");
    log.fault = undefined;
    await clock.advance(2_000);
    await expect(first).resolves.toBe("route");
    const newest = late.filter(([topic]) => topic === TOPIC);
    expect(newest).toEqual([[TOPIC, expect.objectContaining({ offset: 5 })]]);
    expect(late).toHaveLength(2);
    await expect(append(1)).resolves.toHaveLength(1);
    expect(late).toHaveLength(2);
  });

  describe("once the store is back, a second attempt", () => {
    const publication = { from: "a1", username: "al", key: "k", payload: Buffer.from("hi") };
    const attempt = { from: "a1", protocol: "", payload: Buffer.from("hi") };
    let first: LogMessage;

    beforeEach(async () => {
      await logs.announce(TOPIC, publication);
      log.fault = away;
      first = said("hi", attempt);
      await expect(logs.append(first)).resolves.toBe("route");
    });

    test("finds the first one, which waits here", async () => {
      log.fault = undefined;
      await expect(logs.announce(TOPIC, publication)).resolves.toMatchObject({ id: first.id });
    });

    test("that was made already is dropped", async () => {
      log.fault = undefined;
      await expect(logs.append(said("hi", attempt))).resolves.toBe("drop");
    });

    test("of something else waits for nothing", async () => {
      const other = { ...publication, key: "k2", payload: Buffer.from("ho") };
      await expect(logs.announce(TOPIC, other)).rejects.toBe(away);
      expect(log.calls.at(-1)).toBe("announce");
      log.fault = undefined;
      await expect(logs.announce(TOPIC, other)).resolves.toBeUndefined();
    });

    test("is refused while it is away, and while it can't be known", async () => {
      await expect(logs.announce(TOPIC, publication)).rejects.toMatchObject({
        code: "UNAVAILABLE",
      });
      log.fault = undefined;
      log.isSlow = true;
      const announced = logs.announce(TOPIC, publication);
      await settled();
      log.fault = away;
      log.answer();
      await expect(announced).rejects.toMatchObject({ code: "UNAVAILABLE" });
    });
  });

  test("routes what there is no room for, and counts it", async () => {
    log.fault = away;
    void logs.append(said("m0"));
    await settled();
    await append(51);
    expect(logs.stats()).toEqual({ spooled: 50, refused: 2 });
    await logs.stop();
    expect(logs.stats().spooled).toBe(0);
  });
});

describe("locate", () => {
  test("answers at once what is remembered, and with what the log knows", async () => {
    const one = said("hi", { username: "al", protocol: "exproto" });
    await logs.append(one);
    await logs.locate([delivered(one)]);
    const calls = log.calls.length;
    expect(logs.locate([delivered(one)])).toEqual([
      { ...delivered(one), username: "al", isOurs: true, position: expect.anything() },
    ]);
    expect(log.calls).toHaveLength(calls);
  });

  test("leaves a topic without a log alone", () => {
    const one = delivered(said("hi", { topic: "chat/presence/lobby" }));
    expect(logs.locate([one])).toEqual([one]);
    expect(log.calls).toEqual([]);
  });

  test("appends what no log knows, once for all who ask", async () => {
    const one = said("unhooked");
    const all = await Promise.all(Array.from({ length: 20 }, () => place(one)));
    expect(new Set(all.map((found) => found?.offset))).toEqual(new Set([1]));
    // Those who asked while the first look was under way have looked once more.
    expect(appends().length).toBeLessThanOrEqual(2);
  });

  test("keeps an older message out: it was dropped, or is a retained one", async () => {
    await expect(place(said("old", { timestamp: clock.now() - 301_000 }))).resolves.toBeUndefined();
    expect(appends()).toEqual([]);
  });

  test("while the store is away gives no place, and room in the spool is taken once", async () => {
    log.fault = away;
    const one = said("m1");
    void logs.append(one);
    await clock.advance(250);
    const all = await Promise.all(Array.from({ length: 100 }, () => place(one)));
    expect(all.filter((found) => found !== undefined)).toEqual([]);
    expect(logs.stats()).toEqual({ spooled: 1, refused: 0 });
    log.fault = undefined;
    await clock.advance(2_000);
    expect(late).toHaveLength(1);
    await expect(place(one)).resolves.toMatchObject({ offset: 1 });
  });
});

describe("read", () => {
  test("is served from memory where it can be", async () => {
    const [first] = await append(3);
    if (first === undefined) throw new Error("nothing was said");
    const { epoch = 0 } = (await place(first)) ?? {};
    const calls = log.calls.length;
    await expect(read({ epoch, offset: 1 })).resolves.toMatchObject({ offsets: [2, 3] });
    expect(log.calls).toHaveLength(calls);
    await append(1);
    await expect(read({ epoch, offset: 3 })).resolves.toMatchObject({ offsets: [4] });
    await append(1);
    await expect(read({ epoch, offset: 3 }, true)).resolves.toMatchObject({
      head: { last: 5 },
      offsets: [4, 5],
    });
  });

  test("gives a reader of another epoch the head alone", async () => {
    await append(3);
    await expect(read({ epoch: 1, offset: 0 }, true)).resolves.toMatchObject({
      head: { last: 3 },
      offsets: [],
    });
  });

  test("never gives a reader an older epoch than its own", async () => {
    await append(3);
    const before = await read({ epoch: 1, offset: 0 }, true);
    await clock.advance(1_000);
    const anew = createMemoryRoomLog({ clock });
    await anew.append(TOPIC, [said("new")]);
    const { epoch } = (await anew.open([TOPIC]))[0] ?? { epoch: 0 };
    expect(epoch).toBeGreaterThan(before.head.epoch);
    Object.assign(log, { read: anew.read, readBack: anew.readBack });
    await expect(read({ epoch, offset: 0 })).resolves.toMatchObject({
      head: { epoch },
      offsets: [1],
    });
  });

  test("that finds a new epoch behind what is remembered gives none of its entries", async () => {
    await append(200);
    const { head } = await read({ epoch: 1, offset: 0 }, true);
    await clock.advance(1_000);
    const anew = createMemoryRoomLog({ clock });
    await anew.append(TOPIC, [said("new 1"), said("new 2")]);
    Object.assign(log, { read: anew.read, readBack: anew.readBack });
    const page = await read({ epoch: head.epoch, offset: 1 });
    expect(page.head.epoch).toBeGreaterThan(head.epoch);
    expect(page.offsets).toEqual([]);
  });
});

describe("an archive", () => {
  /** What was dropped from the log. */
  let older: LogEntry[];
  const archive: OlderEntries = {
    read: (_, { after, limit }) =>
      Promise.resolve(older.filter((entry) => isBehind(entry, after)).slice(0, limit)),
    readBack(_, { before, limit }) {
      const newestFirst = [...older].reverse();
      const end =
        typeof before === "string"
          ? (older.find(({ id }) => id === before)?.offset ?? 0)
          : (before?.offset ?? Infinity);
      return Promise.resolve(newestFirst.filter(({ offset }) => offset < end).slice(0, limit));
    },
  };
  const isBehind = (one: LogPosition, other: LogPosition): boolean =>
    one.epoch > other.epoch || (one.epoch === other.epoch && one.offset > other.offset);
  let epoch: number;

  /** 1 to 10 were said; the log has 8, 9, 10, the archive 1 to 9. */
  beforeEach(async () => {
    const full = createMemoryRoomLog({ clock });
    log = createFaultyLog(clock, { maxEntries: 3 });
    const all = Array.from({ length: 10 }, (_, i) => said(`m${i + 1}`));
    await full.append(TOPIC, all);
    await log.append(TOPIC, all);
    epoch = (await log.open([TOPIC]))[0]?.epoch ?? 0;
    const { entries } = await full.read(TOPIC, { after: 0, limit: 9, maxBytes: Infinity });
    older = entries.map((entry) => ({ ...entry, epoch }));
    start(archive);
  });

  test("fills in what the log has dropped", async () => {
    await expect(read({ epoch, offset: 2 }, true, 4)).resolves.toMatchObject({
      head: { first: 3, last: 10 },
      offsets: [3, 4, 5, 6],
    });
    await expect(read({ epoch, offset: 7 })).resolves.toMatchObject({ offsets: [8, 9, 10] });
  });

  test("fills it in with what was there of each epoch", async () => {
    const epochs = [
      { epoch: 1, since: 1 },
      { epoch: 2, since: 5 },
      { epoch: 3, since: 8 },
    ];
    const inEpochs = async <Page extends LogPage>(reading: Promise<Page>): Promise<Page> => {
      const page = await reading;
      return { ...page, head: { ...page.head, epoch: 3, epochs } };
    };
    const { read: readAll, readBack } = log;
    log.read = (topic, range) => inEpochs(readAll(topic, range));
    log.readBack = (topic, range) => inEpochs(readBack(topic, range));
    const rows = older;
    const ofEpoch = (epoch: number, from: number, to: number) =>
      rows
        .slice(from - 1, to)
        .map((entry) => ({ ...entry, epoch, id: `${epoch}/${entry.offset}` }));
    // What the first epoch has lost was in the archive already.
    older = [...ofEpoch(1, 1, 6), ...ofEpoch(2, 5, 7), ...ofEpoch(3, 8, 9)];
    const idsBehind = async (offset: number) => {
      const page = await logs.read({
        topic: TOPIC,
        after: { epoch: 3, offset },
        limit: 100,
        isFresh: true,
      });
      return page.entries.map(({ id }) => id);
    };
    await expect(idsBehind(2)).resolves.toEqual(["1/3", "1/4"]);
    await expect(idsBehind(4)).resolves.toEqual(["2/5", "2/6", "2/7", "3/8", "3/9"]);
  });

  test("that has not all of it leaves the hole to be told", async () => {
    older = older.slice(5);
    await expect(read({ epoch, offset: 2 }, true)).resolves.toMatchObject({
      head: { first: 8 },
      offsets: [8, 9, 10],
    });
  });

  test.each([
    { before: undefined, limit: 2, offsets: [10, 9], more: true },
    { before: undefined, limit: 3, offsets: [10, 9, 8], more: true },
    { before: undefined, limit: 5, offsets: [10, 9, 8, 7, 6], more: true },
    { before: undefined, limit: 10, offsets: [10, 9, 8, 7, 6, 5, 4, 3, 2, 1], more: false },
    { before: 9, limit: 3, offsets: [8, 7, 6], more: true },
    { before: 8, limit: 7, offsets: [7, 6, 5, 4, 3, 2, 1], more: false },
    { before: 4, limit: 2, offsets: [3, 2], more: true },
    { before: 2, limit: 2, offsets: [1], more: false },
    { before: 1, limit: 2, offsets: [], more: false },
  ])("continues a history of $limit before $before", async ({ before, limit, offsets, more }) => {
    const id = older.find(({ offset }) => offset === before)?.id;
    const history = await logs.history(TOPIC, id, limit);
    expect(history.entries.map(({ offset }) => offset)).toEqual(offsets);
    expect(history.more).toBe(more);
  });

  test("is not asked for what the log has", async () => {
    older = [];
    await expect(logs.history(TOPIC, undefined, 2)).resolves.toMatchObject({ more: true });
    await expect(logs.history(TOPIC, undefined, 3)).resolves.toMatchObject({ more: false });
  });
});

describe("settle", () => {
  test("waits a little for what is on its way, and gives up then", async () => {
    const publication = { from: "a1", username: "", key: "k", payload: Buffer.from("hi") };
    await logs.announce(TOPIC, publication);
    const settling = logs.settle(TOPIC, publication);
    await clock.advance(100);
    const one = said("hi", { from: "a1", protocol: "" });
    await logs.append(one);
    await clock.advance(100);
    await expect(settling).resolves.toMatchObject({ id: one.id, offset: 1 });

    const unheard = logs.settle(TOPIC, { ...publication, key: "other" });
    await clock.advance(600);
    await expect(unheard).resolves.toBeUndefined();
  });
});
