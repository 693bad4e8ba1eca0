/** Everything on real sockets, in one process: host, gateway, and what is connected to them. */
import { connectAsync, type IClientOptions, type MqttClient } from "mqtt";
import { createChatProtocol, defaultChatOptions, type ChatOptions } from "../../src/chat.js";
import { createGateway, type Gateway, type GatewayOptions } from "../../src/gateway.js";
import { createHost, type Host, type HostOptions } from "../../src/host/index.js";
import {
  connectNdjson,
  connectProtobuf,
  connectRaw,
  type FrameClient,
  type RawClient,
} from "./chat-client.js";
import { eventually } from "./eventually.js";

export interface Stack {
  readonly host: Host;
  readonly gateway: Gateway;
  text(): Promise<RawClient>;
  ndjson(): Promise<FrameClient>;
  protobuf(): Promise<FrameClient>;
  /** An ndjson client that is welcome and has joined the rooms. */
  member(username: string, ...rooms: readonly string[]): Promise<FrameClient>;
  mqtt(options?: IClientOptions): Promise<MqttListener>;
  /** Stops the gateway, or starts it on the port it had. */
  stopGateway(): Promise<void>;
  startGateway(): Promise<void>;
  /** Ends it all; nothing may be left. */
  end(): Promise<void>;
}

export interface MqttListener {
  readonly client: MqttClient;
  /** Subscribes, and waits until that is so. */
  listens(filter: string): Promise<void>;
  /** Waits for a message with this payload, and gives its topic. */
  hears(payload: string): Promise<string>;
  readonly heard: readonly { readonly topic: string; readonly payload: Buffer }[];
}

export interface StackOptions {
  readonly host?: Partial<HostOptions>;
  readonly gateway?: Partial<GatewayOptions>;
  readonly chat?: Partial<ChatOptions>;
}

const anyPorts = { chat: 0, adapter: 0, mqtt: 0, ws: 0 };

export async function startStack(options: StackOptions = {}): Promise<Stack> {
  const host = await createHost({ ports: anyPorts, ...options.host });
  const protocol = createChatProtocol({ ...defaultChatOptions, ...options.chat });
  let port = 0;
  let hookPort = 0;
  let gateway: Gateway | undefined;
  const open: { end(): unknown }[] = [];

  async function startGateway(): Promise<void> {
    gateway = await createGateway({
      protocol,
      adapterAddress: `127.0.0.1:${host.ports.adapter}`,
      shutdownDeadlineMs: 2_000,
      ...options.gateway,
      ...(options.gateway?.roomLog && { hook: { port: hookPort } }),
      port,
    });
    port = gateway.port;
    hookPort = gateway.hookPort ?? 0;
  }

  async function stopGateway(): Promise<void> {
    await gateway?.close();
    gateway = undefined;
  }

  await startGateway();
  host.connectHandler(`127.0.0.1:${port}`);
  if (hookPort !== 0) await host.connectHook(`127.0.0.1:${hookPort}`);

  async function kept<C extends { end(): unknown }>(opening: Promise<C>): Promise<C> {
    const client = await opening;
    open.push(client);
    return client;
  }

  const stack: Stack = {
    host,
    get gateway() {
      if (gateway === undefined) throw new Error("the gateway is stopped");
      return gateway;
    },
    text: () => kept(connectRaw(host.ports.chat)),
    ndjson: () => kept(connectNdjson(host.ports.chat)),
    protobuf: () => kept(connectProtobuf(host.ports.chat)),
    async member(username, ...rooms) {
      const client = await stack.ndjson();
      client.sends({ hello: { clientId: `${username}-1`, username } });
      await client.hears("welcome");
      for (const room of rooms) {
        client.sends({ join: { ref: 1, room } });
        await client.hears("ok");
      }
      return client;
    },
    async mqtt(more = {}) {
      const url =
        more.protocol === "ws"
          ? `ws://127.0.0.1:${host.ports.ws}/mqtt`
          : `mqtt://127.0.0.1:${host.ports.mqtt}`;
      const client = await connectAsync(url, { reconnectPeriod: 0, ...more });
      open.push({ end: () => client.endAsync(true) });
      const heard: { topic: string; payload: Buffer }[] = [];
      client.on("message", (topic, payload) => heard.push({ topic, payload }));
      return {
        client,
        heard,
        async listens(filter) {
          await client.subscribeAsync(filter, { qos: 1 });
        },
        hears: (payload) =>
          eventually(
            `MQTT message ${payload}`,
            () => heard.find((message) => message.payload.toString() === payload)?.topic,
          ),
      };
    },
    startGateway,
    stopGateway,
    async end() {
      await Promise.all(open.map((client) => client.end()));
      await stopGateway();
      await host.close();
    },
  };
  return stack;
}
