/** The composition root: one gateway, of a protocol, an adapter and stores. */
import { createGrpcAdapter, parseAdapterAddress, type ConnectionAdapter } from "./adapter/index.js";
import {
  createArchiveWriter,
  type Archive,
  type ArchiveWriter,
  type ArchiveWriterStats,
} from "./archive/index.js";
import { createChatProtocol, defaultChatOptions } from "./chat.js";
import { systemClock, type Clock } from "./clock.js";
import {
  createAnnouncer,
  createDoor,
  createHandlerServices,
  createPresenceTracker,
  createPublications,
  createRegistry,
  defaultHandlerLimits,
  newInstance,
  type HandlerLimits,
} from "./handler/index.js";
import {
  createHookServices,
  createMqttHistory,
  createMqttPresence,
  type HookListener,
  type HookPolicy,
  type MqttHistory,
  type MqttPresence,
} from "./hook/index.js";
import {
  createRoomLogs,
  type LogLimits,
  type OlderEntries,
  type RoomLogs,
  type RoomLogStats,
} from "./log/index.js";
import { silentLogger, type Logger } from "./logger.js";
import type { Protocol } from "./protocol.js";
import { startRpcServer } from "./rpc/server.js";
import {
  encodePresenceEvent,
  isClientId,
  isRoomName,
  isUsername,
  type Topics,
} from "./session/index.js";
import {
  createMemoryMqttClientStore,
  createMemoryPresenceStore,
  createMemorySessionStore,
  type ArchiveSource,
  type Member,
  type MqttClientStore,
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
  /** Which rooms MQTT clients have subscribed, and where they are connected. */
  readonly mqttClients?: MqttClientStore;
  /** Where the rooms, the inboxes and the rest lie on the broker. */
  readonly topics?: Topics;
  /** Keeps what is said in rooms and to users; absent: nothing is kept. */
  readonly roomLog?: RoomLog & ArchiveSource;
  /**
   * Keeps for good what the room log drops in time: the log must be told so (RetentionOptions). The
   * gateway closes neither.
   */
  readonly archive?: Archive;
  /**
   * Where EMQX's ExHook calls us; absent: it does not. It fills the room log, and tells of MQTT
   * clients in rooms.
   */
  readonly hook?: HookOptions;
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

export interface HookOptions {
  /** As the handler's. */
  readonly host?: string;
  /** 0 takes any free one. */
  readonly port: number;
  /** Decides on logins and permissions in EMQX's place; absent: EMQX does. */
  readonly policy?: HookPolicy;
}

export interface Gateway {
  /** Where EMQX's calls are taken. */
  readonly port: number;
  /** Where ExHook's are taken. */
  readonly hookPort?: number;
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
  /** How far the archive is behind the log; absent without one. */
  readonly archive?: ArchiveWriterStats;
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
  const name = newInstance();
  const announcer = createAnnouncer(adapter, logger);
  const members = {
    store: options.presence ?? createMemoryPresenceStore({ clock }),
    clock,
    logger,
    announce: (event: "JOINED" | "LEFT", room: string, member: Member, ts: number) => {
      const { clientId, username, protocol } = member;
      const who = { clientId, username, ...(protocol !== undefined && { protocol }) };
      const told = encodePresenceEvent({ event, room, ...who, ts });
      announcer.announce(topics.presence(room), told);
    },
  };
  const presence = createPresenceTracker({ ...members, gateway: name, leaseMs: presenceLeaseMs });
  const limits = { ...defaultHandlerLimits, ...options.limits };
  const publications = createPublications(clock);
  const { roomLog, archive } = options;
  const writer =
    roomLog && archive && createArchiveWriter({ source: roomLog, archive, clock, logger });
  const log =
    roomLog &&
    createRoomLogs({
      log: writer === undefined ? roomLog : nudging(roomLog, writer),
      keeps: (topic) => keepsLog(topics, topic),
      ...(archive && { archive: toOlderEntries(archive) }),
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
  const { hook } = options;
  const mqttPresence =
    hook &&
    createMqttPresence({
      ...members,
      clients: options.mqttClients ?? createMemoryMqttClientStore({ clock }),
      roomOf: (topic) => roomAt(topics, topic, "room"),
      isClientId,
      isUsername,
    });
  const mqttHistory =
    log &&
    createMqttHistory({
      roomOf: (topic) => roomAt(topics, topic, "history"),
      replyTopicOf: (clientId) => topics.reply(clientId),
      history: (room, before, limit) => log.history(topics.room(room), before, limit),
      publish: (topic, payload) => adapter.rawPublish(topic, 1, payload),
      logger,
    });
  const hookServer =
    hook &&
    mqttPresence &&
    (await startRpcServer({
      host: hook.host ?? host,
      port: hook.port,
      services: createHookServices({
        listener: listen(topics, mqttPresence, log, mqttHistory),
        ...(hook.policy && { policy: hook.policy }),
        clock,
        logger,
      }),
    }).catch(async (error: unknown) => {
      await server.close(0);
      await presence.stop();
      adapter.end();
      throw error;
    }));
  writer?.start();
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
    // What was heard of MQTT clients up to then is still dealt with.
    await hookServer?.close(CALLS_GRACE_MS);
    const announced = Promise.all([presence.stop(), mqttPresence?.stop()]).then(() =>
      announcer.drained(),
    );
    await within(Math.max(MIN_STOP_MS, stopsAt - clock.now()), announced);
    await server.close(CALLS_GRACE_MS);
    await log?.stop();
    await writer?.stop();
    adapter.end();
  }

  return {
    port: server.port,
    ...(hookServer && { hookPort: hookServer.port }),
    stats: () => ({
      connections: registry.size,
      heldBytes: registry.heldBytes,
      ...counters,
      ...(log && { log: log.stats() }),
      ...(writer && { archive: writer.stats() }),
    }),
    close: () => (closing ??= close()),
  };
}

/** What is heard of EMQX's hooks, and by whom. */
function listen(
  topics: Topics,
  presence: MqttPresence,
  log: RoomLogs | undefined,
  history: MqttHistory | undefined,
): HookListener {
  return {
    ...presence,
    messageTopics: topics.filters,
    ...(log && {
      onPublish(message, properties) {
        if (log.keeps(message.topic)) return log.append(message);
        // The answer comes by itself; the request goes on to whoever else may want it.
        void history?.onMessage(message, properties);
        return Promise.resolve("route");
      },
    }),
  };
}

/** Rooms and inboxes have a log. */
function keepsLog(topics: Topics, topic: string): boolean {
  const kind = topics.placeOf(topic)?.kind;
  return kind === "room" || kind === "user";
}

function roomAt(topics: Topics, topic: string, kind: "room" | "history"): string | undefined {
  const place = topics.placeOf(topic);
  return place?.kind === kind && isRoomName(place.room) ? place.room : undefined;
}

/** What is appended is archived soon. */
function nudging(log: RoomLog, writer: ArchiveWriter): RoomLog {
  return {
    open: (topics) => log.open(topics),
    read: (topic, range) => log.read(topic, range),
    readBack: (topic, range) => log.readBack(topic, range),
    announce: (topic, publication, windowMs) => log.announce(topic, publication, windowMs),
    settle: (topic, publication) => log.settle(topic, publication),
    async append(topic, messages) {
      const appended = await log.append(topic, messages);
      writer.nudge(topic);
      return appended;
    },
  };
}

function toOlderEntries(archive: Archive): OlderEntries {
  return {
    read: (topic, range) => archive.read(topic, range),
    readBack: async (topic, range) => (await archive.readBack(topic, range)).entries,
  };
}

/** Even where the goodbyes took all the time, the presence lease is given up. */
const MIN_STOP_MS = 200;

/** EMQX keeps its streams open for ever: what is in flight gets so long, then it is cut. */
const CALLS_GRACE_MS = 200;
