/**
 * All connections of this process: finds them by conn id and by client id, keeps the total of what
 * is held within bounds, closes orphans, and sweeps up what EMQX forgot to tell us the end of.
 */
import { randomBytes } from "node:crypto";
import { GatewayError } from "../errors.js";
import type { BrokerMessage, Peer } from "../protocol.js";
import { Connection } from "./connection.js";
import type { Runtime } from "./runtime.js";

export interface Registry {
  /** A new connection. A second "created" of the same conn id changes nothing. */
  create(conn: string, peer: Peer): void;
  find(conn: string): Connection | undefined;
  /**
   * True for a while after EMQX has told of a connection's end, and while we try to close one that it
   * has not: what comes late is no orphan's.
   */
  isOver(conn: string): boolean;
  /** EMQX has a connection that this process does not know: say goodbye and close it. */
  closeOrphan(conn: string): void;
  /** Tells of every connection that has ended. */
  onOver(listener: (conn: string) => void): void;
  /** Marks what clients of this process have published themselves. */
  attribute(messages: readonly BrokerMessage[]): readonly BrokerMessage[];
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
  const { adapter, sessions, protocol, publications, clock, logger, limits } = runtime;
  const connections = new Map<string, Connection>();
  const clients = new Map<string, Connection>();
  const over = new Set<string>();
  const closing = new Set<string>();
  const listeners: ((conn: string) => void)[] = [];
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

  function onAuthenticated(connection: Connection, clientId: string): void {
    const older = clients.get(clientId);
    clients.set(clientId, connection);
    if (older !== undefined && older !== connection) older.dispatch({ kind: "superseded" });
  }

  function onHeld(bytes: number): boolean {
    heldBytes += bytes;
    return bytes > 0 && heldBytes > limits.maxHeldBytes;
  }

  function onOver(connection: Connection, isConfirmed: boolean): void {
    const { conn } = connection.link;
    connections.delete(conn);
    if (isConfirmed) remember(conn);
    else closeOrphan(conn);
    const { clientId } = connection;
    if (clientId !== undefined && clients.get(clientId) === connection) clients.delete(clientId);
    for (const listener of listeners) listener(conn);
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

  async function sayFarewell(conn: string): Promise<void> {
    try {
      const note = await sessions.noteOf(conn);
      const bytes = note === undefined ? undefined : protocol.farewell(note);
      if (bytes !== undefined && bytes.length > 0) await adapter.send(conn, bytes);
    } catch (error) {
      logger.debug({ err: error, conn }, "an orphan is closed without a goodbye");
    }
  }

  async function close(conn: string): Promise<void> {
    await sayFarewell(conn);
    try {
      await adapter.close(conn);
      remember(conn);
      await sessions.forget(conn);
    } catch (error) {
      if (error instanceof GatewayError && error.gone) remember(conn);
      // Else its next event finds it unknown, and it is closed then.
      else logger.warn({ err: error, conn }, "a connection could not be closed");
    } finally {
      closing.delete(conn);
    }
  }

  function closeOrphan(conn: string): void {
    if (closing.has(conn)) return;
    closing.add(conn);
    void close(conn);
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

  runtime.log?.onLate((topic, position) => {
    for (const connection of [...connections.values()]) {
      connection.dispatch({ kind: "logged", topic, position });
    }
  });

  return {
    create,
    find: (conn) => connections.get(conn),
    isOver: (conn) => over.has(conn) || closing.has(conn),
    closeOrphan,
    onOver: (listener) => void listeners.push(listener),
    attribute: (messages) =>
      messages.map((message) => {
        const username = publications.publisherOf(message);
        return username === undefined ? message : { ...message, username, isOurs: true };
      }),
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
        connection.abandon("the gateway stops");
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
