/** The composition root: one gateway, of a protocol, an adapter and stores. */
import { createGrpcAdapter, parseAdapterAddress, type ConnectionAdapter } from "./adapter/index.js";
import { createChatProtocol, defaultChatOptions } from "./chat.js";
import { systemClock, type Clock } from "./clock.js";
import { GatewayError } from "./errors.js";
import {
  createDoor,
  createHandlerServices,
  createPresenceTracker,
  createPublications,
  createRegistry,
  defaultHandlerLimits,
  newInstance,
  type HandlerLimits,
} from "./handler/index.js";
import { createRoomLogs, type LogLimits, type RoomLogStats } from "./log/index.js";
import { silentLogger, type Logger } from "./logger.js";
import type { Protocol } from "./protocol.js";
import { startRpcServer } from "./rpc/server.js";
import { encodePresenceEvent, type Topics } from "./session/index.js";
import {
  createMemoryPresenceStore,
  createMemorySessionStore,
  type PresenceStore,
  type RoomLog,
  type SessionStore,
} from "./store/index.js";

export interface GatewayOptions {
  /** What the clients speak; absent: the chat protocol. */
  readonly protocol?: Protocol;
  /** Where EMQX calls us. Port 0 takes any free one. */
  readonly host?: string;
  readonly port?: number;
  /** Where we call EMQX; see parseAdapterAddress for its forms. */
  readonly adapterAddress?: string;
  /** In place of the gRPC adapter at `adapterAddress`. */
  readonly adapter?: ConnectionAdapter;
  /** Absent: in memory, for this process alone. */
  readonly sessions?: SessionStore;
  readonly presence?: PresenceStore;
  /** Where the rooms, the inboxes and the presence events lie on the broker. */
  readonly topics?: Topics;
  /** Keeps what is said in rooms and to users; absent: nothing is kept. */
  readonly roomLog?: RoomLog;
  /** Bounds of what is done with the log. */
  readonly logLimits?: Partial<LogLimits>;
  /** How long members of a gateway that has crashed are shown, in ms. */
  readonly presenceLeaseMs?: number;
  /** How long clients have to be told goodbye when the gateway stops, in ms. */
  readonly shutdownDeadlineMs?: number;
  readonly limits?: Partial<HandlerLimits>;
  readonly clock?: Clock;
  readonly logger?: Logger;
}

export interface Gateway {
  /** Where EMQX's calls are taken. */
  readonly port: number;
  stats(): GatewayStats;
  /** Says goodbye to every client and stops, within the deadline. */
  close(): Promise<void>;
}

export interface GatewayStats {
  /** Connections open now, and the bytes held for them. */
  readonly connections: number;
  readonly heldBytes: number;
  /** Messages of qos 0 that were not sent, as their client did not keep up. */
  readonly droppedMessages: number;
  /** Messages that wait to be logged, and those that are in no log; absent without a log. */
  readonly log?: RoomLogStats;
}

