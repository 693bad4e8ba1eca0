/** From a configuration to a running gateway: what `serve` and `dev` share. */
import { pino } from "pino";
import { createChatProtocol, defaultChatOptions, type ChatOptions } from "../chat.js";
import { systemClock } from "../clock.js";
import { toTopicTemplates, type GatewayConfig } from "../config.js";
import { createGateway, type Gateway } from "../gateway.js";
import type { Logger } from "../logger.js";
import { createTopics } from "../session/index.js";
import {
  createMemoryPresenceStore,
  createMemorySessionStore,
  createRedisStores,
  type PresenceStore,
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
  const gateway = await createGateway({
    protocol: createChatProtocol(chat),
    host: config.HANDLER_HOST,
    port: config.HANDLER_PORT,
    adapterAddress,
    sessions: stores.sessions,
    presence: stores.presence,
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
    await stores.close();
    throw error;
  });
  return {
    port: gateway.port,
    stats: () => gateway.stats(),
    async close() {
      await gateway.close();
      await stores.close();
    },
  };
}

function toChatOptions(config: GatewayConfig): ChatOptions {
  return {
    ...defaultChatOptions,
    helloTimeoutMs: config.HELLO_TIMEOUT_MS,
    maxRooms: config.MAX_ROOMS,
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

interface Stores {
  readonly sessions: SessionStore;
  readonly presence: PresenceStore;
  close(): Promise<void>;
}

function openStores(config: GatewayConfig, logger: Logger): Stores {
  if (config.REDIS_URL !== undefined) {
    return createRedisStores({
      url: config.REDIS_URL.reveal(),
      mode: config.REDIS_MODE,
      keyPrefix: config.REDIS_KEY_PREFIX,
      commandTimeoutMs: config.REDIS_TIMEOUT_MS,
      logger,
    });
  }
  const clock = systemClock;
  return {
    sessions: createMemorySessionStore({ clock }),
    presence: createMemoryPresenceStore({ clock }),
    close: () => Promise.resolve(),
  };
}
