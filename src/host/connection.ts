/**
 * One chat socket, as EMQX's connection process has it: reads the socket, tells the handler one
 * event after the other, and does what the adapter calls ask for.
 *
 * How it ends is in the reasons below, in EMQX's words. What is lost there is lost here: when a
 * connection is discarded while the handler has not answered, OnSocketClosed never comes.
 */
import type { Socket } from "node:net";
import type { Clock } from "../clock.js";
import type { Logger } from "../logger.js";
import type { Broker, Client, RoutedMessage, Subscriber } from "./broker/broker.js";
import type { HandlerClient, HandlerLink } from "./handler-client.js";
import { createKeepalive, type Keepalive } from "./keepalive.js";
import type { Address, ConnInfo } from "../rpc/generated/exproto.js";

export interface ConnectionTimeouts {
  /** A client that has never sent a byte is closed after this. EMQX: 30 s. */
  readonly idleTimeoutMs: number;
  /** How long OnSocketClosed waits for a call that the handler has not answered. EMQX: 15 s. */
  readonly closeWaitMs: number;
  /** How long an adapter call waits for a connection whose client does not read. EMQX: 5 s. */
  readonly busyTimeoutMs: number;
  /** A client that does not read for so long is closed. EMQX: 15 s. */
  readonly sendTimeoutMs: number;
}

export interface ConnectionContext {
  readonly node: string;
  readonly broker: Broker;
  readonly handler: HandlerClient;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly timeouts: ConnectionTimeouts;
}

type Phase =
  | { readonly name: "connected" }
  | { readonly name: "authenticated"; readonly client: Client }
  | { readonly name: "closed" };

type HostEvent = (link: HandlerLink) => Promise<void>;

/** EMQX reads at most so much at once. */
const MAX_CHUNK_BYTES = 4096;

export class Connection implements Subscriber {
  private phase: Phase = { name: "connected" };
  private readonly link: HandlerLink;
  private readonly events: HostEvent[] = [];
  private inFlight = false;
  /** What has come since the last batch was made of it. */
  private mailbox: RoutedMessage[] = [];
  private bytesReceived = 0;
  private readonly keepalive: Keepalive;
  private cancelIdle: () => void;
  private cancelSendTimeout: (() => void) | undefined;
  private ended = (): void => undefined;
  /** Resolves when the handler has been told of the end, or no longer can be. */
  readonly over = new Promise<void>((resolve) => (this.ended = resolve));

  constructor(
    readonly id: string,
    private readonly socket: Socket,
    private readonly context: ConnectionContext,
  ) {
    const { clock, handler, timeouts } = context;
    this.link = handler.link(id, () => this.close("{shutdown,{error,handler}}"));
    this.keepalive = createKeepalive(
      clock,
      () => this.bytesReceived,
      () => this.onKeepaliveTimeout(),
    );
    this.cancelIdle = clock.schedule(timeouts.idleTimeoutMs, () =>
      this.close("{shutdown,idle_timeout}"),
    );
    const conninfo = toConnInfo(socket);
    this.put((link) => link.created(conninfo));
    socket.on("data", (chunk) => this.onData(chunk));
    socket.on("drain", () => this.onDrain());
    // Half-open sending is not known: a FIN ends it all.
    socket.on("end", () => this.close("{shutdown,tcp_closed}"));
    socket.on("error", () => this.close("{shutdown,tcp_closed}"));
    socket.on("close", () => this.close("{shutdown,tcp_closed}"));
  }

  get client(): Client | undefined {
    return this.phase.name === "authenticated" ? this.phase.client : undefined;
  }

  get isOpen(): boolean {
    return this.phase.name !== "closed";
  }

  authenticated(client: Client): void {
    if (this.isOpen) this.phase = { name: "authenticated", client };
  }

  startKeepalive(seconds: number): void {
    this.keepalive.start(seconds);
  }

  write(bytes: Uint8Array): void {
    if (!this.isOpen || bytes.length === 0 || this.socket.write(bytes)) return;
    this.cancelSendTimeout ??= this.context.clock.schedule(
      this.context.timeouts.sendTimeoutMs,
      () => this.close("{shutdown,timeout}"),
    );
  }

