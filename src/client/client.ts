/**
 * The engine: runs the core on a transport and a clock. Whatever happens becomes an event of the
 * core's, one at a time; what the core wants is done here.
 */
import { randomUUID } from "node:crypto";
import { openProtobufClient, type ClientCodec } from "../codec/index.js";
import { Conversation } from "./core/conversation.js";
import type {
  CallValue,
  CallValues,
  ChatEvent,
  ChatEventOf,
  ChatEventType,
  ChatMessage,
  CoreEvent,
  Destination,
  Effect,
  HistoryPage,
  Joined,
  JoinOptions,
  Member,
  Qos,
  Said,
  SavedState,
  TimerName,
} from "./core/effect.js";
import { ChatError } from "./core/error.js";
import type { Phase } from "./core/link.js";
import { checkKey, checkRoom, checkUsername, checkWhole } from "./core/names.js";
import { Delivery } from "./delivery.js";
import { readOptions, type ChatClientOptions } from "./options.js";
import type { Wire } from "./transport.js";

export interface SayOptions {
  /** Default 1. */
  readonly qos?: Qos;
  /**
   * 1 to 64 characters, for an app that keeps what it wants to say over a restart: said again under
   * its key, also by a later process, it is published once and gets the same answer. Default: random.
   */
  readonly key?: string;
}

/**
 * A client that stays: it comes back by itself, and its app gets each message once, in order.
 *
 * Every promise is rejected with a ChatError: at once for what can't be asked, by the server's
 * refusal, or with CLOSED when the client is closed first. While the client is away they wait.
 */
export interface ChatClient {
  readonly phase: Phase;
  /** Says that are not answered yet. */
  readonly queued: number;
  /** Resolved when the server has let the client in; it keeps trying until then. */
  connect(): Promise<void>;
  /** Again, it changes the options. */
  join(room: string, options?: JoinOptions): Promise<Joined>;
  leave(room: string): Promise<void>;
  /**
   * To a room that was joined, or to a user. Waits while the client is away, and is published once
   * (at qos 0: at most once), in the order of the calls. QUEUE_FULL when too much waits.
   *
   * The server knows a `key` again for 10 minutes. What had no answer for longer is tried on at qos 1
   * (it may come twice), and rejected with UNAVAILABLE at qos 2; see `keyWindowMs`.
   */
  say(to: Destination, content: string | Uint8Array, options?: SayOptions): Promise<Said>;
  /** `limit` is 1 to 100, default 20; `before` is the id of a message. */
  history(
    room: string,
    options?: { readonly before?: string; readonly limit?: number },
  ): Promise<HistoryPage>;
  who(room: string): Promise<readonly Member[]>;
  /** Listeners should be there before `connect`: what nobody listens to is dropped. */
  on<T extends ChatEventType>(type: T, listener: (event: ChatEventOf<T>) => unknown): () => void;
  /** All events, for one `for await`. It ends when the client has ended. */
  events(): AsyncIterableIterator<ChatEvent>;
  /**
   * For `ackMode: "manual"`: the app has taken over this message, the very object that it was given.
   *
   * @throws ChatError when messages are acknowledged by themselves.
   */
  ack(message: ChatMessage): void;
  /**
   * For an earlier process's session to be taken up by the next one. What was not yet acknowledged
   * when it was saved comes again, unless it is among the ids that were saved with it. What waits to
   * be said is not in it: whoever wants to say it after a restart keeps it, with a `key`.
   */
  saveState(): SavedState;
  /** The session is kept, and what waits to be said as well. */
  disconnect(): Promise<void>;
  /** For good: the server drops the session, unless the client is away. */
  close(): Promise<void>;
}

/** Larger ones are broken off. A server's own limit is for what we send. */
const MAX_INBOUND_BYTES = 16 * 1024 * 1024;

