/** The hook services on a real socket, and EMQX's side of each generation. */
import { afterEach } from "@jest/globals";
import { createHookServices, type HookServiceOptions } from "../../src/hook/index.js";
import { createChannel, type Channel } from "../../src/rpc/client.js";
import { HookProviderClientImpl as V1Client } from "../../src/rpc/generated/exhook.v1.js";
import { HookProviderClientImpl as V2Client } from "../../src/rpc/generated/exhook.v2.js";
import { HookProviderClientImpl as V3Client } from "../../src/rpc/generated/exhook.v3.js";
import { startRpcServer, type RpcServer } from "../../src/rpc/server.js";
import { silentLogger } from "../../src/logger.js";

export type Generation = "v1" | "v2" | "v3";
export const generations = ["v1", "v2", "v3"] as const;

/** Any of its calls: the generations differ in what some of them are named, and take. */
export type Emqx = Readonly<Record<string, (request: object) => Promise<unknown>>>;

const servers: RpcServer[] = [];
const channels: Channel[] = [];

afterEach(async () => {
  for (const channel of channels.splice(0)) channel.close();
  await Promise.all(servers.splice(0).map((server) => server.close(0)));
});

export async function serveHooks(options: Partial<HookServiceOptions> = {}): Promise<Channel> {
  const { port } = await startRpcServer({
    host: "127.0.0.1",
    port: 0,
    services: createHookServices({
      listener: { messageTopics: [] },
      logger: silentLogger,
      ...options,
    }),
  }).then((server) => {
    servers.push(server);
    return server;
  });
  const channel = createChannel(`127.0.0.1:${port}`, { exclusive: true });
  channels.push(channel);
  return channel;
}

export function emqxOf(generation: Generation, channel: Channel): Emqx {
  const rpc = channel.rpc({ deadlineMs: 10_000, waitForReady: true });
  const clients = {
    v1: () => new V1Client(rpc),
    v2: () => new V2Client(rpc),
    v3: () => new V3Client(rpc),
  };
  return clients[generation]() as unknown as Emqx;
}

export const node = "emqx@10.0.0.1";
export const meta = { node, version: "5.8.9", sysdescr: "EMQX", clusterName: "emqxcl" };

export const clientinfo = {
  node,
  clientid: "m1",
  username: "mia",
  password: "secret",
  peerhost: "10.0.0.7",
  peerport: 50_123,
  sockport: 1883,
  protocol: "mqtt",
  mountpoint: "",
  isSuperuser: false,
  anonymous: false,
  cn: "",
  dn: "",
};

export const conninfo = {
  node,
  clientid: "m1",
  username: "mia",
  peerhost: "10.0.0.7",
  peerport: 50_123,
  sockport: 1883,
  protoName: "MQTT",
  protoVer: "4",
  keepalive: 60,
};

export const message = {
  node,
  id: "000660E443F1D93DF440000002C30001",
  qos: 1,
  from: "m1",
  topic: "chat/room/lobby",
  payload: Buffer.from([0, 255, 104, 105]),
  timestamp: 1_795_383_368_997,
  headers: { username: "mia", protocol: "mqtt", peerhost: "10.0.0.7" },
};

/** What calls that have them bring along; a generation without them leaves them out. */
export const properties = { props: [], userProps: [] };
