import type { ClientFrameOf } from "../../codec/index.js";
import type { SavedState } from "./effect.js";

/** How to come back: after the n-th failure, `initialDelayMs` × 2^n, at most `maxDelayMs`. */
export interface Reconnect {
  readonly initialDelayMs: number;
  readonly maxDelayMs: number;
  /** 0 to 1: by which part a delay is shortened at random, so that not all come back at once. */
  readonly jitter: number;
  /** A connection that lasted so long begins the delays anew. */
  readonly stableAfterMs: number;
  /** Failures in a row after which the client gives up. */
  readonly maxAttempts: number;
}

export interface Settings {
  /** Empty: the server gives one at the first login; it is kept from then on. */
  readonly clientId: string;
  readonly username: string;
  readonly password: string;
  readonly agent: string;
  /** False drops the session that may be there at the first login; later logins always resume. */
  readonly resume: boolean;
  /** Seconds; 0 is off. */
  readonly keepalive: number;
  /** Seconds; undefined is the server's. */
  readonly sessionExpiry: number | undefined;
  readonly reconnect: Reconnect;
  /** From the attempt to connect until `welcome`. */
  readonly loginTimeoutMs: number;
  /** Says that may wait; as many other commands may. */
  readonly maxQueued: number;
  /** Messages taken over after which an `ack` is sent; well below the server's window (256). */
  readonly ackEvery: number;
  /** How long an `ack` may wait for more. */
  readonly ackDelayMs: number;
  /** Ids of messages that are remembered, to know a repetition. */
  readonly maxSeen: number;
  /**
   * The server knows a `key` again for so long. What was sent at qos 2 and not answered within it
   * can't be sent again without the risk of being published twice: it is given up.
   */
  readonly keyWindowMs: number;
  /** What an earlier process has saved. */
  readonly saved: SavedState | undefined;
  /** 0 up to 1, for the jitter. */
  readonly random: () => number;
}

export const defaultReconnect: Reconnect = {
  initialDelayMs: 500,
  maxDelayMs: 30_000,
  jitter: 0.5,
  stableAfterMs: 10_000,
  maxAttempts: Infinity,
};

export const defaultSettings: Omit<Settings, "random"> = {
  clientId: "",
  username: "",
  password: "",
  agent: "exproto-gateway-client",
  resume: true,
  keepalive: 30,
  sessionExpiry: undefined,
  reconnect: defaultReconnect,
  loginTimeoutMs: 15_000,
  maxQueued: 1_000,
  ackEvery: 32,
  ackDelayMs: 100,
  maxSeen: 4_096,
  keyWindowMs: 9 * 60_000,
  saved: undefined,
};

/** @param failures how many in a row; 0 after a connection that has lasted. */
export function retryDelayMs(
  { initialDelayMs, maxDelayMs, jitter }: Reconnect,
  failures: number,
  retryAfterMs: number,
  random: () => number,
): number {
  const delay = Math.min(maxDelayMs, initialDelayMs * 2 ** Math.min(failures, 30));
  const early = delay * (1 - jitter * random());
  // What the server says is the least: the jitter goes on top of it.
  return Math.ceil(retryAfterMs > early ? retryAfterMs * (1 + (jitter * random()) / 2) : early);
}

export function helloOf(
  settings: Settings,
  { clientId, session, lastSeq }: Pick<SavedState, "clientId" | "session" | "lastSeq">,
): ClientFrameOf<"hello"> {
  const { username, password, keepalive, sessionExpiry, agent, resume } = settings;
  return {
    type: "hello",
    clientId,
    username,
    password,
    keepalive,
    resume: resume || session !== "",
    lastSeq,
    ...(sessionExpiry !== undefined && { sessionExpiry }),
    agent,
  };
}
