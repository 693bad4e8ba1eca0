/** The composition root of the host. */
import { systemClock, type Clock } from "../clock.js";
import { silentLogger, type Logger } from "../logger.js";
import { startRpcServer, type RpcServer } from "../rpc/server.js";
import { createAdapterService } from "./adapter-service.js";
import { createAedesBroker, type AclRule, type User } from "./broker/index.js";
import { createConnIds } from "./conn-id.js";
import type { Connection, ConnectionLimits } from "./connection.js";
import { createConnectionTable } from "./connection-table.js";
import { createHandlerClient, type HandlerServiceName } from "./handler-client.js";
import { createHookClient } from "./hook-client.js";
import type { HookGeneration } from "./hook-generation.js";
import { startListener } from "./listener.js";
import { emqxFlushDelayMs, type FlushDelayMs } from "./stream-handler-client.js";

export interface HostPorts {
  /** The chat clients'. */
  readonly chat: number;
  /** ConnectionAdapter. */
  readonly adapter: number;
  readonly mqtt: number;
  /** MQTT over WebSocket, at /mqtt. */
  readonly ws: number;
}

export interface HookOptions {
  /** `host:port` of the hook provider; absent: see Host.connectHook. */
  readonly address?: string;
  readonly generation: HookGeneration;
  /** How long a call may take, in ms; EMQX's 5,000 where absent. */
  readonly timeoutMs?: number;
}

export interface HostOptions {
  /** The address that all listeners are on. */
  readonly host?: string;
  /** EMQX's where absent; 0 takes any free one. */
  readonly ports?: Partial<HostPorts>;
  /** `host:port`; absent: see Host.connectHandler. */
  readonly handlerAddress?: string;
  readonly service?: HandlerServiceName;
  /** HTTP/2 connections to a ConnectionUnaryHandler; EMQX has one for each of its schedulers. */
  readonly handlerChannels?: number;
  /** How late the events of a stream go out. */
  readonly flushDelayMs?: FlushDelayMs;
  /** An Erlang node's name, such as `emqx@127.0.0.1`. */
  readonly node?: string;
  /** EMQX's ExHook; absent: v2, should connectHook be called. */
  readonly hook?: HookOptions;
  /** Who may log in, over MQTT and ExProto; absent: everybody. */
  readonly users?: readonly User[] | undefined;
  /** Who may publish and subscribe where; the first rule that fits decides, none allows. */
  readonly acl?: readonly AclRule[];
  readonly timeouts?: Partial<ConnectionLimits>;
  readonly clock?: Clock;
  readonly logger?: Logger;
}

export interface HostStats {
  readonly connections: number;
  /** Connections that have authenticated. */
  readonly clients: number;
  readonly mqttClients: number;
}

export interface Host {
  readonly ports: HostPorts;
  /**
   * Tells where the handler is, if the options did not; until then clients are closed as if it were
   * down. Throws the second time.
   */
  connectHandler(address: string): void;
  /**
   * Tells where the hook provider is, if the options did not; until then nothing is hooked. Resolves
   * when it has been asked for its hooks for the first time: they are in force then, unless it was
   * away. Throws the second time.
   */
  connectHook(address: string): Promise<void>;
  stats(): HostStats;
  /** Closes a connection as an operator would; false if no one has the client id. */
  kick(clientId: string): boolean;
  /** To have the adapter go away, and come back on its port. */
  readonly adapter: { stop(): Promise<void>; start(): Promise<void> };
  /**
   * Ends everything, as a node that is stopped: the hook provider is told of that alone, the handler
   * of nothing.
   */
  close(): Promise<void>;
}

/** EMQX's. */
export const defaultPorts: HostPorts = { chat: 7993, adapter: 9100, mqtt: 1883, ws: 8083 };

/** EMQX's, but for maxWaitingBytes, where it counts the heap. */
export const defaultLimits: ConnectionLimits = {
  idleTimeoutMs: 30_000,
  closeGraceMs: 15_000,
  maxWaitingBytes: 64 * 1024 * 1024,
  maxUnsentBytes: 1024 * 1024,
  sendTimeoutMs: 15_000,
  callTimeoutMs: 5_000,
};

/** EMQX's setting `request_timeout`. */
const HOOK_TIMEOUT_MS = 5_000;

/** Adapter calls in flight get so long when the host closes, then they are cut. */
const CALLS_GRACE_MS = 100;

/** Rejects when a port can't be listened on. */
export async function createHost(options: HostOptions = {}): Promise<Host> {
  const {
    host = "127.0.0.1",
    service = "ConnectionUnaryHandler",
    handlerChannels = 2,
    flushDelayMs = emqxFlushDelayMs,
    node: nodeName = "emqx@127.0.0.1",
    users,
    acl = [],
    clock = systemClock,
    logger = silentLogger,
  } = options;
  const wanted = { ...defaultPorts, ...options.ports };
  const limits = { ...defaultLimits, ...options.timeouts };
  const ids = createConnIds(nodeName);
  const connections = createConnectionTable<Connection>();
  const handler = createHandlerClient({ service, channels: handlerChannels, flushDelayMs, clock });
  if (options.handlerAddress !== undefined) handler.connect(options.handlerAddress);

  const { generation = "v2", timeoutMs = HOOK_TIMEOUT_MS } = options.hook ?? {};
  const hooks = createHookClient({ generation, timeoutMs, nodeName, clock, logger });
  if (options.hook?.address !== undefined) await hooks.connect(options.hook.address);

  const broker = await createAedesBroker({
    host,
    ports: wanted,
    users,
    acl,
    hooks,
    clock,
    logger,
  }).catch(async (error: unknown) => {
    await hooks.close();
    throw error;
  });
  const adapter = createRestartable((port) =>
    startRpcServer({ host, port, services: [createAdapterService(connections, ids, broker)] }),
  );
  const runtime = { nodeName, broker, hooks, handler, connections, limits, clock, logger };

  async function closeAll(): Promise<void> {
    const unloaded = hooks.close();
    for (const connection of connections.all()) connection.destroy();
    handler.close();
    await adapter.stop();
    await broker.close();
    await unloaded;
  }

  try {
    await adapter.start(wanted.adapter);
    const listener = await startListener(host, wanted.chat, ids, runtime);
    let closing: Promise<void> | undefined;
    return {
      ports: { chat: listener.port, adapter: adapter.port, ...broker.ports },
      connectHandler: (address) => handler.connect(address),
      connectHook: (address) => hooks.connect(address),
      stats: () => ({
        connections: connections.size,
        clients: connections.clients,
        mqttClients: broker.clients,
      }),
      kick(clientId) {
        const connection = connections.holderOf(clientId);
        connection?.kick();
        return connection !== undefined;
      },
      adapter: { stop: () => adapter.stop(), start: () => adapter.start(adapter.port) },
      close: () => (closing ??= Promise.all([listener.close(), closeAll()]).then(() => undefined)),
    };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

/** A server that can be stopped and started. */
function createRestartable(start: (port: number) => Promise<RpcServer>) {
  let server: RpcServer | undefined;
  let port = 0;
  return {
    get port() {
      return port;
    },
    async start(wanted: number): Promise<void> {
      server ??= await start(wanted);
      port = server.port;
    },
    async stop(): Promise<void> {
      const stopped = server;
      server = undefined;
      await stopped?.close(CALLS_GRACE_MS);
    },
  };
}
