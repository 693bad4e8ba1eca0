import { describe, expect, test } from "@jest/globals";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { eventually } from "../support/eventually.js";
import { createFakeClock } from "../support/fake-clock.js";
import { allHooks, allowAll, called, useHookWorlds, users } from "./support/hook-world.js";

const { start, startProvider, startWorld } = useHookWorlds();

describe.each(["v1", "v2", "v3"] as const)("ExHook %s", (generation) => {
  const authorize = generation === "v1" ? "client.check_acl" : "client.authorize";

  test("the provider is told of the broker, once, and of its end", async () => {
    const { world, provider } = await start(generation, []);
    const [loaded] = provider.callsOf("provider.loaded");
    expect(loaded?.meta).toMatchObject({ node: "emqx@127.0.0.1", clusterName: "emqxcl" });
    expect(typeof loaded?.broker?.uptime).toBe(generation === "v1" ? "string" : "number");
    await world.login("c");
    await world.host.close();
    expect(provider.calls.map(({ hook }) => hook)).toEqual([
      "provider.loaded",
      "provider.unloaded",
    ]);
  });

  test("an MQTT client's life, in order", async () => {
    const { world, provider } = await start(generation, allHooks(generation), { users });
    allowAll(provider, generation);
    const { client } = await world.mqtt("tcp", {
      clientId: "m",
      username: "ann",
      password: "secret",
    });
    await client.subscribeAsync("a/b", { qos: 1 });
    await client.publishAsync("a/b", "x", { qos: 1 });
    await called(provider, "message.delivered");
    await client.unsubscribeAsync("a/b");
    await client.endAsync();
    await called(provider, "session.terminated");
    expect(provider.calls.map(({ hook }) => hook).slice(1)).toEqual([
      "client.connect",
      "client.authenticate",
      "session.created",
      "client.connected",
      "client.connack",
      authorize,
      "client.subscribe",
      "session.subscribed",
      authorize,
      "message.publish",
      "message.delivered",
      "client.unsubscribe",
      "session.unsubscribed",
      "client.disconnected",
      "session.terminated",
    ]);
    const [connect] = provider.callsOf("client.connect");
    expect(connect?.conninfo).toMatchObject({
      clientid: "m",
      username: "ann",
      peerhost: "127.0.0.1",
      protoName: "MQTT",
      protoVer: "4",
    });
    const [authenticate] = provider.callsOf("client.authenticate");
    expect(authenticate).toMatchObject({
      result: true,
      clientinfo: { clientid: "m", username: "ann", password: "secret", protocol: "mqtt" },
    });
    expect(provider.callsOf("client.connack")[0]?.resultCode).toBe("success");
    expect(provider.callsOf("session.subscribed")[0]).toMatchObject({
      topic: "a/b",
      subopts: { qos: 1 },
    });
    const [filter] = provider.callsOf("client.subscribe")[0]?.topicFilters ?? [];
    expect(generation === "v1" ? filter?.qos : filter?.subopts?.qos).toBe(1);
    expect(provider.callsOf("client.disconnected")[0]?.reason).toBe("normal");
    const [published] = provider.callsOf("message.publish");
    expect(published?.message?.headers).toEqual({
      protocol: "mqtt",
      peerhost: "127.0.0.1",
      username: "ann",
    });
    expect(provider.callsOf("message.delivered")[0]?.message?.id).toBe(published?.message?.id);
  });

  test("an ExProto client's life, in order", async () => {
    const { world, provider } = await start(generation, allHooks(generation));
    allowAll(provider, generation);
    const { conn, socket } = await world.login("c", "ann");
    await world.subscribes(conn, "a", "a");
    await world.publishes(conn, "a", 1);
    const [message] = await world.hears(conn, 1);
    expect((await world.adapter.Unsubscribe({ conn, topic: "a" })).code).toBe("SUCCESS");
    socket.end();
    await called(provider, "client.disconnected");
    expect(provider.calls.map(({ hook }) => hook).slice(1)).toEqual([
      "client.connect",
      "client.authenticate",
      "client.connected",
      authorize,
      "session.subscribed",
      authorize,
      authorize,
      "message.publish",
      "message.delivered",
      "session.unsubscribed",
      "client.disconnected",
    ]);
    expect(provider.callsOf("client.connected")[0]?.clientinfo).toMatchObject({
      clientid: "c",
      username: "ann",
      protocol: "exproto",
      peerhost: "127.0.0.1",
    });
    expect(provider.callsOf("client.disconnected")[0]?.reason).toBe("tcp_closed");
    const [published] = provider.callsOf("message.publish");
    expect(published?.message).toMatchObject({ id: message?.id, from: "c", qos: 1, headers: {} });
  });

  test("message hooks are called for the topics that were asked for", async () => {
    const hooks = [{ name: "message.publish", topics: ["room/+", "x/#"] }];
    const { world, provider } = await start(generation, hooks);
    const { conn } = await world.login("c");
    for (const topic of ["room", "room/a", "room/a/b", "x/y/z", "y"]) {
      await world.publishes(conn, topic);
    }
    const topics = provider.callsOf("message.publish").map(({ message }) => message?.topic);
    expect(topics).toEqual(["room/a", "x/y/z"]);
  });

  test("one client id in two MQTT connections: discarded, or taken over", async () => {
    const { world, provider } = await start(
      generation,
      allHooks(generation).filter((hook) => /^session|connected$/.test(hook)),
    );
    const takenover = generation === "v1" ? "session.takeovered" : "session.takenover";
    await world.mqtt("tcp", { clientId: "m", clean: true });
    const second = await world.mqtt("tcp", { clientId: "m", clean: false });
    await second.listens("kept");
    await world.mqtt("tcp", { clientId: "m", clean: false });
    await called(provider, "session.resumed");
    await called(provider, takenover);
    await called(provider, "client.connected", 3);
    const hooks = provider.calls.map(({ hook }) => hook).slice(1);
    expect(hooks.filter((hook) => hook.startsWith("session"))).toEqual(
      expect.arrayContaining([
        "session.created",
        "session.discarded",
        "session.created",
        "session.subscribed",
        takenover,
        "session.resumed",
      ]),
    );
    const reasons = provider.callsOf("client.disconnected").map(({ reason }) => reason);
    expect(reasons).toEqual(["discarded", "takenover"]);
    expect(provider.callsOf("session.created")).toHaveLength(2);
    expect(provider.callsOf("session.terminated")).toHaveLength(0);
  });

  test("a discarded ExProto client is told of", async () => {
    const { world, provider } = await start(generation, ["client.disconnected"]);
    await world.login("c");
    await world.login("c");
    await called(provider, "client.disconnected");
    expect(provider.callsOf("client.disconnected")[0]?.reason).toBe("discarded");
  });

  test("a will passes message.publish, after its client has gone", async () => {
    const { world, provider } = await start(generation, ["message.publish", "client.disconnected"]);
    const { conn } = await world.login("c");
    await world.subscribes(conn, "will");
    const will = { topic: "will", payload: Buffer.from("bye"), qos: 1, retain: false } as const;
    const { client } = await world.mqtt("tcp", { clientId: "m", will });
    client.stream.destroy();
    const [message] = await world.hears(conn, 1);
    expect(provider.calls.map(({ hook }) => hook).slice(1)).toEqual([
      "client.disconnected",
      "message.publish",
    ]);
    expect(provider.callsOf("message.publish")[0]?.message).toMatchObject({
      from: "m",
      id: message?.id,
    });
  });

  test("a message without subscribers is dropped; one that is acknowledged is told of", async () => {
    const { world, provider } = await start(generation, ["message.dropped", "message.acked"]);
    const { conn } = await world.login("c");
    await world.publishes(conn, "nobody");
    expect(provider.callsOf("message.dropped")).toMatchObject([
      { reason: "no_subscribers", message: { topic: "nobody" } },
    ]);
    const kept = await world.mqtt("tcp", { clientId: "kept", clean: false });
    await kept.listens("somebody");
    await world.publishes(conn, "somebody", 1);
    await called(provider, "message.acked");
    expect(provider.callsOf("message.acked")[0]).toMatchObject({
      clientinfo: { clientid: "kept" },
      message: { topic: "somebody", from: "c" },
    });
    expect(provider.callsOf("message.dropped")).toHaveLength(1);
  });

  test("a provider that is away at load is asked until it is there", async () => {
    const provider = await startProvider(generation, ["message.publish"]);
    const clock = createFakeClock();
    const world = await startWorld({ clock, hook: { generation } });
    const client = await world.login("c");
    const { conn } = client;
    // Else it would be idle by this clock.
    await world.sendsByte(client);
    await provider.stop();
    await world.host.connectHook(provider.address);
    await world.publishes(conn, "before");
    await provider.start();
    await eventually("the provider is loaded", async () => {
      await clock.advance(1_000);
      await world.publishes(conn, "after");
      return provider.callsOf("message.publish").length > 0;
    });
    expect(provider.callsOf("provider.loaded")).toHaveLength(1);
    expect(provider.callsOf("message.publish")[0]?.message?.topic).toBe("after");
  });

  test("a provider that comes back is called again, and not loaded again", async () => {
    const { world, provider } = await start(generation, ["message.publish"]);
    const { conn } = await world.login("c");
    await world.subscribes(conn, "#");
    await world.publishes(conn, "1");
    await provider.stop();
    await world.publishes(conn, "2");
    await provider.start();
    await world.publishes(conn, "3");
    const topics = provider.callsOf("message.publish").map(({ message }) => message?.topic);
    expect(topics).toEqual(["1", "3"]);
    expect(provider.callsOf("provider.loaded")).toHaveLength(1);
    expect(await world.topicsUpToNow(conn)).toEqual(["1", "2", "3"]);
  });
});

test("a hook provider that is given twice is refused", async () => {
  const { world, provider } = await start("v2", []);
  expect(() => world.host.connectHook(provider.address)).toThrow("one only");
});

test("what mosquitto_pub publishes passes", async () => {
  const { world, provider } = await start("v2", ["message.publish"]);
  const port = String(world.host.ports.mqtt);
  const child = spawn("mosquitto_pub", ["-p", port, "-t", "room", "-m", "hi", "-q", "1"]);
  expect(await once(child, "exit")).toEqual([0, null]);
  const [published] = provider.callsOf("message.publish");
  expect(published?.message).toMatchObject({
    topic: "room",
    qos: 1,
    headers: { protocol: "mqtt", peerhost: "127.0.0.1" },
  });
});
