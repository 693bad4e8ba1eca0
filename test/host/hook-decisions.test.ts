import { describe, expect, test } from "@jest/globals";
import { crashed, denied, publish, subscribe, success } from "./support/adapter-calls.js";
import { allowAll, called, stop, useHookWorlds, users } from "./support/hook-world.js";

const { start } = useHookWorlds();

describe.each(["v1", "v2", "v3"] as const)("ExHook %s", (generation) => {
  const authorize = generation === "v1" ? "client.check_acl" : "client.authorize";

  test("a message is not routed before the answer, and keeps its order", async () => {
    const { world, provider } = await start(generation, [
      { name: "message.publish", topics: ["slow/#"] },
    ]);
    const release = provider.hold("message.publish");
    const listener = await world.login("listener");
    await world.subscribes(listener.conn, "#");
    const { conn } = await world.login("c");
    const { client } = await world.mqtt();
    const slow = [publish("slow/1")(world, conn), publish("fast/after")(world, conn)];
    const mqtt = client.publishAsync("slow/mqtt", "x", { qos: 1 });
    const raw = world.adapter.RawPublish({ topic: "slow/raw", qos: 0, payload: Buffer.from("x") });
    await called(provider, "message.publish", 3);
    expect(await world.topicsUpToNow(listener.conn)).toEqual([]);
    release();
    await Promise.all([...slow, mqtt, raw]);
    const topics = await world.topicsUpToNow(listener.conn);
    expect([...topics].sort()).toEqual(["fast/after", "slow/1", "slow/mqtt", "slow/raw"]);
    expect(topics.indexOf("slow/1")).toBeLessThan(topics.indexOf("fast/after"));
    const fromRaw = provider.callsOf("message.publish").find((r) => r.message?.from === "exproto");
    expect(fromRaw?.message).toMatchObject({ topic: "slow/raw", headers: {} });
  });

  test.each([0, 1, 2] as const)("a message of qos %i is replaced or dropped", async (qos) => {
    const { world, provider } = await start(generation, ["message.publish"]);
    provider.answer("message.publish", ({ message }) => {
      if (message === undefined) throw new Error("no message");
      const headers = message.topic === "drop" ? { allow_publish: "false" } : {};
      const payload = Buffer.from("changed");
      const value = { ...message, headers, topic: `new/${message.topic}`, qos: 2 - qos, payload };
      // CONTINUE would ask the next provider of a chain as well; there is none.
      const type = message.from === "c" ? "STOP_AND_RETURN" : "CONTINUE";
      return { type, value: { $case: "message", value } };
    });
    const listener = await world.login("listener");
    await world.subscribes(listener.conn, "#");
    const { conn } = await world.login("c");
    const { client } = await world.mqtt();
    for (const topic of ["drop", "keep"]) {
      expect(await publish(topic, qos)(world, conn)).toMatchObject({ code: "SUCCESS" });
      await client.publishAsync(topic, "x", { qos });
    }
    const messages = await world.hears(listener.conn, 2);
    const ids = provider
      .callsOf("message.publish")
      .filter(({ message }) => message?.topic === "keep")
      .map(({ message }) => message?.id);
    expect(messages.map(({ id }) => id)).toEqual(ids);
    for (const message of messages) {
      expect(message).toMatchObject({ topic: "new/keep", qos: 2 - qos });
      expect(Buffer.from(message.payload).toString()).toBe("changed");
    }
  });

  test.each(["CONTINUE", "IGNORE"] as const)("%s lets a message through as it is", async (type) => {
    const { world, provider } = await start(generation, ["message.publish"]);
    provider.answer("message.publish", () => ({ type, value: undefined }));
    const { conn } = await world.login("c");
    await world.subscribes(conn, "a");
    await world.publishes(conn, "a");
    expect(await world.hears(conn, 1)).toMatchObject([{ topic: "a" }]);
  });

  test.each(["an error", "a timeout"])("%s lets messages through, and nobody in", async (what) => {
    const hooks = ["message.publish", "client.authenticate", authorize];
    const { world, provider } = await start(generation, hooks, {}, 300);
    allowAll(provider, generation);
    const { conn } = await world.login("c");
    await world.subscribes(conn, "a");
    const spoil = (hook: string) =>
      what === "an error" ? provider.fail(hook) : void provider.hold(hook);
    spoil("message.publish");
    await world.publishes(conn, "a");
    expect(await world.hears(conn, 1)).toMatchObject([{ topic: "a" }]);
    spoil(authorize);
    expect(await subscribe("b")(world, conn)).toEqual(denied(`<<"Authorization deny">>`));
    spoil("client.authenticate");
    const other = await world.connect();
    expect(await world.authenticate(other.conn)).toEqual(denied("not_authorized"));
    await expect(world.mqtt()).rejects.toMatchObject({ code: 5 });
  });

  test.each([
    ["STOP_AND_RETURN true", stop({ $case: "boolResult", value: true }), true],
    ["STOP_AND_RETURN false", stop({ $case: "boolResult", value: false }), false],
    ["CONTINUE true", { type: "CONTINUE", value: { $case: "boolResult", value: true } }, true],
    ["CONTINUE false", { type: "CONTINUE", value: { $case: "boolResult", value: false } }, false],
    ["IGNORE", { type: "IGNORE", value: undefined }, generation === "v3"],
  ] as const)("%s decides on logins and permissions", async (_name, answer, allowed) => {
    const { world, provider } = await start(generation, ["client.authenticate", authorize]);
    allowAll(provider, generation);
    const { conn } = await world.login("first");
    const { client } = await world.mqtt();
    provider.answer("client.authenticate", () => answer);
    provider.answer(authorize, () => answer);
    const other = await world.connect();
    // Nobody else has decided on logins: what is left as it was is a refusal.
    expect(await world.authenticate(other.conn, { clientid: "other" })).toEqual(
      allowed && answer.type !== "IGNORE" ? success : denied("not_authorized"),
    );
    const expected = allowed ? success : denied(`<<"Authorization deny">>`);
    expect(await subscribe("a")(world, conn)).toEqual(expected);
    expect(await publish("a")(world, conn)).toEqual(expected);
    const [granted] = await client.subscribeAsync("a", { qos: 1 }).catch(() => []);
    expect(granted?.qos).toBe(allowed ? 1 : undefined);
  });

  test("an answer that can't be read is none", async () => {
    const { world, provider } = await start(generation, ["message.publish"]);
    provider.answer("message.publish", ({ message }) => {
      if (message === undefined) throw new Error("no message");
      // No number of JavaScript holds such a one exactly.
      return stop({ $case: "message", value: { ...message, timestamp: 2 ** 60 } });
    });
    const { conn } = await world.login("c");
    await world.subscribes(conn, "#");
    await world.publishes(conn, "a");
    const { client } = await world.mqtt();
    await client.publishAsync("b", "x", { qos: 1 });
    expect(await world.topicsUpToNow(conn)).toEqual(["a", "b"]);
  });

  test("a provider is told what was decided, which is nothing where there are no users", async () => {
    const { world, provider } = await start(generation, ["client.authenticate"]);
    allowAll(provider, generation);
    await world.login("c");
    const results = provider.callsOf("client.authenticate").map(({ result }) => result);
    expect(results).toEqual([generation === "v1"]);
  });

  test("a provider decides over the users", async () => {
    const { world, provider } = await start(generation, ["client.authenticate"], { users });
    provider.answer("client.authenticate", ({ result }) =>
      stop({ $case: "boolResult", value: result !== true }),
    );
    const { conn } = await world.connect();
    const good = { username: "ann" };
    expect(await world.authenticate(conn, good, "secret")).toEqual(denied("not_authorized"));
    expect(await world.authenticate(conn, { username: "bob" }, "any")).toEqual(success);
    const results = provider.callsOf("client.authenticate").map(({ result }) => result);
    expect(results).toEqual([true, false]);
  });
});

