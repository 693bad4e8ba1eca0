/** What an app may set, checked and completed. */
import type { Clock } from "../clock.js";
import { systemClock } from "../clock.js";
import type { SavedState } from "./core/effect.js";
import { checkClientId, checkUsername, checkWhole } from "./core/names.js";
import {
  defaultReconnect,
  defaultSettings,
  type Reconnect,
  type Settings,
} from "./core/settings.js";
import { createTcpTransport, type TcpOptions } from "./tcp.js";
import type { Transport } from "./transport.js";

export interface ChatClientOptions extends Partial<TcpOptions> {
  /** Default: given by the server at the first login, and kept while this client lives. */
  readonly clientId?: string;
  readonly username?: string;
  readonly password?: string;
  /** What the app calls itself; for the server's log. */
  readonly agent?: string;
  /** False drops a session that an earlier process has left. Default true. */
  readonly resume?: boolean;
  /** Seconds without sending after which a ping is sent, 0 to 3600; 0 is off. Default 30. */
  readonly keepalive?: number;
  /** Seconds that the server keeps the session while the client is away. Default: the server's. */
  readonly sessionExpiry?: number;
  readonly reconnect?: Partial<Reconnect>;
  /** From the attempt to connect until the server lets the client in. Default 15 000. */
  readonly loginTimeoutMs?: number;
  /** Messages that may wait to be sent. Default 1000. */
  readonly maxQueued?: number;
  /** Events that may wait for the app before live messages of qos 0 are dropped. Default 4096. */
  readonly maxUndelivered?: number;
  /**
   * "auto": a message counts as taken over when the app's listeners have returned, and where they
   * give a promise, when it is settled. "manual": when the app calls `ack`. Default "auto".
   */
  readonly ackMode?: "auto" | "manual";
  /** Messages taken over after which the server is told, 1 to 128. Default 32. */
  readonly ackEvery?: number;
  /** How long it may be told later. Default 100. */
  readonly ackDelayMs?: number;
  /** Ids of messages that are remembered, at least 512. Default 4096. */
  readonly maxSeen?: number;
  /** How long the server knows a `key` again. Default 540 000, below the server's 10 minutes. */
  readonly keyWindowMs?: number;
  /** What `saveState` gave in an earlier process. */
  readonly state?: SavedState;
  /** Takes what a listener threw; the message counts as taken over. Default: it is thrown. */
  readonly onError?: (error: unknown) => void;
  readonly clock?: Clock;
  /** In place of TCP to `host` and `port`. */
  readonly transport?: Transport;
  /** 0 up to 1; for the jitter. */
  readonly random?: () => number;
}

export interface EngineOptions {
  readonly settings: Settings;
  readonly isManual: boolean;
  readonly maxUndelivered: number;
  readonly onError: (error: unknown) => void;
  readonly clock: Clock;
  readonly transport: Transport;
}

const DEFAULT_HOST = "127.0.0.1";
/** As EMQX's ExProto listener has it. */
const DEFAULT_PORT = 7993;

/** @throws ChatError for what can't be. */
export function readOptions(options: ChatClientOptions): EngineOptions {
  const { host = DEFAULT_HOST, port = DEFAULT_PORT, tls = false, state } = options;
  const settings: Settings = {
    clientId: options.clientId ?? defaultSettings.clientId,
    username: options.username ?? defaultSettings.username,
    password: options.password ?? defaultSettings.password,
    agent: options.agent ?? defaultSettings.agent,
    resume: options.resume ?? defaultSettings.resume,
    keepalive: options.keepalive ?? defaultSettings.keepalive,
    sessionExpiry: options.sessionExpiry,
    reconnect: { ...defaultReconnect, ...options.reconnect },
    loginTimeoutMs: options.loginTimeoutMs ?? defaultSettings.loginTimeoutMs,
    maxQueued: options.maxQueued ?? defaultSettings.maxQueued,
    ackEvery: options.ackEvery ?? defaultSettings.ackEvery,
    ackDelayMs: options.ackDelayMs ?? defaultSettings.ackDelayMs,
    maxSeen: options.maxSeen ?? defaultSettings.maxSeen,
    keyWindowMs: options.keyWindowMs ?? defaultSettings.keyWindowMs,
    saved: state,
    random: options.random ?? Math.random,
  };
  check(settings);
  return {
    settings,
    isManual: options.ackMode === "manual",
    maxUndelivered: options.maxUndelivered ?? 4_096,
    onError: options.onError ?? rethrow,
    clock: options.clock ?? systemClock,
    transport: options.transport ?? createTcpTransport({ host, port, tls }),
  };
}

function check(settings: Settings): void {
  if (settings.clientId !== "") checkClientId(settings.clientId);
  if (settings.username !== "") checkUsername(settings.username);
  checkWhole("keepalive", settings.keepalive, 0, 3_600);
  checkWhole("ackEvery", settings.ackEvery, 1, 128);
  checkWhole("maxSeen", settings.maxSeen, 512, 1_000_000);
  checkWhole("maxQueued", settings.maxQueued, 1, 1_000_000);
}

/** Where nobody waits for it, as an event emitter would. */
function rethrow(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
