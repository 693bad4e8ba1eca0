import type { RateLimits } from "./rate.js";
import { createTopics, defaultTopics, type Topics } from "./topics.js";

/** What a session is bound by; the configuration has a key for each. */
export interface SessionOptions {
  /** From the connection's start to its welcome. */
  readonly helloTimeoutMs: number;
  readonly maxRooms: number;
  /** Before and after welcome. */
  readonly maxHelloBytes: number;
  readonly maxFrameBytes: number;
  /** For a client that asks for none. */
  readonly defaultKeepaliveSeconds: number;
  /** EMQX's timer where keepalive is off: it ends what is wedged, at last. */
  readonly idleKeepaliveSeconds: number;
  /** How long a session outlives its connection: for a client that does not say, and at the most. */
  readonly defaultExpirySeconds: number;
  readonly maxExpirySeconds: number;
  /** Messages of qos 1 and 2 that may be sent ahead of the client's acknowledgement. */
  readonly ackWindow: number;
  /** How long a client may leave messages waiting without acknowledging one. */
  readonly slowConsumerMs: number;
  /** How late the kept session may be behind its connection. */
  readonly keepIntervalMs: number;
  readonly rate: RateLimits;
  readonly topics: Topics;
  /** What `welcome.server` says. */
  readonly server: string;
}

export const defaultSessionOptions: SessionOptions = {
  helloTimeoutMs: 10_000,
  maxRooms: 100,
  maxHelloBytes: 4 * 1024,
  maxFrameBytes: 64 * 1024,
  defaultKeepaliveSeconds: 60,
  idleKeepaliveSeconds: 24 * 3600,
  defaultExpirySeconds: 3600,
  maxExpirySeconds: 24 * 3600,
  ackWindow: 256,
  slowConsumerMs: 30_000,
  keepIntervalMs: 500,
  rate: {
    framesPerSecond: 50,
    frameBurst: 200,
    bytesPerSecond: 256 * 1024,
    byteBurst: 1024 * 1024,
  },
  topics: createTopics(defaultTopics),
  server: "exproto-gateway",
};

/** The protocol's own bounds. */
export const MAX_KEEPALIVE_SECONDS = 3600;
export const MAX_HISTORY = 100;
export const MAX_KEY_LENGTH = 64;
export const MAX_NONCE_LENGTH = 64;
