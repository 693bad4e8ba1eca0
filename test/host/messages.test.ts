/** Messages between connections and MQTT clients, as EMQX 5.8 passes them on. */
import { describe, expect, test } from "@jest/globals";
import { systemClock } from "../../src/clock.js";
import { useWorlds } from "./support/world.js";

const startWorld = useWorlds();

const success = { code: "SUCCESS", message: "" };
const payload = Buffer.from("x");

describe("a message", () => {
  test("comes back to who has published it, and has EMQX's fields", async () => {
    const world = await startWorld({ node: "emqx@10.0.0.1" });
    const { conn } = await world.login("alice");
    await world.subscribes(conn, "t/#");
    const before = systemClock.now();
    await world.publishes(conn, "t/a", 1);
    const [message] = await world.hears(conn, 1);
    const { id, timestamp, ...rest } = message!;
    expect(rest).toEqual({ node: "emqx@10.0.0.1", qos: 1, from: "alice", topic: "t/a", payload });
    expect(timestamp).toBeGreaterThanOrEqual(before);
    expect(timestamp).toBeLessThanOrEqual(systemClock.now());
    expect(id).toMatch(/^[0-9A-F]{32}$/);
    // The first 64 bits are microseconds.
    expect(BigInt(`0x${id.slice(0, 16)}`) / 1000n).toBe(BigInt(timestamp));
  });

  test.each([0, 1, 2])("published at qos %i has that qos, subscribed at 0", async (qos) => {
    const world = await startWorld();
    const { conn } = await world.login("alice");
    await world.subscribes(conn, "t");
    await world.publishes(conn, "t", qos);
    expect(await world.hears(conn, 1)).toMatchObject([{ qos }]);
  });

  test("has one id for all who get it, and one copy for each filter that fits", async () => {
    const world = await startWorld();
    const [alice, bob] = [await world.login("alice"), await world.login("bob")];
    await world.subscribes(alice.conn, "t/#", "t/+", "t/a", "u/#");
    await world.subscribes(bob.conn, "#");
    await world.publishes(bob.conn, "t/a");
    const [copies, [copy]] = [await world.hears(alice.conn, 3), await world.hears(bob.conn, 1)];
    expect(copies.map(({ id }) => id)).toEqual(Array(3).fill(copy?.id));
    expect(await world.topicsUpToNow(alice.conn)).toHaveLength(3);
  });

  test("of the same publisher has another id each time", async () => {
    const world = await startWorld();
    const { conn } = await world.login("alice");
    await world.subscribes(conn, "t");
    await Promise.all(Array.from({ length: 50 }, () => world.publishes(conn, "t")));
    const ids = (await world.hears(conn, 50)).map(({ id }) => id);
    expect(new Set(ids).size).toBe(50);
    expect([...ids].sort()).toEqual(ids);
  });

  test("of RawPublish is from exproto", async () => {
    const world = await startWorld();
    const { conn } = await world.login("alice");
    await world.subscribes(conn, "t");
    await world.adapter.RawPublish({ topic: "t", qos: 2, payload });
    expect(await world.hears(conn, 1)).toMatchObject([{ from: "exproto", qos: 2, payload }]);
  });

  test("of 2 MiB is passed on", async () => {
    const world = await startWorld();
    const { conn } = await world.login("alice");
    await world.subscribes(conn, "t");
    const big = Buffer.alloc(2 * 1024 * 1024, "abc");
    await world.adapter.Publish({ conn, topic: "t", qos: 0, payload: big });
    const [message] = await world.hears(conn, 1);
    expect(big.equals(message!.payload)).toBe(true);
  });
});

describe("a subscription", () => {
  test("made again gives no second copy", async () => {
    const world = await startWorld();
    const { conn } = await world.login("alice");
    await world.subscribes(conn, "t", "t");
    await world.publishes(conn, "t");
    expect(await world.topicsUpToNow(conn)).toEqual(["t"]);
  });

  test("ends with Unsubscribe, the others stay", async () => {
    const world = await startWorld();
    const { conn } = await world.login("alice");
    await world.subscribes(conn, "t", "t/#");
    expect(await world.adapter.Unsubscribe({ conn, topic: "t" })).toEqual(success);
    await world.publishes(conn, "t");
    expect(await world.topicsUpToNow(conn)).toEqual(["t"]);
    await world.adapter.Unsubscribe({ conn, topic: "t/#" });
    await world.publishes(conn, "t");
    expect(await world.topicsUpToNow(conn)).toEqual(["t"]);
  });

  test("to a malformed filter gets nothing, and harms no other", async () => {
    const world = await startWorld();
    const { conn } = await world.login("alice");
    await world.subscribes(conn, "", "a/#/b", "a#", "a+", "a\0b", "x".repeat(65_536), "a/b");
    for (const topic of ["a/b", "a", "a/x/b"]) await world.publishes(conn, topic);
    expect(await world.topicsUpToNow(conn)).toEqual(["a/b"]);
  });

  test.each([
    ["#", "t/a", true],
    ["+/+", "t/a", true],
    ["+/+", "/a", true],
    ["t/#", "t", true],
    ["t/+", "t/", true],
    ["t/+", "t", false],
    ["+", "t/a", false],
    ["T/a", "t/a", false],
    ["#", "$dollar/a", false],
    ["+/a", "$dollar/a", false],
    ["$dollar/#", "$dollar/a", true],
  ])("to %s fits %s: %p", async (filter, topic, fits) => {
    const world = await startWorld();
    const { conn } = await world.login("alice");
    await world.subscribes(conn, filter);
    await world.publishes(conn, topic);
    const heard = await world.topicsUpToNow(conn);
    expect(heard).toEqual(fits ? [topic] : []);
  });

  test("is gone with its connection", async () => {
    const world = await startWorld();
    const [alice, bob] = [await world.login("alice"), await world.login("bob")];
    await world.subscribes(alice.conn, "t");
    await world.adapter.Close(alice);
    await world.closeReason(alice.conn);
    await world.publishes(bob.conn, "t");
    await world.topicsUpToNow(bob.conn);
    expect(world.batchesOf(alice.conn)).toEqual([]);
  });
});

