/**
 * The table of environment variables: each with its meaning, unit, default and bounds. What is made of
 * it is in config.ts.
 */
import { inspect } from "node:util";
import { z } from "zod";
import { parseAdapterAddress } from "./adapter/index.js";
import { checkPostgresUrl } from "./archive/index.js";
import { defaultChatOptions } from "./chat.js";
import { defaultHandlerLimits } from "./handler/index.js";
import { defaultLogLimits } from "./log/index.js";
import { defaultTopics, rules } from "./session/index.js";
import { defaultRetention, parseRedisUrl } from "./store/index.js";

/** A value that does not show when it is logged, printed or serialized. */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return "***";
  }

  toJSON(): string {
    return "***";
  }

  [inspect.custom](): string {
    return "***";
  }
}

export interface Key<T> {
  readonly schema: z.ZodType<T, string>;
  /** As it would be written in the environment; absent: the key has no default. */
  readonly fallback?: string;
  readonly meaning: string;
}

function key<T>(schema: z.ZodType<T, string>, fallback: string | number, meaning: string): Key<T> {
  return { schema, fallback: String(fallback), meaning };
}

/** Undefined where it is empty or not set. */
function optional<T>(schema: z.ZodType<T, string>, meaning: string): Key<T | undefined> {
  return { schema, meaning };
}

function whole(min: number, max: number) {
  const rule = `must be a whole number from ${min} to ${max}`;
  return z
    .string()
    .regex(/^\d{1,15}$/, rule)
    .transform(Number)
    .refine((value) => value >= min && value <= max, rule);
}

const text = z.string().min(1, "must not be empty");
const port = whole(0, 65_535);
const bytes = whole(1024, 1024 ** 3);
const ms = whole(10, 24 * 3600 * 1000);

/** Throws through `parse` become issues with the words of the error. */
function checked(parse: (text: string) => unknown) {
  return z.string().superRefine((value, context) => {
    try {
      parse(value);
    } catch (error) {
      context.addIssue({ code: "custom", message: error instanceof Error ? error.message : "" });
    }
  });
}

/** One or several addresses: which of them REDIS_MODE takes is checked with it, in crossChecks. */
const redisUrl = checked((value) => parseRedisUrl(value, "cluster")).transform(
  (value) => new Secret(value),
);

/** A URL, or a directory. */
const archive = checked((value) => {
  if (isUrl(value)) checkPostgresUrl(value);
}).transform((value) => new Secret(value));

export function isUrl(place: string): boolean {
  return place.includes("://");
}

/** `name:password` pairs. */
const users = z
  .string()
  .refine(
    (value) => value.split(",").every((pair) => /^[^:\s]+:.+$/.test(pair.trim())),
    "must be name:password, separated by commas",
  )
  .transform((value) =>
    value.split(",").map((pair) => {
      const at = pair.indexOf(":");
      return { username: pair.slice(0, at).trim(), password: new Secret(pair.slice(at + 1)) };
    }),
  );

const { rate } = defaultChatOptions;
/** A smaller burst would refuse the dearest command for ever. */
const minFrameBurst = Math.max(...Object.values(rules).map(({ cost }) => cost));