  /**
   * A call waits while the client does not read what was sent before. False: it waited in vain, or
   * the connection has closed.
   */
  async isFree(): Promise<boolean> {
    if (!this.socket.writableNeedDrain) return true;
    let cancel = (): void => undefined;
    const free = await new Promise<boolean>((resolve) => {
      const drained = () => resolve(true);
      const closed = () => resolve(false);
      const late = this.context.clock.schedule(this.context.timeouts.busyTimeoutMs, closed);
      this.socket.once("drain", drained).once("close", closed);
      cancel = () => {
        late();
        this.socket.off("drain", drained).off("close", closed);
      };
    });
    cancel();
    return free;
  }

  deliver(message: RoutedMessage): void {
    if (!this.isOpen) return;
    this.mailbox.push(message);
    // What comes in one go makes one batch; a batch that waits does not grow.
    if (this.mailbox.length === 1) setImmediate(() => this.flushMailbox());
  }

  /** Ends the connection, once; `reason` is what OnSocketClosed says. */
  close(reason: string): void {
    if (!this.isOpen) return;
    this.phase = { name: "closed" };
    this.context.broker.detach(this);
    this.cancelIdle();
    this.cancelSendTimeout?.();
    this.keepalive.stop();
    this.endSocket();
    if (reason === "{shutdown,discarded}" && this.inFlight) {
      this.events.length = 0;
      this.ended();
      return;
    }
    this.events.push(async (link) => {
      try {
        await link.closed(reason);
      } finally {
        this.ended();
      }
    });
    // What the handler never answers keeps EMQX waiting for so long.
    const cancel = this.context.clock.schedule(this.context.timeouts.closeWaitMs, () =>
      this.ended(),
    );
    void this.over.then(cancel);
    this.pump();
  }

  /** What was written still goes out, to a client that reads. */
  private endSocket(): void {
    this.socket.destroySoon();
    const { clock, timeouts } = this.context;
    const cancel = clock.schedule(timeouts.sendTimeoutMs, () => this.socket.destroy());
    this.socket.once("close", cancel);
  }

  /** Cuts the socket; nothing more is told. */
  destroy(): void {
    this.phase = { name: "closed" };
    this.context.broker.detach(this);
    this.cancelIdle();
    this.cancelSendTimeout?.();
    this.keepalive.stop();
    this.socket.destroy();
    this.ended();
  }

  private put(event: HostEvent): void {
    if (!this.isOpen) return;
    this.events.push(event);
    this.pump();
  }

  /** One call at a time; the next after its answer. */
  private pump(): void {
    if (this.inFlight) return;
    const event = this.events.shift();
    if (event === undefined) return;
    this.inFlight = true;
    event(this.link)
      .catch((error: unknown) => {
        const { logger } = this.context;
        logger.debug({ err: error, conn: this.id }, "the handler did not take an event");
        // Any error from the handler costs the client its socket.
        this.close("{shutdown,{error,handler}}");
      })
      .finally(() => {
        this.inFlight = false;
        this.pump();
      });
  }

  private onData(data: Buffer): void {
    this.cancelIdle();
    this.bytesReceived += data.length;
    for (let start = 0; start < data.length; start += MAX_CHUNK_BYTES) {
      const bytes = data.subarray(start, start + MAX_CHUNK_BYTES);
      this.put((link) => link.received(bytes));
    }
  }

  private onDrain(): void {
    this.cancelSendTimeout?.();
    this.cancelSendTimeout = undefined;
  }

  private onKeepaliveTimeout(): void {
    this.put((link) => link.timer());
    this.close("{shutdown,keepalive_timeout}");
  }

  private flushMailbox(): void {
    const messages = this.mailbox.map((message) => ({ node: this.context.node, ...message }));
    this.mailbox = [];
    this.put((link) =>
      link.messages(messages.map((one) => ({ ...one, payload: Buffer.from(one.payload) }))),
    );
  }
}

function toConnInfo(socket: Socket): ConnInfo {
  const address = (host = "", port = 0): Address => ({ host, port });
  return {
    socktype: "TCP",
    peername: address(socket.remoteAddress, socket.remotePort),
    sockname: address(socket.localAddress, socket.localPort),
    peercert: undefined,
  };
}
