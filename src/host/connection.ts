/**
 * One client's connection, as EMQX's connection process runs it: what the client does becomes events
 * for the handler, what the adapter service is asked becomes answers.
 *
 * Two ways to an end. A socket that was closed (by the client, by Close, by the keepalive timer)
 * leaves a connection "disconnected": events still waiting are called, for a while, before
 * OnSocketClosed. Everything else (idle timeout, discard, an error of the handler) ends it at once,
 * and then OnSocketClosed is lost if an event is unanswered.
 */
import type { Socket } from "node:net";
import type { Clock } from "../clock.js";
import type { Logger } from "../logger.js";
import type { RpcError } from "../rpc/client.js";
import type { Address, ClientInfo, CodeResponse } from "../rpc/generated/exproto.js";
import { answers, erlangBinary, erlangName, erlangRpcError } from "./answers.js";
import type {
  Broker,
  BrokerMessage,
  HookedClient,
  Peer,
  Qos,
  Subscriber,
} from "./broker/broker.js";
import type { Hooks } from "./broker/hooks.js";
import { hasWildcard } from "./broker/topic-filter.js";
import type { ConnectionTable } from "./connection-table.js";
import { createDeliveries, type Deliveries } from "./deliveries.js";
import { createEventQueue, type EventQueue } from "./event-queue.js";
import type { HandlerClient, HandlerMethod } from "./handler-port.js";
import { createHookPoints, type HookPoints } from "./hook-points.js";
import { createKeepalive, type Keepalive } from "./keepalive.js";
import { createOutgoing, type Outgoing, type OutgoingLimits } from "./outgoing.js";

export interface ConnectionLimits extends OutgoingLimits {
  /** How long a client may send nothing at all, in ms. */
  readonly idleTimeoutMs: number;
  /** How long the handler has for what waits when the socket is closed, in ms. */
  readonly closeGraceMs: number;
  /** What may wait for the handler, in bytes; more kills the connection. */
  readonly maxWaitingBytes: number;
}

export interface ConnectionRuntime {
  readonly nodeName: string;
  readonly broker: Broker;
  readonly hooks: Hooks;
  readonly handler: HandlerClient;
  readonly connections: ConnectionTable<Connection>;
  readonly limits: ConnectionLimits;
  readonly clock: Clock;
  readonly logger: Logger;
}

type Phase =
  | { readonly name: "connected" }
  | { readonly name: "authenticated"; readonly client: HookedClient }
  /** The socket is gone; the handler has not answered everything yet. */
  | { readonly name: "disconnected"; readonly reason: string; readonly cancelGrace: () => void }
  | { readonly name: "closed" };

/** EMQX reads a client in chunks of at most so many bytes. */
const CHUNK_BYTES = 4096;

/** Whom authentication is for; see `authenticate`. */
const PROTOCOLS = ["exproto", ""];

export class Connection {
  private phase: Phase = { name: "connected" };
  private readonly events: EventQueue;
  private readonly outgoing: Outgoing;
  private readonly keepalive: Keepalive;
  private readonly subscriber: Subscriber;
  private readonly hooks: HookPoints;
  private readonly deliveries: Deliveries;
  private readonly peer: Peer;
  private readonly cancelIdle: () => void;
  private receivedBytes = 0;

  constructor(
    readonly conn: string,
    socket: Socket,
    private readonly runtime: ConnectionRuntime,
  ) {
    const { broker, clock, connections, handler, hooks, limits } = runtime;
    const peername = addressOf(socket.remoteAddress, socket.remotePort);
    const sockname = addressOf(socket.localAddress, socket.localPort);
    this.peer = { peerhost: peername.host, peerport: peername.port, sockport: sockname.port };
    this.hooks = createHookPoints(hooks);
    const calls = handler.open((method, error) => this.onFailed(method, error));
    this.events = createEventQueue(calls, {
      onDrained: () => this.onDrained(),
      onFailed: (method, error) => this.onFailed(method, error),
    });
    this.outgoing = createOutgoing(socket, limits, clock, () => this.end("{shutdown,timeout}"));
    this.keepalive = createKeepalive(
      clock,
      () => this.receivedBytes,
      () => this.onKeepaliveTimeout(),
    );
    this.deliveries = createDeliveries(this.hooks, (batch) => this.onDelivered(batch));
    this.subscriber = broker.attach((message) => {
      this.deliveries.push(message);
      this.checkWaiting();
    });
    this.cancelIdle = clock.schedule(limits.idleTimeoutMs, () =>
      this.end("{shutdown,idle_timeout}"),
    );
    connections.add(conn, this);
    this.events.push({
      method: "OnSocketCreated",
      request: {
        conn,
        conninfo: { socktype: "TCP", peername, sockname, peercert: undefined },
      },
    });
    socket.on("data", (bytes) => this.onBytes(bytes));
    socket.on("end", () => this.disconnect("tcp_closed"));
    // A reset is as good an end as any; "close" comes after it.
    socket.on("error", () => undefined);
    socket.on("close", () => this.disconnect("tcp_closed"));
  }