/** What the gateway itself is told. */
export const gatewayKeys = {
  HANDLER_HOST: key(text, "127.0.0.1", "Address on which EMQX's calls are taken."),
  HANDLER_PORT: key(port, 9001, "Port on which EMQX's calls are taken; 0 takes any free one."),
  ADAPTER_ADDRESS: key(
    checked(parseAdapterAddress),
    "127.0.0.1:9100",
    "Where EMQX's ConnectionAdapter listens: host:port, {host}:port (the host of the connection's node), or node=host:port,….",
  ),
  REDIS_URL: optional(
    redisUrl,
    "Where sessions, presence and the room log are kept. Empty: in memory.",
  ),
  REDIS_MODE: key(
    z.enum(["standalone", "cluster"], "must be standalone or cluster"),
    "standalone",
    "What REDIS_URL leads to; for a cluster it may name several nodes, separated by commas.",
  ),
  REDIS_KEY_PREFIX: key(text, "exproto:", "What every key in Redis begins with."),
  REDIS_TIMEOUT_MS: key(ms, 2000, "How long a Redis command may take (ms)."),
  HOOK_HOST: key(text, "127.0.0.1", "Address on which the calls of EMQX's ExHook are taken."),
  HOOK_PORT: key(port, 9000, "Port on which ExHook's calls are taken; 0 takes any free one."),
  ROOM_LOG: key(
    z.enum(["on", "off"], "must be on or off"),
    "on",
    "Whether what is said in rooms and to users is kept, for resume and history. It needs EMQX's ExHook.",
  ),
  ROOM_LOG_MAX_MESSAGES: key(
    whole(1, 10_000_000),
    defaultRetention.maxEntries,
    "Messages kept of each room.",
  ),
  ROOM_LOG_MAX_AGE_SECONDS: key(
    whole(1, 366 * 24 * 3600),
    defaultRetention.maxAgeMs / 1000,
    "How long a message is kept (s).",
  ),
  ROOM_LOG_WAIT_MS: key(
    whole(1, 4000),
    defaultLogLimits.waitMs,
    "How long EMQX waits for a message to be stored before it is routed all the same (ms).",
  ),
  ARCHIVE: optional(
    archive,
    "Where messages are kept for good: postgres://user:password@host/database, or a directory of an embedded PostgreSQL, for one process. Empty: nowhere. It needs the room log.",
  ),
  KEY_WINDOW_SECONDS: key(
    whole(1, 24 * 3600),
    defaultLogLimits.keyWindowMs / 1000,
    "How long the key of a say is remembered, so that it is published once (s).",
  ),
  LOG_LEVEL: key(
    z.enum(
      ["debug", "info", "warn", "error", "silent"],
      "must be debug, info, warn, error or silent",
    ),
    "info",
    "What is logged.",
  ),
  ROOM_TOPIC: key(text, defaultTopics.room, "Topic of a room, with {room} once."),
  USER_TOPIC: key(text, defaultTopics.user, "Topic of a user's inbox, with {user} once."),
  PRESENCE_TOPIC: key(
    text,
    defaultTopics.presence,
    "Topic of a room's presence events, with {room} once.",
  ),
  HISTORY_TOPIC: key(
    text,
    defaultTopics.history,
    "Topic on which MQTT clients ask for a room's history, with {room} once.",
  ),
  REPLY_TOPIC: key(
    text,
    defaultTopics.reply,
    "Topic under which an MQTT client gets what it has asked for, with {client} (its client id) once.",
  ),
  HELLO_TIMEOUT_MS: key(
    ms,
    defaultChatOptions.helloTimeoutMs,
    "From a connection's start to its welcome (ms).",
  ),
  MAX_FRAME_BYTES: key(
    bytes,
    defaultChatOptions.maxFrameBytes,
    "The longest frame taken after welcome (bytes).",
  ),
  MAX_HELLO_BYTES: key(
    bytes,
    defaultChatOptions.maxHelloBytes,
    "The longest frame taken before welcome (bytes).",
  ),
  MAX_ROOMS: key(whole(1, 10_000), defaultChatOptions.maxRooms, "Rooms a session may join."),
  ACK_WINDOW: key(
    whole(1, 10_000),
    defaultChatOptions.ackWindow,
    "Messages sent ahead of a client's acknowledgement.",
  ),
  SLOW_CONSUMER_MS: key(
    ms,
    defaultChatOptions.slowConsumerMs,
    "How long a client may leave messages waiting without acknowledging one (ms).",
  ),
  MAX_BACKLOG_BYTES: key(
    bytes,
    defaultChatOptions.maxBacklogBytes,
    "Frames of one connection that may wait for a command (bytes).",
  ),
  MAX_UNSENT_BYTES: key(
    bytes,
    defaultHandlerLimits.maxUnsentBytes,
    "What may wait to be sent on one connection (bytes).",
  ),
  MAX_HELD_BYTES: key(
    whole(1024, 1024 ** 4),
    defaultHandlerLimits.maxHeldBytes,
    "What is held for all connections together (bytes).",
  ),
  MAX_CONNECTIONS: key(
    whole(1, 10_000_000),
    defaultHandlerLimits.maxConnections,
    "Connections taken.",
  ),
  RATE_FRAMES_PER_SECOND: key(
    whole(1, 1_000_000),
    rate.framesPerSecond,
    "Frames a client may send, on average (a second).",
  ),
  RATE_FRAME_BURST: key(
    whole(minFrameBurst, 1_000_000),
    rate.frameBurst,
    `Frames a client may send at once; at least ${minFrameBurst}, as the dearest command counts for so many.`,
  ),
  RATE_BYTES_PER_SECOND: key(
    whole(1, 1024 ** 3),
    rate.bytesPerSecond,
    "Bytes a client may send, on average (a second).",
  ),
  RATE_BYTE_BURST: key(bytes, rate.byteBurst, "Bytes a client may send at once."),
  KEEPALIVE_SECONDS: key(
    whole(1, 3600),
    defaultChatOptions.defaultKeepaliveSeconds,
    "Keepalive of a client that names none (s).",
  ),
  SESSION_EXPIRY_SECONDS: key(
    whole(0, 604_800),
    defaultChatOptions.defaultExpirySeconds,
    "How long a session outlives its connection, where the client does not say (s).",
  ),
  MAX_SESSION_EXPIRY_SECONDS: key(
    whole(0, 604_800),
    defaultChatOptions.maxExpirySeconds,
    "The longest that a client may ask for (s).",
  ),
  PRESENCE_LEASE_MS: key(
    whole(300, 3_600_000),
    30_000,
    "How long members of a gateway that has crashed are shown (ms).",
  ),
  SHUTDOWN_DEADLINE_MS: key(
    ms,
    5000,
    "How long clients have to be told goodbye when the gateway stops (ms).",
  ),
} as const;

/** What `dev` is told besides: the host that plays EMQX's part. */
export const hostKeys = {
  CHAT_HOST: key(text, "127.0.0.1", "Address on which the host listens."),
  CHAT_PORT: key(port, 7993, "Port of the chat clients; 0 takes any free one."),
  ADAPTER_PORT: key(port, 9100, "Port of the host's ConnectionAdapter; 0 takes any free one."),
  MQTT_PORT: key(port, 1883, "Port of MQTT; 0 takes any free one."),
  WS_PORT: key(port, 8083, "Port of MQTT over WebSocket (path /mqtt); 0 takes any free one."),
  HANDLER_SERVICE: key(
    z.enum(
      ["ConnectionUnaryHandler", "ConnectionHandler"],
      "must be ConnectionUnaryHandler or ConnectionHandler",
    ),
    "ConnectionUnaryHandler",
    "Which of the two services the host calls.",
  ),
  EXHOOK_GENERATION: key(
    z.enum(["v1", "v2", "v3", "off"], "must be v1, v2, v3 or off"),
    "v2",
    "As which EMQX the host calls the hook provider: v1 is 4.x, v2 is 5.0 to 5.8, v3 is 5.9 and later; off: not at all.",
  ),
  USERS: optional(users, "Who may log in: name:password, separated by commas. Empty: everybody."),
} as const;