describe("batches", () => {
  test("what comes in one go is brought in one call, of at most 101 messages", async () => {
    const world = await startWorld();
    const { client } = await world.mqtt();
    const topics = Array.from({ length: 120 }, (_, i) => `r/${i}`);
    for (const topic of topics) client.publish(topic, payload, { retain: true });
    await client.publishAsync("r/last", payload, { qos: 1 });
    const { conn } = await world.login("alice");
    await world.subscribes(conn, "r/#");
    const messages = await world.hears(conn, 120);
    expect(messages.map(({ topic }) => topic)).toEqual(topics);
    expect(world.batchesOf(conn).map(({ length }) => length)).toEqual([101, 19]);
  });

  test("nothing is added to a call that waits; the order stays", async () => {
    const world = await startWorld();
    const { conn } = await world.login("alice");
    await world.subscribes(conn, "t/+");
    const release = world.handler.hold("OnReceivedMessages");
    const topics = Array.from({ length: 5 }, (_, i) => `t/${i}`);
    for (const topic of topics) await world.publishes(conn, topic);
    await world.sees(conn, "OnReceivedMessages");
    expect(world.batchesOf(conn)).toHaveLength(1);
    release();
    const messages = await world.hears(conn, 5);
    expect(messages.map(({ topic }) => topic)).toEqual(topics);
    expect(world.batchesOf(conn).length).toBeGreaterThan(2);
  });
});

describe.each(["tcp", "ws"] as const)("MQTT over %s", (over) => {
  test("messages go from MQTT to ExProto and back", async () => {
    const world = await startWorld();
    const { conn } = await world.login("alice");
    await world.subscribes(conn, "to/alice");
    const mqtt = await world.mqtt(over, { clientId: "bob" });
    await mqtt.listens("to/bob");
    await mqtt.client.publishAsync("to/alice", payload, { qos: 2 });
    expect(await world.hears(conn, 1)).toMatchObject([{ from: "bob", qos: 2, payload }]);
    await world.publishes(conn, "to/bob");
    await mqtt.hears("to/bob");
  });

  test("a client without the right password is refused", async () => {
    const world = await startWorld({ users: [{ username: "alice", password: "secret" }] });
    const as = (username: string, password: string) => world.mqtt(over, { username, password });
    await expect(as("alice", "guess")).rejects.toMatchObject({ code: 4 });
    await expect(as("mallory", "secret")).rejects.toMatchObject({ code: 5 });
    expect((await as("alice", "secret")).client.connected).toBe(true);
    expect(world.host.stats().mqttClients).toBe(1);
  });

  test("a client id is not shared with ExProto: neither disturbs the other", async () => {
    const world = await startWorld();
    const mqtt = await world.mqtt(over, { clientId: "same" });
    const { conn } = await world.login("same");
    await mqtt.listens("t");
    await world.publishes(conn, "t");
    await mqtt.hears("t");
    expect(world.host.stats()).toEqual({ connections: 1, clients: 1, mqttClients: 1 });
  });
});

describe("retained messages", () => {
  test("come on Subscribe, as ordinary ones, also for wildcards, and not on the second", async () => {
    const world = await startWorld();
    const { client } = await world.mqtt("tcp", { clientId: "bob" });
    await client.publishAsync("r/1", "kept", { retain: true, qos: 1 });
    const { conn } = await world.login("alice");
    await world.subscribes(conn, "r/+");
    expect(await world.hears(conn, 1)).toMatchObject([
      { topic: "r/1", from: "bob", qos: 1, payload: Buffer.from("kept") },
    ]);
    await world.subscribes(conn, "r/+");
    expect(await world.topicsUpToNow(conn)).toEqual(["r/1"]);
    await world.subscribes(conn, "r/1");
    expect(await world.hears(conn, 3)).toMatchObject([{}, {}, { topic: "r/1" }]);
  });

  test("below a level with $ are not in #", async () => {
    const world = await startWorld();
    const { client } = await world.mqtt();
    await client.publishAsync("$dollar/a", "kept", { retain: true, qos: 1 });
    const { conn } = await world.login("alice");
    await world.subscribes(conn, "#", "+/a");
    expect(await world.topicsUpToNow(conn)).toEqual([]);
    await world.subscribes(conn, "$dollar/#");
    expect(await world.topicsUpToNow(conn)).toEqual(["$dollar/a"]);
  });

  test("are forgotten by an empty one", async () => {
    const world = await startWorld();
    const { client } = await world.mqtt();
    await client.publishAsync("r/1", "kept", { retain: true, qos: 1 });
    await client.publishAsync("r/1", "", { retain: true, qos: 1 });
    const { conn } = await world.login("alice");
    await world.subscribes(conn, "r/+");
    expect(await world.topicsUpToNow(conn)).toEqual([]);
  });
});
