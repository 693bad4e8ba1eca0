/**
 * The connection to Redis, or to a Redis Cluster, that the stores share. It promises:
 *
 * - Nothing waits for Redis to come back. While it is away a command is refused at once, and one
 *   that Redis does not answer within commandTimeoutMs is given up (it may still be carried out).
 * - It connects again by itself, for ever, at most 500 ms after the last attempt failed.
 * - An outage is logged once when it begins and once when it ends, never with a password.
 */
import { once } from "node:events";
import { Cluster, Redis } from "ioredis";
import type { RedisOptions } from "ioredis";
import type { z } from "zod";
import { GatewayError } from "../../errors.js";
import type { Logger } from "../../logger.js";
import { parseAddresses } from "./address.js";
import type { RedisAddress } from "./address.js";
import { watchDurability } from "./durability.js";
import { describeFailure, replyCode, toGatewayError } from "./failure.js";
import type { Script } from "./scripts.js";

export type Argument = string | number | Buffer;

export interface RedisConnection {
  /** Whether Redis is there and has taken us in, as far as is known. */
  ready(): boolean;
  /** Whether the server's writes outlive it, as lua/log.lua takes it; "" while that is not known. */
  durability(): string;
  /** Runs a command. Rejects with GatewayError UNAVAILABLE or, for a bug, INTERNAL. */
  command<Reply>(reply: z.ZodType<Reply>, name: string, ...args: Argument[]): Promise<Reply>;
  /** Runs a script; all `keys` must be of one hash slot. Rejects as `command` does. */
  run<Reply>(
    script: Script<Reply>,
    keys: readonly string[],
    args: readonly Argument[],
  ): Promise<Reply>;
  /** Waits for what is under way, then closes for good. */
  close(): Promise<void>;
}

export interface RedisConnectionOptions {
  /**
   * `redis[s]://[user:password@]host[:port][/database]`. For a cluster one or several of its nodes,
   * separated by commas; the others are found by themselves.
   */
  readonly url: string;
  /** Default "standalone". */
  readonly mode?: "standalone" | "cluster";
  /** How long a command may take. Default 2000. */
  readonly commandTimeoutMs?: number;
  readonly logger: Logger;
}

const CONNECT_TIMEOUT_MS = 5_000;
const MAX_RETRY_DELAY_MS = 500;
/** How often a cluster may send a command on to another node. */
const MAX_REDIRECTIONS = 5;

/** Doubles from 50 ms, less a random part, so that gateways don't all come back in one moment. */
function retryDelayMs(attempt: number): number {
  const delayMs = Math.min(50 * 2 ** Math.min(attempt - 1, 10), MAX_RETRY_DELAY_MS);
  return Math.round(delayMs * (0.5 + Math.random() / 2));
}

function connect(
  addresses: readonly [RedisAddress, ...RedisAddress[]],
  mode: "standalone" | "cluster",
  commandTimeoutMs: number,
): Redis | Cluster {
  const [first] = addresses;
  const common = {
    commandTimeout: commandTimeoutMs,
    // A socket on which nothing comes back is dropped: the path may be dead, a new one may not.
    socketTimeout: commandTimeoutMs,
    connectTimeout: CONNECT_TIMEOUT_MS,
    maxLoadingRetryTime: MAX_RETRY_DELAY_MS,
    // Commands under way when the connection breaks fail at once, and are not sent again.
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    // After a failover the address leads to the new primary, the old connection to a replica.
    reconnectOnError: (error: Error) => replyCode(error) === "READONLY",
    ...(first.username !== undefined && { username: first.username }),
    ...(first.password !== undefined && { password: first.password }),
    ...(first.tls && { tls: {} }),
  } satisfies RedisOptions;
  if (mode === "cluster") {
    return new Cluster(
      addresses.map(({ host, port }) => ({ host, port })),
      {
        enableOfflineQueue: false,
        maxRedirections: MAX_REDIRECTIONS,
        clusterRetryStrategy: retryDelayMs,
        slotsRefreshTimeout: commandTimeoutMs,
        redisOptions: common,
      },
    );
  }
  return new Redis({
    ...common,
    host: first.host,
    port: first.port,
    db: first.database,
    enableOfflineQueue: false,
    retryStrategy: retryDelayMs,
  });
}

/** Logs the beginning and the end of an outage, once each. */
function watch(redis: Redis | Cluster, address: string, logger: Logger): { stop(): void } {
  let state: "starting" | "up" | "down" | "stopped" = "starting";
  function away(reason: string): void {
    if (state === "down" || state === "stopped") return;
    state = "down";
    logger.warn({ redis: address, reason }, "Redis is away; trying again until it is back");
  }
  redis.on("error", (error: unknown) => away(describeFailure(error)));
  redis.on("close", () => away("the connection was closed"));
  redis.on("ready", () => {
    if (state === "stopped") return;
    logger.info({ redis: address }, state === "down" ? "Redis is back" : "connected to Redis");
    state = "up";
  });
  return {
    stop() {
      state = "stopped";
    },
  };
}

/** Comes up whether Redis is there or not. Throws only when the options make no sense. */
export function createRedisConnection(options: RedisConnectionOptions): RedisConnection {
  const { url, mode = "standalone", commandTimeoutMs = 2_000, logger } = options;
  const addresses = parseAddresses(url, mode);
  const redis = connect(addresses, mode, commandTimeoutMs);
  const outages = watch(
    redis,
    addresses.map(({ host, port }) => `${host}:${port}`).join(","),
    logger,
  );

  const durability = redis instanceof Redis ? watchDurability(redis) : () => "";

  async function call<Reply>(
    reply: z.ZodType<Reply>,
    label: string,
    send: () => Promise<unknown>,
  ): Promise<Reply> {
    let value: unknown;
    try {
      value = await send();
    } catch (error) {
      throw toGatewayError(error, label);
    }
    const parsed = reply.safeParse(value);
    if (parsed.success) return parsed.data;
    throw GatewayError.from(new Error(`Redis ${label} gave an answer of another shape`));
  }

  return {
    ready: () => redis.status === "ready",
    durability,

    command: (reply, name, ...args) => call(reply, name, () => redis.call(name, ...args)),

    run: (script, keys, args) =>
      call(script.reply, script.name, async () => {
        const send = (command: string, text: string): Promise<unknown> => {
          const all = [text, keys.length, ...keys, ...args];
          return script.isBinary ? redis.callBuffer(command, all) : redis.call(command, all);
        };
        try {
          return await send("evalsha", script.sha1);
        } catch (error) {
          if (replyCode(error) !== "NOSCRIPT") throw error;
          return await send("eval", script.source);
        }
      }),

    async close() {
      outages.stop();
      if (redis.status !== "ready") {
        redis.disconnect();
        return;
      }
      const ended = once(redis, "end");
      try {
        await redis.quit();
        await ended;
      } catch {
        // It does not answer, so it is left without a word.
        redis.disconnect();
      }
    },
  };
}