/** Nothing is sent before `connect`, so that listeners can be set. @throws ChatError */
export function createChatClient(options: ChatClientOptions = {}): ChatClient {
  const { settings, isManual, maxUndelivered, onError, clock, transport } = readOptions(options);
  const core = new Conversation(settings);
  const timers = new Map<TimerName, () => void>();
  const calls = new Map<number, Settle>();
  const tokens = new WeakMap<ChatMessage, number>();
  /** Resolved when closed: the present connection, and earlier ones that are still closing. */
  const connections = new Set<Promise<void>>();
  const waiting: CoreEvent[] = [];
  let isBusy = false;
  let lastCall = 0;
  let wire: Connection | undefined;

  const delivery = new Delivery({
    maxUndelivered,
    onError,
    onDone(token) {
      if (!isManual) dispatch({ kind: "taken", token });
    },
  });

  function dispatch(event: CoreEvent): void {
    waiting.push(event);
    if (isBusy) return;
    isBusy = true;
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      for (const effect of core.handle(next, clock.now())) carryOut(effect);
    }
    isBusy = false;
  }

  function carryOut(effect: Effect): void {
    switch (effect.kind) {
      case "open":
        try {
          wire = openWire();
        } catch (error) {
          dispatch({
            kind: "lost",
            reason: error instanceof Error ? error.message : String(error),
          });
        }
        return;
      case "close":
        wire?.close();
        wire = undefined;
        return;
      case "send":
        return wire?.send(effect.frame);
      case "timer.set": {
        const { name, at } = effect;
        timers.get(name)?.();
        const fire = () => {
          timers.delete(name);
          dispatch({ kind: "timer", name });
        };
        timers.set(name, clock.schedule(Math.max(0, at - clock.now()), fire));
        return;
      }
      case "timer.clear":
        timers.get(effect.name)?.();
        timers.delete(effect.name);
        return;
      case "tell":
        if (effect.event.type === "message" && effect.token !== undefined) {
          tokens.set(effect.event, effect.token);
        }
        delivery.push(effect.event, effect.token);
        return;
      case "resolve":
        calls.get(effect.call)?.resolve(effect.value);
        calls.delete(effect.call);
        return;
      case "reject":
        calls.get(effect.call)?.reject(effect.error);
        calls.delete(effect.call);
        return;
      case "end":
        delivery.end();
        return;
    }
  }

  /** What a connection tells after it was closed from here is of no interest. */
  function openWire(): Connection {
    const codec: ClientCodec = openProtobufClient({ maxFrameBytes: MAX_INBOUND_BYTES });
    const isCurrent = () => wire === connection;
    let hasClosed = (): void => undefined;
    const ended = new Promise<void>((resolve) => {
      hasClosed = resolve;
    });
    const opened: Wire = transport.open({
      opened() {
        if (isCurrent()) dispatch({ kind: "opened" });
      },
      received(chunk) {
        if (!isCurrent()) return;
        for (const frame of codec.push(chunk)) {
          if (!isCurrent()) return;
          if (frame.type === "broken") {
            opened.close();
            lose(`what came is no frame: ${frame.reason}`);
          } else if (frame.type !== "invalid") {
            // A frame that is not known here is of a newer server.
            dispatch({ kind: "frame", frame });
          }
        }
      },
      closed(reason) {
        hasClosed();
        connections.delete(ended);
        if (isCurrent()) lose(reason);
      },
    });
    connections.add(ended);
    const lose = (reason: string) => {
      wire = undefined;
      dispatch({ kind: "lost", reason });
    };
    const connection: Connection = {
      send: (frame) => opened.write(codec.encode(frame)),
      close: () => opened.close(),
    };
    return connection;
  }

  function ask<N extends keyof CallValues>(
    toEvent: (call: number) => CoreEvent,
  ): Promise<CallValues[N]> {
    lastCall += 1;
    const call = lastCall;
    return new Promise((resolve, reject) => {
      // The core answers a call with what belongs to it.
      calls.set(call, { resolve: resolve as (value: CallValue) => void, reject });
      dispatch(toEvent(call));
    });
  }

  async function hasClosed(): Promise<void> {
    await Promise.all(connections);
  }

  return {
    get phase() {
      return core.phase;
    },
    get queued() {
      return core.queued;
    },
    async connect() {
      await ask<"connect">((call) => ({ kind: "connect", call }));
    },
    async join(room, joinOptions = {}) {
      checkRoom(room);
      checkWhole("qos", joinOptions.qos ?? 1, 0, 2);
      checkWhole("history", joinOptions.history ?? 0, 0, 100);
      return ask<"join">((call) => ({ kind: "join", call, room, options: joinOptions }));
    },
    async leave(room) {
      checkRoom(room);
      await ask<"leave">((call) => ({ kind: "leave", call, room }));
    },
    async say(to, said, { qos = 1, key = randomUUID() } = {}) {
      if (to.room !== undefined) checkRoom(to.room);
      else checkUsername(to.user);
      checkWhole("qos", qos, 0, 2);
      checkKey(key);
      const content = typeof said === "string" ? { text: said } : { data: Uint8Array.from(said) };
      const sizeBytes = sizeOf({ type: "say", ref: MAX_REF, ...to, ...content, qos, key });
      return ask<"say">((call) => ({ kind: "say", call, to, content, qos, key, sizeBytes }));
    },
    async history(room, { before = "", limit = 20 } = {}) {
      checkRoom(room);
      checkWhole("limit", limit, 1, 100);
      return ask<"history">((call) => ({ kind: "history", call, room, before, limit }));
    },
    async who(room) {
      checkRoom(room);
      return ask<"who">((call) => ({ kind: "who", call, room }));
    },
    on: (type, listener) => delivery.on(type, listener),
    events: () => delivery.read(),
    ack(message) {
      if (!isManual) {
        throw new ChatError(
          "BAD_REQUEST",
          'messages are acknowledged by themselves; see "ackMode"',
        );
      }
      const token = tokens.get(message);
      if (token !== undefined) dispatch({ kind: "taken", token });
    },
    saveState: () => core.save(),
    async disconnect() {
      dispatch({ kind: "disconnect" });
      await hasClosed();
    },
    async close() {
      dispatch({ kind: "close" });
      await hasClosed();
    },
  };
}

interface Connection {
  send(frame: Parameters<ClientCodec["encode"]>[0]): void;
  close(): void;
}

interface Settle {
  readonly resolve: (value: CallValue) => void;
  readonly reject: (error: ChatError) => void;
}

const MAX_REF = 2 ** 32 - 1;

/** Of the longest ref; with the length in front, which the limit does not count. */
function sizeOf(frame: Parameters<ClientCodec["encode"]>[0]): number {
  const codec = openProtobufClient({ maxFrameBytes: 0 });
  // The first frame comes behind the preamble.
  codec.encode({ type: "bye" });
  return codec.encode(frame).length;
}
