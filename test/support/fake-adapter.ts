/**
 * EMQX as a value: enough of a broker to chat on, with EMQX's own rules, so that it teaches the
 * gateway no lies (test/adapter/adapter.contract.ts runs on it and on the real thing).
 */
import type { ConnectionAdapter } from "../../src/adapter/index.js";
import { GatewayError } from "../../src/errors.js";
import type { Door } from "../../src/handler/index.js";
import type { BrokerMessage, Peer } from "../../src/protocol.js";
import type { LogMessage } from "../../src/store/records.js";

export interface FakeAdapter extends ConnectionAdapter {
  /** Where events go; set once the door is there. */
  door: Pick<Door, "apply"> | undefined;
  connect(): string;
  /** The client or the network ends the connection. */
  hangUp(conn: string): void;
  /** As `hangUp`, but OnSocketClosed is lost. */
  vanish(conn: string): void;
  /** What was written to the client since the last call. */
  taken(conn: string): Uint8Array;
  isOpen(conn: string): boolean;
  timerOf(conn: string): number | undefined;
  /** What ExHook calls before a message is routed. */
  hook: ((message: LogMessage) => Promise<"route" | "drop">) | undefined;
  /** A publisher from outside, such as an MQTT client; its message has been hooked and routed then. */
  publishes(
    topic: string,
    payload: string | Uint8Array,
    more?: Partial<BrokerMessage>,
  ): Promise<void>;
  /** Runs before the call; what it throws is what the call rejects with. */
  before(call: Call, hook: (conn: string, topic?: string) => void | Promise<void>): void;
  /** Every call, in order, without its payload. */
  readonly calls: readonly string[];
  readonly passwords: Map<string, string>;
}

type Call = Exclude<keyof ConnectionAdapter, "end">;

interface Conn {
  client: string | undefined;
  open: boolean;
  written: Uint8Array[];
  timer: number | undefined;
  readonly subscriptions: Map<string, number>;
}

const peer: Peer = { host: "127.0.0.1", port: 50_000, socket: "tcp" };
const gone = () => new GatewayError("UNAVAILABLE", "the connection is closed", { gone: true });
const unavailable = () => new GatewayError("UNAVAILABLE", "the broker could not carry it out");

/** Two brokers never give the same message id. */
let lastId = 0;

export function createFakeAdapter(now: () => number): FakeAdapter {
  const conns = new Map<string, Conn>();
  const hooks = new Map<Call, (conn: string, topic?: string) => void | Promise<void>>();
  const calls: string[] = [];
  const passwords = new Map<string, string>();
  let lastConn = 0;

  function close(id: string, conn: Conn, reason: string): void {
    if (!conn.open) return;
    conn.open = false;
    adapter.door?.apply(id, { kind: "closed", reason });
  }

  async function enter(call: Call, id: string, topic?: string): Promise<Conn> {
    calls.push([call, id, topic].filter((part) => part !== undefined).join(" "));
    await hooks.get(call)?.(id, topic);
    const conn = conns.get(id);
    if (conn === undefined) throw unavailable();
    if (!conn.open) throw gone();
    return conn;
  }

  async function authenticated(call: Call, id: string, topic: string): Promise<Conn> {
    const conn = await enter(call, id, topic);
    if (conn.client === undefined) throw unavailable();
    return conn;
  }

  function route(message: BrokerMessage): void {
    for (const [id, conn] of conns) {
      if (conn.open && conn.subscriptions.has(message.topic)) {
        adapter.door?.apply(id, { kind: "messages", messages: [message] });
      }
    }
  }

  async function publish(
    message: Pick<BrokerMessage, "topic" | "qos" | "payload" | "from">,
    headers: { readonly protocol: string; readonly username: string },
  ): Promise<void> {
    const id = (++lastId).toString(16).toUpperCase().padStart(32, "0");
    const sent = { ...message, id, timestamp: now() };
    const { hook } = adapter;
    if (hook !== undefined && (await hook({ ...sent, ...headers })) === "drop") return;
    route(sent);
  }

  /** EMQX tells of a publisher through ExProto no more than its client id. */
  const noHeaders = { protocol: "", username: "" };

  const adapter: FakeAdapter = {
    door: undefined,
    hook: undefined,
    calls,
    passwords,
    connect() {
      const id = `conn-${++lastConn}`;
      conns.set(id, {
        client: undefined,
        open: true,
        written: [],
        timer: undefined,
        subscriptions: new Map(),
      });
      adapter.door?.apply(id, { kind: "created", peer });
      return id;
    },
    hangUp(id) {
      const conn = conns.get(id);
      if (conn) close(id, conn, "{shutdown,tcp_closed}");
    },
    vanish(id) {
      const conn = conns.get(id);
      if (conn) conn.open = false;
    },
    taken(id) {
      const conn = conns.get(id);
      const bytes = Buffer.concat(conn?.written ?? []);
      if (conn) conn.written = [];
      return bytes;
    },
    isOpen: (id) => conns.get(id)?.open ?? false,
    timerOf: (id) => conns.get(id)?.timer,
    publishes(topic, payload, more = {}) {
      const { qos, from, username } = { qos: 1, from: "mqtt-client", username: "", ...more };
      const message = { topic, qos, payload: Buffer.from(payload), from };
      return publish(message, { protocol: "mqtt", username });
    },
    before: (call, hook) => void hooks.set(call, hook),

    async send(id, bytes) {
      (await enter("send", id)).written.push(bytes);
    },
    async close(id) {
      close(id, await enter("close", id), "{shutdown,normal}");
    },
    async startTimer(id, seconds) {
      const conn = await enter("startTimer", id);
      if (seconds < 1) throw new GatewayError("INTERNAL", "PARAMS_TYPE_ERROR");
      conn.timer = seconds;
    },
    async authenticate(id, { clientId, username, password }) {
      const conn = await enter("authenticate", id);
      if (conn.client !== undefined) throw new GatewayError("UNAUTHENTICATED", "duplicated");
      const expected = passwords.get(username);
      if (passwords.size > 0 && expected !== password) {
        throw new GatewayError("UNAUTHENTICATED", "the broker refused the credentials");
      }
      for (const [otherId, other] of conns) {
        if (other.client === clientId) close(otherId, other, "{shutdown,discarded}");
      }
      conn.client = clientId;
    },
    async subscribe(id, topic, qos) {
      const conn = await authenticated("subscribe", id, topic);
      if (topic.startsWith("$share/")) {
        close(id, conn, "crashed");
        throw unavailable();
      }
      conn.subscriptions.set(topic, qos);
    },
    async unsubscribe(id, topic) {
      (await authenticated("unsubscribe", id, topic)).subscriptions.delete(topic);
    },
    async publish(id, topic, qos, payload) {
      const conn = await authenticated("publish", id, topic);
      if (/[+#]/.test(topic)) {
        close(id, conn, "crashed");
        throw unavailable();
      }
      await publish({ topic, qos, payload, from: conn.client ?? "" }, noHeaders);
    },
    async rawPublish(topic, qos, payload) {
      calls.push(`rawPublish ${topic}`);
      await hooks.get("rawPublish")?.("", topic);
      await publish({ topic, qos, payload, from: "exproto" }, noHeaders);
    },
    end: () => undefined,
  };
  return adapter;
}
