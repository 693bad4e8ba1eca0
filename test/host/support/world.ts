/** The host on real sockets, with a handler that takes notes, a client of its adapter, and clients. */
import { afterEach } from "@jest/globals";
import { connectAsync, type IClientOptions, type MqttClient } from "mqtt";
import type { HandlerEvent, HandlerMethod } from "../../../src/host/handler-port.js";
import { createHost, type Host, type HostOptions } from "../../../src/host/index.js";
import { createChannel } from "../../../src/rpc/client.js";
import {
  ConnectionAdapterClientImpl,
  type ClientInfo,
  type CodeResponse,
  type ConnectionAdapter,
  type Message,
} from "../../../src/rpc/generated/exproto.js";
import { connectRaw, type RawClient } from "../../support/chat-client.js";
import { eventually } from "../../support/eventually.js";
import { startRecordingHandler, type RecordingHandler } from "./recording-handler.js";

export interface Client extends RawClient {
  readonly conn: string;
}

export interface MqttListener {
  readonly client: MqttClient;
  /** Subscribes, and waits until that is so. */
  listens(filter: string): Promise<void>;
  /** The topics of what came, in order. */
  readonly heard: readonly string[];
  /** Waits for a message on the topic. */
  hears(topic: string): Promise<void>;
  /** Waits until the host has cut it. */
  isCut(): Promise<void>;
}

export interface World {
  readonly host: Host;
  readonly handler: RecordingHandler;
  readonly adapter: ConnectionAdapter;
  /** A socket to a port, the chat clients' if none is given; the handler need not know of it. */
  dial(port?: number): Promise<RawClient>;
  /** A client that the handler knows of. */
  connect(): Promise<Client>;
  authenticate(
    conn: string,
    clientinfo?: Partial<ClientInfo>,
    password?: string,
  ): Promise<CodeResponse>;
  /** A client that has authenticated. */
  login(clientid: string, username?: string): Promise<Client>;
  /** Writes a byte, and waits until the handler has it. */
  sendsByte(client: Client): Promise<void>;
  /** Whatever was on its way to the handler before has got there: a connection's life has passed. */
  aLifePasses(): Promise<void>;
  /** Rejects unless it succeeds. */
  subscribes(conn: string, ...topics: readonly string[]): Promise<void>;
  /** Rejects unless it succeeds. */
  publishes(conn: string, topic: string, qos?: number): Promise<void>;
  eventsOf(conn: string): readonly HandlerEvent[];
  methodsOf(conn: string): readonly HandlerMethod[];
  /** What the client has sent, as far as the handler got it: one chunk for each call. */
  bytesOf(conn: string): readonly Uint8Array[];
  /** The messages that were brought for the connection so far: one list for each call. */
  batchesOf(conn: string): readonly (readonly Message[])[];
  /** Waits for the event. */
  sees(conn: string, method: HandlerMethod): Promise<void>;
  /** Waits for OnSocketClosed, and gives its reason. */
  closeReason(conn: string): Promise<string>;
  /** Waits until so many messages were brought for the connection, and gives them all. */
  hears(conn: string, count: number): Promise<readonly Message[]>;
  /** The topics that were heard before a message that is published now. */
  topicsUpToNow(conn: string): Promise<readonly string[]>;
  mqtt(over?: "tcp" | "ws", options?: IClientOptions): Promise<MqttListener>;
  end(): Promise<void>;
}

export const anyPorts = { chat: 0, adapter: 0, mqtt: 0, ws: 0 };

/** Whether the host is told where the handler is from the start. */
type HandlerAddress = "known" | "unknown";

/** Starts worlds in the tests of a file, and ends them after each. */
export function useWorlds(): (
  options?: HostOptions,
  handlerAddress?: HandlerAddress,
) => Promise<World> {
  const worlds: World[] = [];
  afterEach(async () => {
    await Promise.all(worlds.splice(0).map((world) => world.end()));
  });
  return async (options = {}, handlerAddress = "known") => {
    const world = await startWorld(options, handlerAddress);
    worlds.push(world);
    return world;
  };
}

