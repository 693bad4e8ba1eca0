/** What an app may set, checked and completed. */
import type { Clock } from "../clock.js";
import { systemClock } from "../clock.js";
import type { SavedState } from "./core/effect.js";
import { ChatError } from "./core/error.js";
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
  /** How long, in ms, the server knows a `key` again. Default 540 000, below its 10 minutes. */
  readonly keyWindowMs?: number;
  /** What `saveState` gave in an earlier process. */
  readonly state?: SavedState;
  /**
   * Takes what a listener threw; the message counts as taken over. Default: it is thrown where nobody
   * catches it (`uncaughtException`), as is what `onError` throws.
   */
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

/** What a timer can do: almost 25 days. */
const MAX_MS = 2 ** 31 - 1;
const MAX_UINT32 = 2 ** 32 - 1;
const MAX_COUNT = 1_000_000;

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
  const { ackMode = "auto", maxUndelivered = 4_096 } = options;
  checkWhole("port", port, 1, 65_535);
  checkWhole("maxUndelivered", maxUndelivered, 1, MAX_COUNT);
  if (!isAckMode(ackMode)) throw bad('ackMode is "auto" or "manual"');
  return {
    settings,
    isManual: ackMode === "manual",
    maxUndelivered,
    onError: reportTo(options.onError ?? rethrow),
    clock: options.clock ?? systemClock,
    transport: options.transport ?? createTcpTransport({ host, port, tls }),
  };
}

function check(settings: Settings): void {
  if (settings.clientId !== "") checkClientId(settings.clientId);
  if (settings.username !== "") checkUsername(settings.username);
  checkWhole("keepalive", settings.keepalive, 0, 3_600);
  checkWhole("sessionExpiry", settings.sessionExpiry ?? 0, 0, MAX_UINT32);
  checkWhole("loginTimeoutMs", settings.loginTimeoutMs, 1, MAX_MS);
  checkWhole("ackDelayMs", settings.ackDelayMs, 0, MAX_MS);
  checkWhole("keyWindowMs", settings.keyWindowMs, 0, MAX_MS);
  checkWhole("ackEvery", settings.ackEvery, 1, 128);
  checkWhole("maxSeen", settings.maxSeen, 512, MAX_COUNT);
  checkWhole("maxQueued", settings.maxQueued, 1, MAX_COUNT);
  checkReconnect(settings.reconnect);
  if (settings.saved !== undefined && !isSavedState(settings.saved)) {
    throw bad("state is not what saveState gave");
  }
}

function checkReconnect(reconnect: Reconnect): void {
  const { initialDelayMs, maxDelayMs, jitter, stableAfterMs, maxAttempts } = reconnect;
  checkWhole("reconnect.initialDelayMs", initialDelayMs, 1, MAX_MS);
  checkWhole("reconnect.maxDelayMs", maxDelayMs, 1, MAX_MS);
  checkWhole("reconnect.stableAfterMs", stableAfterMs, 0, MAX_MS);
  if (!(jitter >= 0 && jitter <= 1)) throw bad("reconnect.jitter is a number from 0 to 1");
  if (!(maxAttempts >= 0)) throw bad("reconnect.maxAttempts is a number from 0, or Infinity");
}

function isAckMode(mode: unknown): boolean {
  return mode === "auto" || mode === "manual";
}

/** It comes from a file of the app's: anything may be there. */
function isSavedState(state: unknown): boolean {
  if (!isRecord(state)) return false;
  const { clientId, session, lastSeq, seen, rooms } = state;
  return (
    typeof clientId === "string" &&
    typeof session === "string" &&
    isCount(lastSeq) &&
    Array.isArray(seen) &&
    seen.every((id) => typeof id === "string") &&
    Array.isArray(rooms) &&
    rooms.every(
      (one) =>
        isRecord(one) &&
        typeof one.room === "string" &&
        isRecord(one.options) &&
        isCount(one.offset),
    )
  );
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function bad(reason: string): ChatError {
  return new ChatError("BAD_REQUEST", reason);
}

/** What it throws itself must not keep the next event from the app. */
function reportTo(onError: (error: unknown) => void): (error: unknown) => void {
  return (error) => {
    try {
      onError(error);
    } catch (thrown) {
      rethrow(thrown);
    }
  };
}

/** Where nobody waits for it, as an event emitter would. */
function rethrow(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
