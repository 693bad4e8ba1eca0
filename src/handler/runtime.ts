/** What every connection of a gateway shares. */
import type { ConnectionAdapter } from "../adapter/adapter.js";
import type { Clock } from "../clock.js";
import type { RoomLogs } from "../log/index.js";
import type { Logger } from "../logger.js";
import type { Protocol } from "../protocol.js";
import type { SessionStore } from "../store/session-store.js";
import type { PresenceTracker } from "./presence.js";
import type { Publications } from "./publications.js";

export interface Runtime {
  readonly protocol: Protocol;
  readonly adapter: ConnectionAdapter;
  readonly sessions: SessionStore;
  readonly presence: PresenceTracker;
  readonly publications: Publications;
  /** Absent: nothing that is said is kept. */
  readonly log: RoomLogs | undefined;
  readonly counters: Counters;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits: HandlerLimits;
}

/** What is counted over all connections. */
export interface Counters {
  /** Messages of qos 0 that were not sent, as their client did not keep up. */
  droppedMessages: number;
}

/** What the handler is bound by; the configuration has a key for each that is worth changing. */
export interface HandlerLimits {
  readonly maxConnections: number;
  /** Bytes that may wait to be sent on one connection. */
  readonly maxUnsentBytes: number;
  /** From so many on, what can wait or be dropped is not added. */
  readonly pressedBytes: number;
  /** Bytes held for all connections together. */
  readonly maxHeldBytes: number;
  /** A connection that EMQX says nothing of for so long is probed. */
  readonly probeAfterMs: number;
  readonly sweepIntervalMs: number;
  /** How much later than its keepalive a silent connection is given up. */
  readonly keepaliveGraceMs: number;
  /** How long OnSocketClosed may take after our Close. */
  readonly closingTimeoutMs: number;
  /** Streaming service: how long what comes first waits for OnSocketCreated, and how much of it. */
  readonly createdGraceMs: number;
  readonly maxEarlyBytes: number;
  /** Streaming service: how long OnSocketClosed waits for bytes that are still on their way. */
  readonly closedGraceMs: number;
}

export const defaultHandlerLimits: HandlerLimits = {
  maxConnections: 100_000,
  maxUnsentBytes: 8 * 1024 * 1024,
  pressedBytes: 512 * 1024,
  maxHeldBytes: 512 * 1024 * 1024,
  probeAfterMs: 120_000,
  sweepIntervalMs: 15_000,
  keepaliveGraceMs: 30_000,
  closingTimeoutMs: 20_000,
  createdGraceMs: 1_000,
  maxEarlyBytes: 128 * 1024,
  closedGraceMs: 100,
};