/** Rejects when the port can't be listened on or `adapterAddress` has none of its forms. */
export async function createGateway(options: GatewayOptions = {}): Promise<Gateway> {
  const {
    protocol = createChatProtocol(defaultChatOptions),
    host = "127.0.0.1",
    port = 9001,
    adapterAddress = "127.0.0.1:9100",
    topics = defaultChatOptions.topics,
    presenceLeaseMs = 30_000,
    shutdownDeadlineMs = 5_000,
    clock = systemClock,
    logger = silentLogger,
  } = options;
  const adapter =
    options.adapter ?? createGrpcAdapter({ addressOf: parseAdapterAddress(adapterAddress) });
  const sessions = options.sessions ?? createMemorySessionStore({ clock });
  const announcer = createAnnouncer(adapter, logger);
  const presence = createPresenceTracker({
    store: options.presence ?? createMemoryPresenceStore({ clock }),
    gateway: newInstance(),
    leaseMs: presenceLeaseMs,
    clock,
    logger,
    announce: (event, room, { clientId, username }, ts) =>
      announcer.announce(
        topics.presence(room),
        encodePresenceEvent({ event, room, clientId, username, ts }),
      ),
  });
  const limits = { ...defaultHandlerLimits, ...options.limits };
  const publications = createPublications(clock);
  const log =
    options.roomLog &&
    createRoomLogs({
      log: options.roomLog,
      keeps: (topic) => keepsLog(topics, topic),
      ...options.logLimits,
      clock,
      logger,
    });
  const counters = { droppedMessages: 0 };
  const runtime = {
    protocol,
    adapter,
    sessions,
    presence,
    publications,
    log,
    counters,
    clock,
    logger,
    limits,
  };
  const registry = createRegistry(runtime);
  await presence.start();
  const server = await startRpcServer({
    host,
    port,
    services: createHandlerServices(createDoor(registry, logger), runtime),
  }).catch(async (error: unknown) => {
    await presence.stop();
    adapter.end();
    throw error;
  });
  registry.start();

  /** Resolves when `work` is done, or the time is over. */
  async function within(ms: number, work: Promise<void>): Promise<void> {
    let cancel = (): void => undefined;
    const over = new Promise<void>((resolve) => (cancel = clock.schedule(ms, resolve)));
    await Promise.race([work, over]);
    cancel();
  }

  let closing: Promise<void> | undefined;
  async function close(): Promise<void> {
    const stopsAt = clock.now() + shutdownDeadlineMs;
    await registry.shutdown(shutdownDeadlineMs);
    const announced = presence.stop().then(() => announcer.drained());
    await within(Math.max(MIN_STOP_MS, stopsAt - clock.now()), announced);
    await server.close(CALLS_GRACE_MS);
    await log?.stop();
    adapter.end();
  }

  return {
    port: server.port,
    stats: () => ({
      connections: registry.size,
      heldBytes: registry.heldBytes,
      ...counters,
      ...(log && { log: log.stats() }),
    }),
    close: () => (closing ??= close()),
  };
}

/** Rooms and inboxes have a log; who came and went is not kept. */
function keepsLog(topics: Topics, topic: string): boolean {
  const place = topics.placeOf(topic);
  return place !== undefined && place.kind !== "presence";
}

/** Even where the goodbyes took all the time, the presence lease is given up. */
const MIN_STOP_MS = 200;

/** EMQX keeps its streams open for ever: what is in flight gets so long, then it is cut. */
const CALLS_GRACE_MS = 200;

/** Announcements that may wait while EMQX does not take them. */
const MAX_ANNOUNCEMENTS = 10_000;

interface Announcer {
  announce(topic: string, payload: Uint8Array): void;
  drained(): Promise<void>;
}

/**
 * One after the other per topic, since EMQX may swap calls that are in flight together. At qos 0: one
 * that can't be made is logged, and the list of members is right anyway.
 */
function createAnnouncer(adapter: ConnectionAdapter, logger: Logger): Announcer {
  const underWay = new Map<string, Promise<void>>();
  let waiting = 0;
  let supported = true;

  async function publish(topic: string, payload: Uint8Array): Promise<void> {
    if (!supported) return;
    try {
      await adapter.rawPublish(topic, 0, payload);
    } catch (error) {
      if (error instanceof GatewayError && error.code === "UNSUPPORTED") {
        supported = false;
        logger.warn({}, "EMQX has no RawPublish (before 5.1): presence events are not published");
      } else {
        logger.warn({ err: error, topic }, "a presence event was not published");
      }
    }
  }

  return {
    announce(topic, payload) {
      if (waiting >= MAX_ANNOUNCEMENTS) {
        logger.warn({ topic }, "a presence event was dropped: too many wait for EMQX");
        return;
      }
      waiting += 1;
      const before = underWay.get(topic) ?? Promise.resolve();
      const mine = before.then(() => publish(topic, payload));
      underWay.set(topic, mine);
      void mine.then(() => {
        waiting -= 1;
        if (underWay.get(topic) === mine) underWay.delete(topic);
      });
    },
    async drained() {
      await Promise.all(underWay.values());
    },
  };
}
