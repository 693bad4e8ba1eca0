/**
 * One connection: the only door to its protocol's state. Whatever happens (calls from EMQX, timers,
 * answers) comes through `dispatch`, one event at a time; what the protocol wants done goes out
 * through effects.ts. A bug in a protocol closes its connection and nothing else.
 */
import type { Outbox } from "../adapter/outbox.js";
import { createOutbox } from "../adapter/outbox.js";
import { GatewayError } from "../errors.js";
import type {
  BrokerMessage,
  Effect,
  Link,
  ProtocolConnection,
  ProtocolEvent,
} from "../protocol.js";
import { createArrivals, type Arrivals } from "./arrivals.js";
import { createEffectRunner, type EffectRunner } from "./effects.js";
import { createMailbox, type Mailbox } from "./mailbox.js";
import type { Runtime } from "./runtime.js";
import { createTimers, type Timers } from "./timers.js";

export interface ConnectionEvents {
  /** EMQX has accepted the credentials. */
  onAuthenticated(connection: Connection, clientId: string): void;
  /** Bytes held for the connection, as a difference to the last time. True: it is too much in all. */
  onHeld(bytes: number): boolean;
  /**
   * Over: nothing will happen to it or by it any more. Unless confirmed, EMQX may still have it.
   */
  onOver(connection: Connection, isConfirmed: boolean): void;
}

/** Where it is between its first event and its last. */
type Phase =
  | { readonly name: "open" }
  /** We asked EMQX to close it, and wait for OnSocketClosed. */
  | { readonly name: "closing"; readonly since: number }
  | { readonly name: "over" };

/** "abandoned": we give it up, and EMQX has not told of its end. */
type Mail = ProtocolEvent | { readonly kind: "abandoned"; readonly reason: string };

export class Connection {
  private readonly protocol: ProtocolConnection;
  private readonly mailbox: Mailbox<Mail>;
  private readonly timers: Timers;
  private readonly outbox: Outbox;
  private readonly effects: EffectRunner;
  private readonly arrivals: Arrivals | undefined;
  private phase: Phase = { name: "open" };
  private client: string | undefined;
  private heldBytes = 0;
  private isPressed = false;
  /** When EMQX last told us something about it, and when its client last sent something. */
  private lastEventAt: number;
  private lastBytesAt: number;

  constructor(
    readonly link: Link,
    private readonly runtime: Runtime,
    private readonly events: ConnectionEvents,
  ) {
    const { adapter, clock, protocol } = runtime;
    this.lastEventAt = this.lastBytesAt = clock.now();
    this.mailbox = createMailbox((event) => this.handle(event));
    this.timers = createTimers(clock, (name) => this.dispatch({ kind: "timer", name }));
    this.outbox = createOutbox(link.conn, adapter, {
      onSent: () => {
        this.relieve();
        this.account();
      },
      onSendFailed: (error) => this.onSendFailed(error),
    });
    this.effects = createEffectRunner(runtime, link, this.outbox, this.timers, {
      answer: (answer) => this.dispatch(answer),
      authenticated: (clientId) => {
        if (this.phase.name === "over") return;
        this.client = clientId;
        events.onAuthenticated(this, clientId);
      },
      closing: () => this.startClosing(),
      gone: () => this.dispatch({ kind: "closed", reason: "the broker no longer has it" }),
    });
    if (runtime.log !== undefined) {
      this.arrivals = createArrivals(runtime.log, (messages) =>
        this.dispatch({ kind: "messages", messages }),
      );
    }
    this.protocol = protocol.accept(link);
    this.dispatch({ kind: "opened" });
  }

  /** Once EMQX has accepted its credentials. */
  get clientId(): string | undefined {
    return this.client;
  }

  dispatch(event: ProtocolEvent): void {
    if (this.phase.name !== "over") this.mailbox.put(event);
  }

  /** What EMQX delivers to it. */
  deliver(messages: readonly BrokerMessage[]): void {
    if (this.phase.name === "over") return;
    if (this.arrivals === undefined) {
      this.dispatch({ kind: "messages", messages });
      return;
    }
    this.arrivals.put(messages);
    this.account();
  }