  /** A client that does not read holds up the calls for it, and so does one that waits for a hook. */
  call(task: () => CodeResponse | Promise<CodeResponse>): Promise<CodeResponse> {
    const inTurn = () => this.inTime(this.hooks.line.run(task));
    return this.outgoing.whenWritable(inTurn, answers.crashed);
  }

  send(bytes: Uint8Array): CodeResponse {
    this.outgoing.write(bytes);
    return answers.success;
  }

  close(): CodeResponse {
    this.free();
    this.disconnect("normal");
    return answers.success;
  }

  kick(): void {
    this.free();
    this.disconnect("kicked");
  }

  /**
   * As EMQX, this asks for no password where the client is said to speak another protocol: its
   * authenticators are looked up by that name, and none are found.
   */
  async authenticate(
    { clientid: clientId, protoName, protoVer, username }: ClientInfo,
    password: string,
  ): Promise<CodeResponse> {
    const early = this.authenticationRefusal();
    if (early !== undefined) return early;
    const { broker, connections } = this.runtime;
    const protocol = protoName === "" ? "exproto" : protoName;
    const client: HookedClient = { ...this.peer, clientId, username, protocol };
    await this.hooks.connecting(client, protocol, protoVer);
    const chain = PROTOCOLS.includes(protoName) ? "users" : "none";
    const refusal = await broker.authenticate(client, password, chain);
    if (refusal !== undefined) return answers.refused(refusal);
    // The client may have gone while hooks decided.
    const late = this.authenticationRefusal();
    if (late !== undefined) return late;
    this.phase = { name: "authenticated", client };
    connections.claim(clientId, this)?.end("{shutdown,discarded}");
    await this.hooks.connected(client);
    return answers.success;
  }

  /** @param intervalSeconds at least 1. */
  startTimer(intervalSeconds: number): CodeResponse {
    if (this.isOpen()) this.keepalive.start(intervalSeconds);
    return answers.success;
  }

  async publish(topic: string, qos: Qos, payload: Uint8Array): Promise<CodeResponse> {
    const client = this.authenticatedClient();
    if (client === undefined) return answers.unexpected;
    const { broker } = this.runtime;
    if (!(await broker.authorize(client, "publish", topic))) return answers.notAuthorized;
    if (hasWildcard(topic)) return this.crash("topic_name_error", topic);
    await broker.publish({ topic, qos, payload, from: client.clientId });
    return answers.success;
  }

  /** The qos is for hooks alone: EMQX delivers with the publisher's. */
  async subscribe(filter: string, qos: Qos): Promise<CodeResponse> {
    const client = this.authenticatedClient();
    if (client === undefined) return answers.unexpected;
    const { broker } = this.runtime;
    if (!(await broker.authorize(client, "subscribe", filter))) return answers.notAuthorized;
    if (/^\$(share|queue)\//.test(filter)) return this.crash("invalid_topic_filter", filter);
    // Who has gone while hooks decided would stay subscribed for ever.
    if (this.authenticatedClient() !== undefined) this.subscriber.subscribe(filter);
    await this.hooks.subscribed(filter, qos);
    return answers.success;
  }

  async unsubscribe(filter: string): Promise<CodeResponse> {
    if (this.authenticatedClient() === undefined) return answers.unexpected;
    this.subscriber.unsubscribe(filter);
    await this.hooks.unsubscribed(filter);
    return answers.success;
  }

  /** Ends it as a node that stops does: without a word to the handler. */
  destroy(): void {
    this.release();
    this.events.drop();
    this.outgoing.destroy();
  }

  private isOpen(): boolean {
    return this.phase.name === "connected" || this.phase.name === "authenticated";
  }

  private authenticatedClient(): HookedClient | undefined {
    return this.phase.name === "authenticated" ? this.phase.client : undefined;
  }

  /** Why it can't authenticate now. */
  private authenticationRefusal(): CodeResponse | undefined {
    switch (this.phase.name) {
      case "connected":
        return undefined;
      case "authenticated":
        return answers.authenticatedAlready;
      case "disconnected":
        return answers.socketGone;
      case "closed":
        return answers.notAlive;
    }
  }

  /** The answer, unless it takes longer than a call may. */
  private inTime(answer: Promise<CodeResponse>): Promise<CodeResponse> {
    const { clock, limits } = this.runtime;
    return new Promise((resolve, reject) => {
      const cancel = clock.schedule(limits.callTimeoutMs, () => resolve(answers.crashed));
      answer.finally(cancel).then(resolve, reject);
    });
  }

  private onBytes(bytes: Buffer): void {
    if (!this.isOpen()) return;
    this.cancelIdle();
    this.receivedBytes += bytes.length;
    for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
      const chunk = bytes.subarray(at, at + CHUNK_BYTES);
      this.events.push({ method: "OnReceivedBytes", request: { conn: this.conn, bytes: chunk } });
    }
    this.checkWaiting();
  }

