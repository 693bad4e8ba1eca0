import { beforeEach, describe, expect, test } from "@jest/globals";
import { createOutbox } from "../../src/adapter/outbox.js";
import { createPublications } from "../../src/handler/index.js";
import { createPublisher, type Publisher } from "../../src/handler/publisher.js";
import { createRoomLogs, type RoomLogs } from "../../src/log/index.js";
import { silentLogger } from "../../src/logger.js";
import type { Published } from "../../src/protocol.js";
import { away, createFaultyLog, TOPIC, type FaultyLog } from "../log/faulty-log.js";
import { createFakeAdapter, type FakeAdapter } from "../support/fake-adapter.js";
import { createFakeClock, type FakeClock } from "../support/fake-clock.js";

let clock: FakeClock;
let log: FaultyLog;
let logs: RoomLogs;
let adapter: FakeAdapter;

beforeEach(() => {
  clock = createFakeClock();
  log = createFaultyLog(clock);
  adapter = createFakeAdapter(() => clock.now());
  logs = createRoomLogs({
    log,
    keeps: (topic) => topic.startsWith("chat/room/"),
    clock,
    logger: silentLogger,
  });
  adapter.hook = (message) => logs.append(message);
});

async function publisherOf(clientId: string, username = "", kept = logs): Promise<Publisher> {
  const conn = adapter.connect();
  await adapter.authenticate(conn, { clientId, username, password: "" });
  const events = { onSent: () => undefined, onSendFailed: () => undefined };
  const publisher = createPublisher(
    { adapter, log: kept, publications: createPublications(clock) },
    { conn, instance: conn, peer: { host: "127.0.0.1", port: 1, socket: "tcp" } },
    createOutbox(conn, adapter, events),
  );
  publisher.client = { clientId, username };
  return publisher;
}

/** What it comes to, or the code it fails with. */
async function say(
  publisher: Publisher,
  text: string,
  more: { readonly qos?: number; readonly key?: string; readonly topic?: string } = {},
): Promise<Published | string | undefined> {
  const { qos = 1, key = "", topic = TOPIC } = more;
  const call = { name: "publish", topic, qos, key, payload: Buffer.from(text) } as const;
  const said = publisher.publish(call).catch((error: unknown) => (error as { code: string }).code);
  await clock.advance(1_000);
  return said;
}

const published = () => adapter.calls.filter((call) => call.startsWith("publish")).length;

describe("a publish", () => {
  test.each([0, 1, 2])("at qos %i tells where it is in its log", async (qos) => {
    const alice = await publisherOf("a1");
    await expect(say(alice, "one", { qos })).resolves.toMatchObject({ offset: 1 });
    await expect(say(alice, "one", { qos })).resolves.toMatchObject({ offset: 2 });
  });

  test("to a topic without a log tells nothing, and asks no log", async () => {
    const alice = await publisherOf("a1");
    await expect(say(alice, "one", { topic: "other" })).resolves.toBeUndefined();
    expect(log.calls).not.toContain("announce");
    expect(published()).toBe(1);
  });

  test("under a key is made once, over connections too", async () => {
    const alice = await publisherOf("a1", "alice");
    const first = await say(alice, "one", { key: "k" });
    await expect(say(alice, "one", { key: "k" })).resolves.toEqual(first);
    const again = await publisherOf("a1", "alice");
    await expect(say(again, "one", { key: "k" })).resolves.toEqual(first);
    expect(published()).toBe(1);
  });

  test("under the same key of another user or client is another's", async () => {
    const users = [
      ["a1", "alice"],
      ["a1", "bob"],
      ["b1", "bob"],
    ] as const;
    for (const [clientId, username] of users) {
      const publisher = await publisherOf(clientId, username);
      await expect(say(publisher, "one", { key: "k" })).resolves.toMatchObject({});
    }
    expect(published()).toBe(3);
  });

  test("that the broker refuses is no entry, and its retry is the first", async () => {
    const alice = await publisherOf("a1");
    let refuses = true;
    adapter.before("publish", () => {
      if (refuses) throw away;
    });
    await expect(say(alice, "one", { key: "k" })).resolves.toBe("UNAVAILABLE");
    refuses = false;
    await expect(say(alice, "one", { key: "k" })).resolves.toMatchObject({ offset: 1 });
  });
});

describe("while the store is away", () => {
  test.each([
    { what: "qos 0 is published all the same", qos: 0, key: "", comes: undefined, calls: 1 },
    { what: "qos 0 with a key is not", qos: 0, key: "k", comes: "UNAVAILABLE", calls: 0 },
    { what: "qos 1 is not", qos: 1, key: "", comes: "UNAVAILABLE", calls: 0 },
    { what: "qos 2 is not", qos: 2, key: "k", comes: "UNAVAILABLE", calls: 0 },
  ])("$what", async ({ qos, key, comes, calls }) => {
    const alice = await publisherOf("a1");
    log.fault = away;
    await expect(say(alice, "one", { qos, key })).resolves.toBe(comes);
    expect(published()).toBe(calls);
  });

  test.each([
    { qos: 0, comes: undefined },
    { qos: 1, comes: "UNAVAILABLE" },
  ])("from the middle of a publish on, qos $qos comes to $comes", async ({ qos, comes }) => {
    const alice = await publisherOf("a1");
    adapter.before("publish", () => {
      log.fault = away;
    });
    await expect(say(alice, "one", { qos })).resolves.toBe(comes);
    expect(published()).toBe(1);
  });
});

test("without an ExHook, qos 1 has no place and fails, and qos 0 does not", async () => {
  const alice = await publisherOf("a1");
  adapter.hook = undefined;
  await expect(say(alice, "one")).resolves.toBe("UNAVAILABLE");
  await expect(say(alice, "one", { qos: 0 })).resolves.toBeUndefined();
});
