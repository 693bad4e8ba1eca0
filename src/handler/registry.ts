/**
 * All connections of this process: finds them by conn id and by client id, keeps the total of what
 * is held within bounds, closes orphans, and sweeps up what EMQX forgot to tell us the end of.
 */
import { randomBytes } from "node:crypto";
import type { BrokerMessage, Peer } from "../protocol.js";
import { Connection } from "./connection.js";
import type { Runtime } from "./runtime.js";

export interface Registry {
  /** A new connection. A second "created" of the same conn id changes nothing. */
  create(conn: string, peer: Peer): void;
  find(conn: string): Connection | undefined;
  /** True for a while after a connection has ended: what comes late is no orphan's. */
  isOver(conn: string): boolean;
  /** EMQX has a connection that this process does not know: say goodbye and close it. */
  closeOrphan(conn: string): void;
  /** The username of a client id that is connected here. */
  usernameOf(clientId: string): string | undefined;
  readonly size: number;
  readonly heldBytes: number;
  /** Starts the sweep. */
  start(): void;
  sweep(): void;
  /**
   * Says SHUTTING_DOWN to everyone, each with its own time to come back after, and waits until that
   * is sent and closed, or `deadlineMs` is over.
   */
  shutdown(deadlineMs: number): Promise<void>;
}

/** How many ended connections are remembered, so that what comes late for them is dropped. */
const MAX_REMEMBERED = 10_000;
/** Clients come back spread over this time. */
const RETURN_SPREAD_MS = 5_000;

export function createRegistry(runtime: Runtime): Registry {
  const { adapter, sessions, protocol, clock, logger, limits } = runtime;
  const connections = new Map<string, Connection>();
  const clients = new Map<string, { connection: Connection; username: string }>();
  const over = new Set<string>();
  let heldBytes = 0;
  let stopping: { readonly resolve: () => void } | undefined;
  let cancelSweep: (() => void) | undefined;

  function remember(conn: string): void {
    over.add(conn);
    if (over.size > MAX_REMEMBERED) {
      for (const oldest of over) {
        over.delete(oldest);
        break;
      }
    }
  }

  function onAuthenticated(connection: Connection, clientId: string, username: string): void {
    const older = clients.get(clientId)?.connection;
    clients.set(clientId, { connection, username });
    if (older !== undefined && older !== connection) older.dispatch({ kind: "superseded" });
  }

  function onHeld(bytes: number): boolean {
    heldBytes += bytes;
    return bytes > 0 && heldBytes > limits.maxHeldBytes;
  }

  function onOver(connection: Connection): void {
    const { conn } = connection.link;
    connections.delete(conn);
    remember(conn);
    const { clientId } = connection;
    if (clientId !== undefined && clients.get(clientId)?.connection === connection) {
      clients.delete(clientId);
    }
    if (connections.size === 0) stopping?.resolve();
  }

  function create(conn: string, peer: Peer): void {
    if (connections.has(conn) || over.has(conn)) return;
    const link = { conn, instance: newInstance(), peer };
    const connection = new Connection(link, runtime, { onAuthenticated, onHeld, onOver });
    connections.set(conn, connection);
    if (stopping !== undefined) {
      connection.dispatch({ kind: "shutdown", retryAfterMs: jitter() });
    } else if (connections.size > limits.maxConnections) {
      logger.warn({ connections: connections.size }, "too many connections: refusing one");
      connection.dispatch({ kind: "overloaded" });
    }
  }

  async function farewell(conn: string): Promise<void> {
    try {
      const note = await sessions.noteOf(conn);
      const bytes = note === undefined ? undefined : protocol.farewell(note);
      if (bytes !== undefined && bytes.length > 0) await adapter.send(conn, bytes);
    } catch (error) {
      logger.debug({ err: error, conn }, "an orphan is closed without a goodbye");
    }
    try {
      await adapter.close(conn);
      await sessions.forget(conn);
    } catch (error) {
      logger.debug({ err: error, conn }, "an orphan could not be closed");
    }
  }

  function sweep(): void {
    const now = clock.now();
    for (const connection of [...connections.values()]) connection.probe(now);
  }

  function scheduleSweep(): void {
    cancelSweep = clock.schedule(limits.sweepIntervalMs, () => {
      sweep();
      scheduleSweep();
    });
  }

  return {
    create,
    find: (conn) => connections.get(conn),
    isOver: (conn) => over.has(conn),
    closeOrphan(conn) {
      remember(conn);
      logger.info({ conn }, "closing a connection that this process does not know");
      void farewell(conn);
    },
    usernameOf: (clientId) => clients.get(clientId)?.username,
    get size() {
      return connections.size;
    },
    get heldBytes() {
      return heldBytes;
    },
    start: scheduleSweep,
    sweep,
    async shutdown(deadlineMs) {
      cancelSweep?.();
      const closed = new Promise<void>((resolve) => {
        stopping = { resolve };
      });
      const all = [...connections.values()];
      for (const connection of all) {
        connection.dispatch({ kind: "shutdown", retryAfterMs: jitter() });
      }
      if (connections.size === 0) return;
      let cancel = (): void => undefined;
      const deadline = new Promise<void>((resolve) => {
        cancel = clock.schedule(deadlineMs, resolve);
      });
      await Promise.race([closed, deadline]);
      cancel();
      for (const connection of [...connections.values()]) {
        connection.dispatch({ kind: "closed", reason: "the gateway stops" });
      }
    },
  };
}

/** A name nobody else has: 64 random bits, in the alphabet of a client id. */
export function newInstance(): string {
  return randomBytes(8).readBigUInt64BE().toString(36);
}

/** Not all at once: a gateway that stops must not be followed by a stampede on the next one. */
function jitter(): number {
  return 500 + Math.floor(Math.random() * RETURN_SPREAD_MS);
}

/** Adds what this process knows of the publishers. */
export function withUsernames(
  messages: readonly BrokerMessage[],
  registry: Registry,
): readonly BrokerMessage[] {
  return messages.map((message) => {
    const username = registry.usernameOf(message.from);
    return username === undefined ? message : { ...message, username };
  });
}