  private onDelivered(batch: readonly BrokerMessage[]): void {
    const { conn, runtime } = this;
    const messages = batch.map((message) => ({ ...message, node: runtime.nodeName }));
    this.events.push({ method: "OnReceivedMessages", request: { conn, messages } });
    this.checkWaiting();
  }

  /** EMQX kills a connection for its heap, and the handler does not hear of it. */
  private checkWaiting(): void {
    const { limits, logger } = this.runtime;
    if (this.events.waitingBytes + this.deliveries.waitingBytes <= limits.maxWaitingBytes) return;
    logger.warn({ conn: this.conn }, "killed a connection: too much waits for the handler");
    this.destroy();
  }

  private onKeepaliveTimeout(): void {
    this.events.push({
      method: "OnTimerTimeout",
      request: { conn: this.conn, type: "KEEPALIVE" },
    });
    this.free();
    this.disconnect("keepalive_timeout");
  }

  private onDrained(): void {
    if (this.phase.name === "disconnected") this.end(this.phase.reason);
  }

  private onFailed(method: HandlerMethod, error: RpcError): void {
    this.end(`{shutdown,{error,{${erlangName(method)},${erlangRpcError(error)}}}}`);
  }

  /** The call kills EMQX's process, whose caller is told no more than that. */
  private crash(what: string, topic: string): CodeResponse {
    this.end(`#{context => {${what},${erlangBinary(topic)}},exception => error,stacktrace => []}`);
    return answers.crashed;
  }

  /** The socket is closed; what waits for the handler gets a while. */
  private disconnect(reason: string): void {
    if (!this.isOpen()) return;
    const { clock, limits } = this.runtime;
    const text = `{shutdown,${reason}}`;
    this.stopTimers();
    this.outgoing.end();
    this.hooks.gone(reason);
    const cancelGrace = clock.schedule(limits.closeGraceMs, () => this.end(text));
    this.phase = { name: "disconnected", reason: text, cancelGrace };
    if (this.events.isEmpty) this.end(text);
  }

  /** Over: the last event is called, or lost where one is unanswered. */
  private end(reason: string): void {
    if (!this.release()) return;
    const { conn } = this;
    this.hooks.gone(reason.replace(/^\{shutdown,(.*)\}$/s, "$1"));
    this.outgoing.end();
    const called = this.events.last({ method: "OnSocketClosed", request: { conn, reason } });
    const { logger } = this.runtime;
    if (!called) logger.debug({ conn, reason }, "OnSocketClosed is lost: an event is unanswered");
  }

  /** Lets go of all it holds; false if it had done so before. */
  private release(): boolean {
    if (this.phase.name === "closed") return false;
    this.free();
    this.stopTimers();
    if (this.phase.name === "disconnected") this.phase.cancelGrace();
    this.phase = { name: "closed" };
    this.subscriber.detach();
    this.deliveries.drop();
    this.runtime.connections.remove(this.conn);
    return true;
  }

  /** The client id is free for others, who then have nothing to discard. */
  private free(): void {
    if (this.phase.name !== "authenticated") return;
    this.runtime.connections.release(this.phase.client.clientId, this);
  }

  private stopTimers(): void {
    this.cancelIdle();
    this.keepalive.stop();
  }
}

function addressOf(host: string | undefined, port: number | undefined): Address {
  return { host: host?.replace(/^::ffff:/, "") ?? "", port: port ?? 0 };
}