async function startWorld(options: HostOptions, handlerAddress: HandlerAddress): Promise<World> {
  const handler = await startRecordingHandler();
  const host = await createHost({ ports: anyPorts, ...options });
  if (handlerAddress === "known") host.connectHandler(handler.address);
  const channel = createChannel(`127.0.0.1:${host.ports.adapter}`);
  const adapter = new ConnectionAdapterClientImpl(channel.rpc());
  const open: { end(): Promise<unknown> }[] = [];
  let marks = 0;

  const world: World = {
    host,
    handler,
    adapter,
    async dial(port = host.ports.chat) {
      const client = await connectRaw(port);
      open.push(client);
      return client;
    },
    async connect() {
      const client = await world.dial();
      const port = client.socket.localPort;
      const conn = await eventually("OnSocketCreated", () =>
        handler.events
          .flatMap((event) => (event.method === "OnSocketCreated" ? [event.request] : []))
          .find(({ conninfo }) => conninfo?.peername?.port === port),
      );
      return Object.assign(client, { conn: conn.conn });
    },
    authenticate: (conn, clientinfo = {}, password = "") =>
      adapter.Authenticate({
        conn,
        password,
        clientinfo: {
          protoName: "exproto",
          protoVer: "1",
          clientid: "client",
          username: "",
          mountpoint: "",
          ...clientinfo,
        },
      }),
    async login(clientid, username = "") {
      const client = await world.connect();
      succeed(await world.authenticate(client.conn, { clientid, username }));
      return client;
    },
    async sendsByte({ conn, socket }) {
      const before = world.bytesOf(conn).length;
      socket.write("x");
      await eventually("the byte", () => world.bytesOf(conn).length > before);
    },
    async aLifePasses() {
      const client = await world.connect();
      client.socket.end();
      await world.closeReason(client.conn);
    },
    async subscribes(conn, ...topics) {
      for (const topic of topics) succeed(await adapter.Subscribe({ conn, topic, qos: 0 }));
    },
    async publishes(conn, topic, qos = 0) {
      succeed(await adapter.Publish({ conn, topic, qos, payload: Buffer.from("x") }));
    },
    eventsOf: (conn) => handler.events.filter(({ request }) => request.conn === conn),
    methodsOf: (conn) => world.eventsOf(conn).map(({ method }) => method),
    bytesOf: (conn) =>
      world
        .eventsOf(conn)
        .flatMap((event) => (event.method === "OnReceivedBytes" ? [event.request.bytes] : [])),
    batchesOf: (conn) =>
      world
        .eventsOf(conn)
        .flatMap((event) =>
          event.method === "OnReceivedMessages" ? [event.request.messages] : [],
        ),
    async sees(conn, method) {
      await eventually(method, () => world.eventsOf(conn).some((event) => event.method === method));
    },
    closeReason: (conn) =>
      eventually("OnSocketClosed", () => {
        const last = world.eventsOf(conn).at(-1);
        return last?.method === "OnSocketClosed" && last.request.reason;
      }),
    hears: (conn, count) =>
      eventually(`${count} messages`, () => {
        const messages = world.batchesOf(conn).flat();
        return messages.length >= count && messages;
      }),
    async topicsUpToNow(conn) {
      const now = `$test/${++marks}`;
      await world.subscribes(conn, now);
      await world.publishes(conn, now);
      return eventually("the last message", () => {
        const topics = world
          .batchesOf(conn)
          .flat()
          .map(({ topic }) => topic);
        return topics.at(-1) === now && topics.filter((topic) => !topic.startsWith("$test/"));
      });
    },
    async mqtt(over = "tcp", more = {}) {
      const url =
        over === "ws"
          ? `ws://127.0.0.1:${host.ports.ws}/mqtt`
          : `mqtt://127.0.0.1:${host.ports.mqtt}`;
      const client = await connectAsync(url, { reconnectPeriod: 0, ...more });
      open.push({ end: () => client.endAsync(true) });
      // A connection that the host cuts is what some tests look for.
      client.on("error", () => undefined);
      const heard: string[] = [];
      client.on("message", (topic) => heard.push(topic));
      return {
        client,
        heard,
        async listens(filter) {
          await client.subscribeAsync(filter, { qos: 1 });
        },
        async hears(topic) {
          await eventually(`MQTT message on ${topic}`, () => heard.includes(topic));
        },
        async isCut() {
          await eventually("the host cuts", () => !client.connected);
        },
      };
    },
    async end() {
      await Promise.all(open.map((client) => client.end()));
      channel.close();
      await host.close();
      await handler.stop();
    },
  };
  return world;
}

function succeed({ code, message }: CodeResponse): void {
  if (code !== "SUCCESS") throw new Error(`${code}: ${message}`);
}