test("a slow hook holds up its own client alone, and its calls for as long as a call may take", async () => {
  const { world, provider } = await start("v2", [{ name: "message.publish", topics: ["slow"] }], {
    timeouts: { callTimeoutMs: 200 },
  });
  const release = provider.hold("message.publish");
  const slow = await world.login("slow");
  const other = await world.login("other");
  await world.subscribes(other.conn, "#");
  const held = publish("slow")(world, slow.conn);
  await called(provider, "message.publish");
  await world.publishes(other.conn, "fast");
  expect(await world.hears(other.conn, 1)).toMatchObject([{ topic: "fast" }]);
  expect(await held).toEqual(crashed);
  release();
  expect(await world.hears(other.conn, 2)).toMatchObject([{}, { topic: "slow" }]);
});

test("calls of one client stay in order", async () => {
  const { world, provider } = await start("v2", ["message.publish"]);
  const { client } = await world.mqtt("tcp", { clientId: "m" });
  const topics = Array.from({ length: 50 }, (_, index) => `t/${index}`);
  const listener = await world.login("listener");
  await world.subscribes(listener.conn, "t/+");
  await Promise.all(topics.map((topic) => client.publishAsync(topic, "x", { qos: 1 })));
  const called = provider.callsOf("message.publish").map(({ message }) => message?.topic);
  expect(called).toEqual(topics);
  expect((await world.hears(listener.conn, 50)).map(({ topic }) => topic)).toEqual(topics);
});

test("a qos 2 publish that is sent again is routed once", async () => {
  const { world, provider } = await start("v2", ["message.publish"]);
  const listener = await world.login("listener");
  await world.subscribes(listener.conn, "#");
  const { socket } = await world.dial(world.host.ports.mqtt);
  const connect = "10 0d 0004 4d515454 04 02 003c 0001 6d";
  const publishes = ["34 06 0001 61 0001 78", "3c 06 0001 61 0001 78"];
  for (const packet of [connect, ...publishes]) {
    socket.write(Buffer.from(packet.replaceAll(" ", ""), "hex"));
  }
  await called(provider, "message.publish", 2);
  await world.hears(listener.conn, 1);
  expect(await world.topicsUpToNow(listener.conn)).toEqual(["a"]);
});
