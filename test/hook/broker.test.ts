/** The hook services under a broker that calls them as EMQX does, with real MQTT clients. */
import { afterEach, describe, expect, test } from "@jest/globals";
import { connectAsync, type MqttClient } from "mqtt";
import { createMqttPresence, createHookServices } from "../../src/hook/index.js";
import { createHost, type Host } from "../../src/host/index.js";
import { silentLogger } from "../../src/logger.js";
import { startRpcServer, type RpcServer } from "../../src/rpc/server.js";
import { createMemoryMqttClientStore, createMemoryPresenceStore } from "../../src/store/index.js";
import type { LogMessage } from "../../src/store/records.js";
import { systemClock as clock } from "../../src/clock.js";
import { eventually } from "../support/eventually.js";
import { generations, type Generation } from "./support.js";

const ROOM = "chat/room/lobby";

interface World {
  readonly url: string;
  readonly told: readonly string[];
  readonly published: readonly LogMessage[];
}

const hosts: Host[] = [];
const servers: RpcServer[] = [];
const clients: MqttClient[] = [];

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.endAsync(true)));
  await Promise.all(hosts.splice(0).map((host) => host.close()));
  await Promise.all(servers.splice(0).map((server) => server.close(0)));
});

async function start(generation: Generation): Promise<World> {
  const told: string[] = [];
  const published: LogMessage[] = [];
  const presence = createMqttPresence({
    store: createMemoryPresenceStore({ clock }),
    clients: createMemoryMqttClientStore({ clock }),
    roomOf: (topic) => /^chat\/room\/([^/]+)$/.exec(topic)?.[1],
    isClientId: () => true,
    isUsername: () => true,
    announce: (event, room, { protocol, clientId }) =>
      told.push(`${event} ${room} ${protocol ?? "chat"} ${clientId}`),
    clock,
    logger: silentLogger,
  });
  const server = await startRpcServer({
    host: "127.0.0.1",
    port: 0,
    services: createHookServices({
      listener: {
        ...presence,
        messageTopics: ["chat/room/+"],
        onPublish(message) {
          published.push(message);
          return Promise.resolve(message.payload.length > 5 ? "drop" : "route");
        },
      },
      logger: silentLogger,
    }),
  });
  servers.push(server);
  const host = await createHost({
    ports: { chat: 0, adapter: 0, mqtt: 0, ws: 0 },
    hook: { generation, address: `127.0.0.1:${server.port}` },
  });
  hosts.push(host);
  return { url: `mqtt://127.0.0.1:${host.ports.mqtt}`, told, published };
}

async function connect(url: string, clientId: string, clean = true): Promise<MqttClient> {
  const client = await connectAsync(url, { clientId, clean, reconnectPeriod: 0 });
  clients.push(client);
  return client;
}

describe.each(generations)("an MQTT client of a broker that speaks ExHook %s", (generation) => {
  test("comes to a room and leaves it", async () => {
    const { url, told } = await start(generation);
    const mia = await connect(url, "mia");
    await mia.subscribeAsync(["chat/room/+", ROOM]);
    await eventually("she has come", () => told.length === 1);
    await mia.endAsync();
    await eventually("she has left", () => told.length === 2);
    expect(told).toEqual(["JOINED lobby mqtt mia", "LEFT lobby mqtt mia"]);
  });

  test("is back when its session goes on, without subscribing again", async () => {
    const { url, told } = await start(generation);
    const before = await connect(url, "mia", false);
    await before.subscribeAsync(ROOM, { qos: 1 });
    await before.endAsync();
    await eventually("she has left", () => told.length === 2);
    await connect(url, "mia", false);
    await eventually("she is back", () => told.length === 3);
    expect(told).toEqual(["JOINED lobby mqtt mia", "LEFT lobby mqtt mia", "JOINED lobby mqtt mia"]);
  });

  test("is heard before its messages are routed, or not", async () => {
    const { url, published } = await start(generation);
    const mia = await connect(url, "mia");
    const heard: string[] = [];
    mia.on("message", (_topic, payload) => heard.push(payload.toString()));
    await mia.subscribeAsync("#");
    for (const text of ["short", "too long", "end"]) {
      await mia.publishAsync(ROOM, text, { qos: 1 });
    }
    await mia.publishAsync("other/topic", "other", { qos: 1 });
    await eventually("all is there", () => heard.includes("other"));
    expect(heard).toEqual(["short", "end", "other"]);
    expect(published.map(({ payload }) => Buffer.from(payload).toString())).toEqual([
      "short",
      "too long",
      "end",
    ]);
    expect(published[0]).toMatchObject({ topic: ROOM, from: "mia", protocol: "mqtt", qos: 1 });
    expect(published[0]?.id).toMatch(/^[0-9A-F]{32}$/);
  });
});