  /**
   * Finds out whether EMQX still has it: OnSocketClosed can be lost, and a handler call cut in the
   * middle leaves a connection that EMQX never speaks of again.
   */
  probe(now: number): void {
    const { limits, logger } = this.runtime;
    const { phase } = this;
    if (phase.name === "closing" && now - phase.since > limits.closingTimeoutMs) {
      this.abandon("no OnSocketClosed came for our Close");
      return;
    }
    const silentMs = now - this.lastBytesAt;
    if (silentMs > this.effects.keepaliveSeconds * 1500 + limits.keepaliveGraceMs) {
      logger.warn({ conn: this.link.conn, silentMs }, "EMQX has not ended a silent connection");
      this.abandon("EMQX's keepalive timer did not end it");
      return;
    }
    if (now - this.lastEventAt > limits.probeAfterMs) {
      this.lastEventAt = now;
      void this.ask();
    }
  }

  /** Gives it up without waiting for EMQX's word; what was yet to be sent is dropped. */
  abandon(reason: string): void {
    if (this.phase.name !== "over") this.mailbox.put({ kind: "abandoned", reason });
  }

  /** A Send of no bytes does nothing but tell whether EMQX has the connection. */
  private async ask(): Promise<void> {
    const { adapter, logger } = this.runtime;
    const { conn } = this.link;
    try {
      await this.outbox.call(() => adapter.send(conn, new Uint8Array()));
    } catch (cause) {
      const error = GatewayError.from(cause);
      if (error.gone) this.dispatch({ kind: "closed", reason: error.reason });
      else logger.debug({ err: error, conn }, "a probe was not answered");
    }
  }

  private handle(mail: Mail): void {
    if (this.phase.name === "over") return;
    const isAbandoned = mail.kind === "abandoned";
    const event: ProtocolEvent = isAbandoned ? { kind: "closed", reason: mail.reason } : mail;
    const now = this.runtime.clock.now();
    this.lastEventAt = now;
    if (event.kind === "bytes") this.lastBytesAt = now;
    for (const effect of this.react(event, now)) this.effects.run(effect);
    if (event.kind === "closed") {
      this.end(event.reason, !isAbandoned);
      return;
    }
    const { pendingBytes } = this.outbox;
    const { maxUnsentBytes, pressedBytes } = this.runtime.limits;
    if (pendingBytes > maxUnsentBytes && this.isOpen) {
      this.mailbox.put({ kind: "congested", pendingBytes });
    } else if (pendingBytes > pressedBytes && !this.isPressed) {
      this.isPressed = true;
      this.mailbox.put({ kind: "pressed" });
    }
    this.account();
  }

  private relieve(): void {
    if (!this.isPressed || this.outbox.pendingBytes > this.runtime.limits.pressedBytes / 2) return;
    this.isPressed = false;
    this.dispatch({ kind: "drained" });
  }

  private react(event: ProtocolEvent, now: number): readonly Effect[] {
    try {
      return this.protocol.handle(event, now);
    } catch (error) {
      const { logger } = this.runtime;
      logger.error(
        { err: error, conn: this.link.conn, event: event.kind },
        "a bug in the protocol",
      );
      if (event.kind === "closed") return [];
      if (event.kind === "crashed") return [{ kind: "close" }];
      return this.react({ kind: "crashed" }, now);
    }
  }

  private get isOpen(): boolean {
    return this.phase.name === "open";
  }

  private startClosing(): void {
    if (!this.isOpen) return;
    this.phase = { name: "closing", since: this.runtime.clock.now() };
    this.timers.clearAll();
  }

  private onSendFailed(error: GatewayError): void {
    if (error.gone) {
      this.dispatch({ kind: "closed", reason: error.reason });
    } else {
      const { logger } = this.runtime;
      logger.warn({ err: error, conn: this.link.conn }, "a Send failed: closing the connection");
      this.abandon(error.reason);
    }
  }

  private end(reason: string, isConfirmed: boolean): void {
    this.phase = { name: "over" };
    this.timers.clearAll();
    this.effects.end();
    this.account();
    this.runtime.logger.debug({ conn: this.link.conn, reason }, "connection closed");
    this.events.onOver(this, isConfirmed);
  }

  /** Tells what is held for it, when that has changed. */
  private account(): void {
    const isOver = this.phase.name === "over";
    const waiting = this.arrivals?.pendingBytes ?? 0;
    const bytes = isOver ? 0 : this.protocol.pendingBytes + this.outbox.pendingBytes + waiting;
    const difference = bytes - this.heldBytes;
    if (difference === 0) return;
    this.heldBytes = bytes;
    if (this.events.onHeld(difference) && this.isOpen) this.mailbox.put({ kind: "overloaded" });
  }
}
