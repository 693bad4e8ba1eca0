/** The gateway as a process of its own, on a real Redis: killed, stopped, started again. */
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { createHost, type Host } from "../../src/host/index.js";
import { connectNdjson, connectRaw, type FrameClient } from "../support/chat-client.js";
import { eventually } from "../support/eventually.js";
import { startGatewayProcess, type GatewayProcess } from "../support/gateway-process.js";
import { startRedisServer, type RedisServer } from "../support/redis-server.js";

let host: Host;
let redis: RedisServer;
let gateway: GatewayProcess;
let clients: { end(): Promise<void> }[];

const start = (port = 0) =>
  startGatewayProcess({
    HANDLER_PORT: String(port),
    ADAPTER_ADDRESS: `127.0.0.1:${host.ports.adapter}`,
    REDIS_URL: redis.url,
    PRESENCE_LEASE_MS: "900",
  });

beforeEach(async () => {
  clients = [];
  redis = await startRedisServer();
  host = await createHost({ ports: { chat: 0, adapter: 0, mqtt: 0, ws: 0 } });
  gateway = await start();
  host.connectHandler(`127.0.0.1:${gateway.port}`);
});
afterEach(async () => {
  await Promise.all(clients.map((client) => client.end()));
  await gateway.end("SIGKILL");
  await host.close();
  await redis.close();
});

async function login(clientId: string): Promise<FrameClient> {
  const client = await connectNdjson(host.ports.chat);
  clients.push(client);
  client.sends({ hello: { clientId, username: clientId } });
  await client.hears("welcome");
  await client.asks("join", { room: "lobby", presence: true });
  return client;
}

async function members(client: FrameClient): Promise<readonly string[]> {
  const { members: answer } = await client.asks("who", { room: "lobby" });
  const list = (answer as { members?: readonly { clientId: string }[] }).members ?? [];
  return list.map(({ clientId }) => clientId).sort();
}

describe("kill -9 of the gateway while clients chat", () => {
  test("they log in again and go on, and no ghost outlives its lease", async () => {
    const before = await Promise.all(["a", "b", "c", "d"].map(login));
    for (const [i, client] of before.entries()) {
      client.sends({ say: { room: "lobby", text: String(i) } });
    }
    await gateway.end("SIGKILL");
    gateway = await start(gateway.port);

    const [a, b] = await Promise.all(["a", "b"].map((id) => eventually(id, () => login(id))));
    expect(await a!.asks("say", { room: "lobby", text: "again" })).toHaveProperty("ok");
    expect(await b!.hears("message")).toMatchObject({ from: "a", text: "again" });
    await eventually("c and d are gone", async () => (await members(a!)).join() === "a,b");
    expect(await a!.hears("presence")).toMatchObject({ event: "LEFT" });
  });

  test("a client that did not notice is told to come back, in its own encoding", async () => {
    const quiet = await login("quiet");
    await gateway.end("SIGKILL");
    gateway = await start(gateway.port);
    await eventually("the host finds it again", async () => {
      const probe = await connectRaw(host.ports.chat);
      clients.push(probe);
      probe.write("/login probe\n");
      await probe.sees("ok welcome");
      return true;
    });
    quiet.sends({ ping: {} });
    expect(await quiet.hears("bye")).toMatchObject({ code: "UNAVAILABLE" });
    await quiet.isClosed();
  });
});

test("SIGTERM says goodbye to everyone, leaves nobody behind, and exits 0", async () => {
  const a = await login("a");
  const pid = gateway.pid;
  expect(await gateway.end("SIGTERM")).toBe(0);
  expect(await a.hears("bye")).toMatchObject({ code: "SHUTTING_DOWN" });
  await a.isClosed();
  gateway = await start(gateway.port);
  expect(gateway.pid).not.toBe(pid);
  const b = await eventually("b", () => login("b"));
  expect(await members(b)).toEqual(["b"]);
});

describe("two gateways on one Redis", () => {
  test("have one list of members, and a client may move between them", async () => {
    const otherHost = await createHost({ ports: { chat: 0, adapter: 0, mqtt: 0, ws: 0 } });
    const other = await startGatewayProcess({
      ADAPTER_ADDRESS: `127.0.0.1:${otherHost.ports.adapter}`,
      REDIS_URL: redis.url,
      PRESENCE_LEASE_MS: "900",
    });
    otherHost.connectHandler(`127.0.0.1:${other.port}`);
    const a = await login("a");
    const moved = await connectNdjson(otherHost.ports.chat);
    clients.push(moved);
    moved.sends({ hello: { clientId: "b" } });
    await moved.asks("join", { room: "lobby" });
    expect(await members(a)).toEqual(["a", "b"]);

    const again = await connectNdjson(otherHost.ports.chat);
    clients.push(again);
    again.sends({ hello: { clientId: "a", username: "a" } });
    await again.asks("join", { room: "lobby" });
    a.sends({ join: { room: "den" } });
    expect(await a.hears("bye")).toMatchObject({ code: "TAKEN_OVER" });
    await eventually("one a, one b", async () => (await members(again)).join() === "a,b");
    await other.end("SIGTERM");
    await otherHost.close();
  });
});

test("a log never shows what was said, nor a password", async () => {
  const client = await connectNdjson(host.ports.chat);
  clients.push(client);
  client.sends({ hello: { username: "alice", password: "hunter2" } });
  await client.hears("welcome");
  await client.asks("join", { room: "lobby" });
  await client.asks("say", { room: "lobby", text: "between us" });
  await gateway.end("SIGTERM");
  expect(gateway.log).toContain("ready for EMQX");
  expect(gateway.log).not.toMatch(/hunter2|between us/);
});
