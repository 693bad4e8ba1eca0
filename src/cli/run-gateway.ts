/** From a configuration to a running gateway: what `serve` and `dev` share. */
import { pino } from "pino";
import { createArchive, type Archive } from "../archive/index.js";
import { createChatProtocol, defaultChatOptions, type ChatOptions } from "../chat.js";
import { systemClock } from "../clock.js";
import { toArchivePlace, toTopicTemplates, type GatewayConfig } from "../config.js";
import { createGateway, type Gateway } from "../gateway.js";
import type { Logger } from "../logger.js";
import { createTopics } from "../session/index.js";
import {
  createMemoryMqttClientStore,
  createMemoryPresenceStore,
  createMemoryRoomLog,
  createMemorySessionStore,
  createRedisStores,
  type PresenceStore,
  type ArchiveSource,
  type MqttClientStore,
  type RoomLog,
  type SessionStore,
} from "../store/index.js";
import { SERVER } from "../version.js";

export interface Running {
  close(): Promise<void>;
}

/** @param fd 1 for stdout, 2 for stderr. */
export function createLogger(config: GatewayConfig, fd: 1 | 2): Logger {
  return pino({ level: config.LOG_LEVEL }, pino.destination({ fd, sync: true }));
}

/** @param adapterAddress in place of ADAPTER_ADDRESS. */
export async function runGateway(
  config: GatewayConfig,
  logger: Logger,
  adapterAddress: string = config.ADAPTER_ADDRESS,
): Promise<Gateway> {
  const chat = toChatOptions(config);
  const stores = openStores(config, logger);
  const archive = await openArchive(config);
  const gateway = await createGateway({
    protocol: createChatProtocol(chat),
    host: config.HANDLER_HOST,
    port: config.HANDLER_PORT,
    adapterAddress,
    sessions: stores.sessions,
    presence: stores.presence,
    mqttClients: stores.mqttClients,
    ...(stores.log && { roomLog: stores.log }),
    ...(archive && { archive }),
    logLimits: {
      waitMs: config.ROOM_LOG_WAIT_MS,
      keyWindowMs: config.KEY_WINDOW_SECONDS * 1000,
    },
    hook: { host: config.HOOK_HOST, port: config.HOOK_PORT },
    topics: chat.topics,
    presenceLeaseMs: config.PRESENCE_LEASE_MS,
    shutdownDeadlineMs: config.SHUTDOWN_DEADLINE_MS,
    limits: {
      maxConnections: config.MAX_CONNECTIONS,
      maxUnsentBytes: config.MAX_UNSENT_BYTES,
      maxHeldBytes: config.MAX_HELD_BYTES,
    },
    logger,
  }).catch(async (error: unknown) => {
    await Promise.all([stores.close(), archive?.close()]);
    throw error;
  });
  return {
    port: gateway.port,
    ...(gateway.hookPort !== undefined && { hookPort: gateway.hookPort }),
    stats: () => gateway.stats(),
    async close() {
      await gateway.close();
      await Promise.all([stores.close(), archive?.close()]);
    },
  };
}

function toChatOptions(config: GatewayConfig): ChatOptions {
  return {
    ...defaultChatOptions,
    helloTimeoutMs: config.HELLO_TIMEOUT_MS,
    maxRooms: config.MAX_ROOMS,
    ackWindow: config.ACK_WINDOW,
    slowConsumerMs: config.SLOW_CONSUMER_MS,
    maxHelloBytes: config.MAX_HELLO_BYTES,
    maxFrameBytes: config.MAX_FRAME_BYTES,
    maxBacklogBytes: config.MAX_BACKLOG_BYTES,
    defaultKeepaliveSeconds: config.KEEPALIVE_SECONDS,
    defaultExpirySeconds: config.SESSION_EXPIRY_SECONDS,
    maxExpirySeconds: config.MAX_SESSION_EXPIRY_SECONDS,
    rate: {
      framesPerSecond: config.RATE_FRAMES_PER_SECOND,
      frameBurst: config.RATE_FRAME_BURST,
      bytesPerSecond: config.RATE_BYTES_PER_SECOND,
      byteBurst: config.RATE_BYTE_BURST,
    },
    topics: createTopics(toTopicTemplates(config)),
    server: SERVER,
  };
}

async function openArchive({ ARCHIVE }: GatewayConfig): Promise<Archive | undefined> {
  if (ARCHIVE === undefined) return undefined;
  const place = toArchivePlace(ARCHIVE);
  const archive = createArchive(place);
  // An embedded one stops the whole process while it starts: better before there are clients.
  if ("directory" in place) await archive.ready();
  return archive;
}

interface Stores {
  readonly sessions: SessionStore;
  readonly presence: PresenceStore;
  readonly mqttClients: MqttClientStore;
  readonly log: (RoomLog & ArchiveSource) | undefined;
  close(): Promise<void>;
}

function openStores(config: GatewayConfig, logger: Logger): Stores {
  const isLogged = config.ROOM_LOG === "on";
  const retention = {
    maxEntries: config.ROOM_LOG_MAX_MESSAGES,
    maxAgeMs: config.ROOM_LOG_MAX_AGE_SECONDS * 1000,
    isArchived: config.ARCHIVE !== undefined,
  };
  if (config.REDIS_URL !== undefined) {
    const stores = createRedisStores({
      url: config.REDIS_URL.reveal(),
      mode: config.REDIS_MODE,
      keyPrefix: config.REDIS_KEY_PREFIX,
      commandTimeoutMs: config.REDIS_TIMEOUT_MS,
      retention,
      logger,
    });
    return { ...stores, log: isLogged ? stores.log : undefined };
  }
  const clock = systemClock;
  return {
    mqttClients: createMemoryMqttClientStore({ clock }),
    log: isLogged ? createMemoryRoomLog({ clock, retention }) : undefined,
    sessions: createMemorySessionStore({ clock }),
    presence: createMemoryPresenceStore({ clock }),
    close: () => Promise.resolve(),
  };
}
