/** Rooms that remember, on real sockets: host and gateway, MQTT and chat clients, memory and Redis. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { systemClock } from "../../src/clock.js";
import type { GatewayOptions } from "../../src/gateway.js";
import { silentLogger } from "../../src/logger.js";
import {
  createMemoryRoomLog,
  createMemorySessionStore,
  createRedisStores,
  type RedisStores,
} from "../../src/store/index.js";
import type { Frame, FrameClient } from "../support/chat-client.js";
import { eventually } from "../support/eventually.js";
import { startRedisServer, type RedisServer } from "../support/redis-server.js";
import { startStack, type Stack, type StackOptions } from "../support/stack.js";

const run = promisify(execFile);

let stack: Stack;
let redis: RedisServer | undefined;
let stores: RedisStores | undefined;

async function onRedis(): Promise<Partial<GatewayOptions>> {
  redis = await startRedisServer();
  stores = createRedisStores({ url: redis.url, logger: silentLogger });
  await eventually("the stores are ready", () => stores?.ready());
  const { sessions, presence, log } = stores;
  return { sessions, presence, roomLog: log };
}

const inMemory = () =>
  Promise.resolve<Partial<GatewayOptions>>({
    sessions: createMemorySessionStore({ clock: systemClock }),
    roomLog: createMemoryRoomLog({ clock: systemClock }),
  });

const kinds: readonly (readonly [
  string,
  () => Promise<Partial<GatewayOptions>>,
  StackOptions["host"],
])[] = [
  ["memory, unary handler, ExHook v2", inMemory, { hook: { generation: "v2" } }],
  [
    "memory, streaming handler, ExHook v1",
    inMemory,
    { hook: { generation: "v1" }, service: "ConnectionHandler" },
  ],
  ["Redis, unary handler, ExHook v3", onRedis, { hook: { generation: "v3" } }],
];

async function hello(clientId: string, more: Frame = {}): Promise<FrameClient> {
  const client = await stack.protobuf();
  client.sends({ hello: { clientId, username: clientId, ...more } });
  return client;
}

async function member(clientId: string, join: Frame = {}): Promise<FrameClient> {
  const client = await hello(clientId);
  await client.hears("welcome");
  await expect(client.asks("join", { room: "lobby", ...join })).resolves.toMatchObject({
    ok: { recoverable: true },
  });
  return client;
}

describe.each(kinds)("with %s", (_, gateway, host) => {
  beforeEach(async () => {
    stack = await startStack({ gateway: await gateway(), ...(host && { host }) });
  });
  afterEach(async () => {
    await stack.end();
    await stores?.close();
    await redis?.close();
    stores = redis = undefined;
  });

  test("MQTT and chat clients read the same room, and what MQTT said is in the history", async () => {
    const alice = await member("alice");
    const listener = await stack.mqtt();
    await listener.listens("chat/room/lobby");
    const { ok } = (await alice.asks("say", { room: "lobby", text: "from chat" })) as {
      ok: { id: string; offset: string };
    };
    expect(ok).toMatchObject({ offset: "1" });
    await listener.hears("from chat");
    const port = String(stack.host.ports.mqtt);
    const args = ["-p", port, "-t", "chat/room/lobby", "-m", "from mosquitto", "-q", "1"];
    await run("mosquitto_pub", args);
    const heard = await alice.hears("message");
    expect(heard).toMatchObject({ text: "from mosquitto", offset: "2", seq: "1" });
    const { page } = (await alice.asks("history", { room: "lobby", limit: 10 })) as {
      page: { messages: readonly Frame[] };
    };
    expect(page.messages).toMatchObject([
      { text: "from mosquitto", id: heard.id, offset: 2 },
      { text: "from chat", id: ok.id, offset: 1, from: "alice", username: "alice" },
    ]);
  });

  test("an MQTT client gets the history that a chat client gets", async () => {
    const alice = await member("alice");
    await alice.asks("say", { room: "lobby", text: "one" });
    await alice.asks("say", { room: "lobby", text: "two" });
    const { page } = (await alice.asks("history", { room: "lobby", limit: 10 })) as {
      page: { messages: readonly Frame[] };
    };
    const mia = await stack.mqtt({ clientId: "mia" });
    await mia.listens("chat/reply/mia");
    await mia.client.publishAsync("chat/history/lobby", '{"correlation":1}', { qos: 1 });
    const reply = await eventually("the reply", () => mia.heard[0]);
    const body = JSON.parse(reply.payload.toString()) as { messages: readonly Frame[] };
    expect(body).toMatchObject({ room: "lobby", correlation: 1, more: false });
    const brief = ({ id, from, username, text, offset }: Frame) =>
      JSON.stringify([id, from, username, text, offset]);
    expect(body.messages.map(brief)).toEqual(page.messages.map(brief));
    expect(body.messages).toHaveLength(2);
  });

  test("an MQTT client is a member of the rooms it listens to, until it is gone", async () => {
    const alice = await member("alice", { presence: true });
    const mia = await stack.mqtt({ clientId: "mia", username: "mia" });
    await mia.listens("chat/room/lobby");
    expect(await alice.hears("presence")).toMatchObject({ clientId: "mia", event: "JOINED" });
    expect(await alice.asks("who", { room: "lobby" })).toMatchObject({
      members: { members: [{ clientId: "alice" }, { clientId: "mia", username: "mia" }] },
    });
    await mia.client.endAsync();
    expect(await alice.hears("presence")).toMatchObject({ clientId: "mia", event: "LEFT" });
  });

  test("who was away has what was missed, in order, and then what is live", async () => {
    const alice = await member("alice");
    const bob = await member("bob");
    await alice.asks("say", { room: "lobby", text: "first" });
    const { seq } = await bob.hears("message");
    bob.sends({ ack: { seq: Number(seq) } });
    await bob.end();
    const count = 300;
    const { client } = await stack.mqtt();
    for (let i = 0; i < count; i++) {
      await client.publishAsync("chat/room/lobby", `missed ${i}`, { qos: 1 });
    }
    const again = await hello("bob", { resume: true, lastSeq: seq });
    expect(await again.hears("welcome")).toMatchObject({ resumed: true, rooms: ["lobby"] });
    for (let i = 0; i < count; i++) {
      const message = await again.hears("message");
      const number = String(i + 2);
      expect(message).toMatchObject({ text: `missed ${i}`, offset: number, seq: number });
      if (i % 32 === 31) again.sends({ ack: { seq: Number(message.seq) } });
    }
    const { ok } = (await alice.asks("say", { room: "lobby", text: "live" })) as { ok: Frame };
    expect(await again.hears("message")).toMatchObject({ text: "live", id: ok.id });
  });

  test("a say with a key is published once over reconnects", async () => {
    const bob = await member("bob");
    const alice = await member("alice");
    const say = { room: "lobby", text: "once", key: "k1" };
    const { ok } = (await alice.asks("say", say)) as { ok: Frame };
    await alice.end();
    const again = await hello("alice", { resume: true });
    await again.hears("welcome");
    const repeated = (await again.asks("say", say)) as { ok: Frame };
    expect({ ...repeated.ok, ref: 0 }).toEqual({ ...ok, ref: 0 });
    await again.asks("say", { room: "lobby", text: "end" });
    expect(await bob.hears("message")).toMatchObject({ text: "once" });
    expect(await bob.hears("message")).toMatchObject({ text: "end" });
  });

  test("a direct message waits for a device that is away", async () => {
    const alice = await member("alice");
    const phone = await hello("b-phone", { username: "bob" });
    await phone.hears("welcome");
    await phone.end();
    const { ok } = (await alice.asks("say", { user: "bob", text: "psst" })) as { ok: Frame };
    const back = await hello("b-phone", { username: "bob", resume: true });
    expect(await back.hears("message")).toMatchObject({ user: "bob", text: "psst", id: ok.id });
  });

  test("a gateway that comes back goes on where it was", async () => {
    const alice = await member("alice");
    const bob = await member("bob");
    const listener = await stack.mqtt();
    await alice.asks("say", { room: "lobby", text: "before" });
    await bob.hears("message");
    await stack.stopGateway();
    // Nobody stores this one: the hook is away, and the broker routes it all the same (facts F5).
    await listener.client.publishAsync("chat/room/lobby", "unstored", { qos: 1 });
    await stack.startGateway();
    const again = await eventually("a login", async () => {
      const client = await hello("bob", { resume: true, lastSeq: "1" });
      return (await client.hears("welcome").catch(() => undefined)) && client;
    });
    await listener.client.publishAsync("chat/room/lobby", "after", { qos: 1 });
    expect(await again.hears("message")).toMatchObject({ text: "after", seq: "2", offset: "2" });
  });
});
