/** The host, whole: chat listener, ConnectionAdapter and broker in one process. */
import { randomBytes } from "node:crypto";
import { createServer, type Socket } from "node:net";
import { systemClock, type Clock } from "../clock.js";
import { silentLogger, type Logger } from "../logger.js";
import { startRpcServer, type RpcServer } from "../rpc/server.js";
import { createAdapterService } from "./adapter-service.js";
import type { AclRule, User } from "./broker/access.js";
import { createAedesBroker } from "./broker/aedes-broker.js";
import { createConnIds } from "./conn-id.js";
import { Connection, type ConnectionTimeouts } from "./connection.js";
import {
  createHandlerClient,
  type HandlerClient,
  type HandlerServiceName,
} from "./handler-client.js";
import { closeServer, listen } from "./net.js";

export interface HostOptions {
  /** The address that every listener is bound to. */
  readonly host?: string;
  /** 0 takes any free one. */
  readonly ports?: Partial<HostPorts>;
  readonly service?: HandlerServiceName;
  /** Stands in every conn id. */
  readonly node?: string;
  /** Absent: everybody is let in. */
  readonly users?: readonly User[] | undefined;
  /** The first rule that fits decides; where none does, it is allowed. */
  readonly acl?: readonly AclRule[];
  readonly timeouts?: Partial<ConnectionTimeouts>;
  /** How long a stream of the streaming service gathers, in ms. */
  readonly flushDelayMs?: () => number;
  readonly clock?: Clock;
  readonly logger?: Logger;
}

export interface HostPorts {
  readonly chat: number;
  readonly adapter: number;
  readonly mqtt: number;
  readonly ws: number;
}

export interface Host {
  readonly ports: HostPorts;
  /** Where the gateway takes our calls (`host:port`). Until then chat clients are turned away. */
  connectHandler(address: string): void;
  /** Takes the ConnectionAdapter away, and brings it back on the same port. */
  readonly adapter: { stop(): Promise<void>; start(): Promise<void> };
  /** An operator ends a client's connection. False: there is none. */
  kick(clientId: string): boolean;
  stats(): { readonly connections: number; readonly clients: number };
  /** Ends every connection and listener. The gateway is not told. */
  close(): Promise<void>;
}

const defaultPorts: HostPorts = { chat: 7993, adapter: 9100, mqtt: 1883, ws: 8083 };

const defaultTimeouts: ConnectionTimeouts = {
  idleTimeoutMs: 30_000,
  closeWaitMs: 15_000,
  busyTimeoutMs: 5_000,
  sendTimeoutMs: 15_000,
};

/** EMQX flushes a stream after 20 ms at the latest. */
const MAX_FLUSH_DELAY_MS = 20;
const ADAPTER_GRACE_MS = 100;

/** Rejects, with nothing left open, when a port is taken. */
export async function createHost(options: HostOptions = {}): Promise<Host> {
  const {
    host = "127.0.0.1",
    service = "ConnectionUnaryHandler",
    node = "emqx@127.0.0.1",
    flushDelayMs = () => Math.random() * MAX_FLUSH_DELAY_MS,
    clock = systemClock,
    logger = silentLogger,
  } = options;
  const wanted = { ...defaultPorts, ...options.ports };
  const timeouts = { ...defaultTimeouts, ...options.timeouts };
  const ids = createConnIds(node, randomBytes(4).readUInt32BE());
  const connections = new Map<string, Connection>();
  const clients = new Map<string, Connection>();
  const clientIds = new Map<Connection, string>();
  let handler: HandlerClient | undefined;

  const broker = await createAedesBroker({
    host,
    mqttPort: wanted.mqtt,
    wsPort: wanted.ws,
    users: options.users,
    acl: options.acl,
    clock,
    logger,
  });

  function forget(connection: Connection): void {
    connections.delete(connection.id);
    const clientId = clientIds.get(connection);
    clientIds.delete(connection);
    if (clientId !== undefined && clients.get(clientId) === connection) clients.delete(clientId);
  }

  const adapterService = createAdapterService(broker, {
    find: (conn) => {
      const connection = connections.get(conn);
      return connection?.isOpen === true ? connection : undefined;
    },
    wasThere: (conn) => ids.gaveOut(conn),
    register(connection, clientId) {
      clients.get(clientId)?.close("{shutdown,discarded}");
      clients.set(clientId, connection);
      clientIds.set(connection, clientId);
    },
  });

  let adapterPort = wanted.adapter;
  let adapter: RpcServer | undefined;
  async function startAdapter(): Promise<void> {
    adapter ??= await startRpcServer({ host, port: adapterPort, services: [adapterService] });
    adapterPort = adapter.port;
  }
  async function stopAdapter(): Promise<void> {
    const running = adapter;
    adapter = undefined;
    await running?.close(ADAPTER_GRACE_MS);
  }

  function accept(socket: Socket): void {
    if (handler === undefined) {
      socket.destroy();
      return;
    }
    socket.setNoDelay(true);
    const context = { node, broker, handler, clock, logger, timeouts };
    const connection = new Connection(ids.next(), socket, context);
    connections.set(connection.id, connection);
    void connection.over.then(() => forget(connection));
  }

  const listener = createServer({ allowHalfOpen: true }, accept);

  async function close(): Promise<void> {
    const listenerClosed = closeServer(listener);
    for (const connection of [...connections.values()]) connection.destroy();
    await listenerClosed;
    await stopAdapter();
    handler?.close();
    await broker.close();
  }

  try {
    await startAdapter();
    const chat = await listen(listener, host, wanted.chat);
    return {
      ports: { chat, adapter: adapterPort, ...broker.ports },
      connectHandler(address) {
        handler?.close();
        handler = createHandlerClient({ address, service, clock, flushDelayMs });
      },
      adapter: { start: startAdapter, stop: stopAdapter },
      kick(clientId) {
        const connection = clients.get(clientId);
        connection?.close("{shutdown,kicked}");
        return connection !== undefined;
      },
      stats: () => ({ connections: connections.size, clients: clients.size }),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
