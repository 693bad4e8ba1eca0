/** What no client may do to others: by its topics, its names, its slowness. */
import { describe, expect, test } from "@jest/globals";
import { eventually } from "../support/eventually.js";
import { denied, payload, publish, subscribe, success } from "./support/adapter-calls.js";
import { useWorlds, type World } from "./support/world.js";

const startWorld = useWorlds();

describe("hostile topics", () => {
  test("$SYS is in no #, over MQTT or ExProto", async () => {
    const world = await startWorld();
    const { conn } = await world.login("alice");
    await world.subscribes(conn, "#", "+/+/new/clients");
    const mqtt = await world.mqtt();
    await mqtt.listens("#");
    // The broker announces it below $SYS.
    await world.mqtt();
    await world.publishes(conn, "after");
    await mqtt.hears("after");
    expect(mqtt.heard).toEqual(["after"]);
    expect(await world.topicsUpToNow(conn)).toEqual(["after"]);
  });

  test.each([
    ["empty", ""],
    ["with NUL", "a\0b"],
    ["with #", "a/#"],
    ["with +", "a/+/b"],
    ["with # in a word", "a#"],
    ["of 65,536 characters", "x".repeat(65_536)],
    ["of 200 levels", "x/".repeat(200)],
    ["below $SYS", "$SYS/x"],
  ])("RawPublish to a topic %s goes nowhere; subscribers stay", async (_name, topic) => {
    const world = await startWorld();
    const { conn } = await world.login("alice");
    await world.subscribes(conn, "#", "$SYS/#");
    const mqtt = await world.mqtt();
    await mqtt.listens("#");
    expect(await world.adapter.RawPublish({ topic, qos: 0, payload })).toEqual(success);
    await world.adapter.RawPublish({ topic: "after", qos: 0, payload });
    await mqtt.hears("after");
    expect(mqtt.heard).toEqual(["after"]);
    expect(await world.topicsUpToNow(conn)).toEqual(["after"]);
    expect(mqtt.client.connected).toBe(true);
  });

  // The broker takes such a message for word of another node: the client is there now.
  const forged = "$SYS/evil/new/clients";
  const victim = Buffer.from("victim");

  test.each<[string, (world: World) => Promise<unknown>]>([
    ["RawPublish", ({ adapter }) => adapter.RawPublish({ topic: forged, qos: 0, payload: victim })],
    [
      "Publish",
      async ({ adapter, login }) => {
        const { conn } = await login("evil");
        return adapter.Publish({ conn, topic: forged, qos: 0, payload: victim });
      },
    ],
    [
      "MQTT",
      async (world) => {
        const evil = await world.mqtt();
        evil.client.publish(forged, victim);
        await evil.isCut();
      },
    ],
  ])("word of a client on another node, forged by %s, is not believed", async (_name, forge) => {
    const world = await startWorld();
    const mqtt = await world.mqtt("tcp", { clientId: "victim" });
    await mqtt.listens("after");
    await forge(world);
    await world.adapter.RawPublish({ topic: "after", qos: 0, payload });
    await mqtt.hears("after");
    expect(mqtt.client.connected).toBe(true);
    expect(world.host.stats().mqttClients).toBe(1);
  });
});

describe("%c and %u in a rule", () => {
  const acl = [
    { permission: "allow", action: "all", topics: ["own/%c", "own/%u/#"] },
    { permission: "deny", action: "all", topics: ["own/#"] },
  ] as const;
  const refused = denied(`<<"Authorization deny">>`);
  const names = ["#", "+", "+/+", "%c", "%u", "/"];

  test("stand for the client's own names", async () => {
    const world = await startWorld({ acl });
    const { conn } = await world.login("alice-1", "alice");
    const codes = [];
    for (const topic of ["own/alice-1", "own/alice/a/b", "own/bob-1", "own/bob/a", "own/alice-1/a"])
      codes.push((await publish(topic)(world, conn)).code);
    expect(codes).toEqual([
      "SUCCESS",
      "SUCCESS",
      "PERMISSION_DENY",
      "PERMISSION_DENY",
      "PERMISSION_DENY",
    ]);
  });

  test("a client without a username gets nothing by %u", async () => {
    const world = await startWorld({ acl });
    const { conn } = await world.login("alice");
    expect(await publish("own//a")(world, conn)).toEqual(refused);
  });

  test.each(names)("the client id %s opens nobody else's topics", async (clientid) => {
    const world = await startWorld({ acl });
    const { conn } = await world.login(clientid);
    expect(await subscribe("own/victim")(world, conn)).toEqual(refused);
    expect(await publish("own/victim")(world, conn)).toEqual(refused);
  });

  test.each(names)("nor does the username %s", async (username) => {
    const world = await startWorld({ acl });
    const { conn } = await world.login("mallory", username);
    expect(await subscribe("own/victim/a")(world, conn)).toEqual(refused);
    expect(await publish("own/victim/a")(world, conn)).toEqual(refused);
  });

  test.each(names)("nor does the MQTT client id %s", async (clientId) => {
    const world = await startWorld({ acl });
    const mqtt = await world.mqtt("tcp", { clientId });
    await expect(mqtt.listens("own/victim")).rejects.toThrow();
    mqtt.client.publish("own/victim", payload);
    await mqtt.isCut();
  });
});

describe("a slow MQTT subscriber", () => {
  test("delays neither Publish nor what others get", async () => {
    const world = await startWorld();
    const { conn } = await world.login("alice");
    await world.subscribes(conn, "big");
    await slowSubscriber(world);
    const big = Buffer.alloc(128 * 1024);
    // More than the kernel's buffers hold for the slow one.
    for (let count = 0; count < 250; count += 1) {
      await world.adapter.Publish({ conn, topic: "big", qos: 0, payload: big });
    }
    await world.hears(conn, 250);
    // It was not the slow one's end that has made way.
    expect(world.host.stats().mqttClients).toBe(1);
  });

  /** Subscribes to `big`, and reads nothing from then on. */
  async function slowSubscriber({ dial, host }: World): Promise<void> {
    const client = await dial(host.ports.mqtt);
    // CONNECT of the client id "s", MQTT 3.1.1; then SUBSCRIBE to "big" at qos 0.
    client.write(fromHex("10 0d 0004 4d515454 04 02 003c 0001 73"));
    client.write(fromHex("82 08 0001 0003 626967 00"));
    const answers = fromHex("20 02 00 00 90 03 0001 00");
    await eventually("CONNACK and SUBACK", () => client.received.equals(answers));
    client.socket.pause();
  }

  function fromHex(spaced: string): Buffer {
    return Buffer.from(spaced.replaceAll(" ", ""), "hex");
  }
});
