/**
 * A gateway without a network: fake adapter, fake clock, memory stores, and clients that speak
 * ndjson by JSON.parse and JSON.stringify alone, so that what they see is the wire contract.
 */
import { expect } from "@jest/globals";
import { createChatProtocol, defaultChatOptions, type ChatOptions } from "../../src/chat.js";
import {
  createDoor,
  createPresenceTracker,
  createPublications,
  createRegistry,
  defaultHandlerLimits,
  type HandlerLimits,
  type PresenceTracker,
  type Registry,
} from "../../src/handler/index.js";
import { createRoomLogs } from "../../src/log/index.js";
import type { Logger } from "../../src/logger.js";
import type { Protocol } from "../../src/protocol.js";
import { encodePresenceEvent } from "../../src/session/index.js";
import {
  createMemoryPresenceStore,
  createMemorySessionStore,
  type PresenceStore,
  type RoomLog,
  type SessionStore,
} from "../../src/store/index.js";
import { createFakeAdapter, type FakeAdapter } from "./fake-adapter.js";
import { createFakeClock, settled, type FakeClock } from "./fake-clock.js";

export type Frame = Readonly<Record<string, unknown>>;

export interface Client {
  readonly conn: string;
  /** Sends frames in one chunk and waits until all there is to do is done. */
  sends(...frames: readonly Frame[]): Promise<void>;
  sendsBytes(bytes: Uint8Array | string): Promise<void>;
  /** What came since the last call. */
  hears(): readonly Frame[];
  hangsUp(): Promise<void>;
  readonly isOpen: boolean;
}

export interface World {
  readonly adapter: FakeAdapter;
  readonly clock: FakeClock;
  readonly registry: Registry;
  readonly presence: PresenceTracker;
  readonly sessions: SessionStore;
  readonly presenceStore: PresenceStore;
  readonly counters: { readonly droppedMessages: number };
  /** What was logged at warn and error. */
  readonly complaints: readonly string[];
  /** A connection that has not said anything. */
  connect(): Client;
  /** A welcomed client; what it was welcomed with is heard already. */
  login(clientId: string, hello?: Frame): Promise<Client>;
  /** One that has joined the rooms. */
  member(clientId: string, ...rooms: readonly string[]): Promise<Client>;
  /** Its session is taken up again, if there is one. */
  resume(clientId?: string, hello?: Frame): Promise<Client>;
  /** Ends everything; nothing may be left open or armed. */
  end(): Promise<void>;
}

export interface WorldOptions {
  readonly chat?: Partial<ChatOptions>;
  readonly limits?: Partial<HandlerLimits>;
  readonly protocol?: Protocol;
  /** Absent: what is said is not kept. */
  readonly roomLog?: RoomLog;
  /** Shared with another world: two gateways. */
  readonly sessions?: SessionStore;
  readonly presenceStore?: PresenceStore;
  readonly clock?: FakeClock;
}

/** What was said, of what was heard. */
export function textsOf(frames: readonly Frame[]): readonly unknown[] {
  return frames.flatMap(({ message }) =>
    message === undefined ? [] : [(message as { text: string }).text],
  );
}

let gateways = 0;

export function createWorld(options: WorldOptions = {}): World {
  const clock = options.clock ?? createFakeClock();
  const adapter = createFakeAdapter(() => clock.now());
  const sessions = options.sessions ?? createMemorySessionStore({ clock });
  const presenceStore = options.presenceStore ?? createMemoryPresenceStore({ clock });
  const chat = { ...defaultChatOptions, ...options.chat };
  const complaints: string[] = [];
  const complain = (_: object, message: string) => void complaints.push(message);
  const logger: Logger = {
    debug: () => undefined,
    info: () => undefined,
    warn: complain,
    error: complain,
  };
  const presence = createPresenceTracker({
    store: presenceStore,
    gateway: `gateway-${++gateways}`,
    leaseMs: 30_000,
    clock,
    logger,
    announce: (event, room, { clientId, username }, ts) =>
      void adapter.rawPublish(
        chat.topics.presence(room),
        0,
        encodePresenceEvent({ event, room, clientId, username, ts }),
      ),
  });
  const limits = { ...defaultHandlerLimits, ...options.limits };
  const { roomLog } = options;
  const counters = { droppedMessages: 0 };
  const log =
    roomLog &&
    createRoomLogs({
      log: roomLog,
      keeps: (topic) => ["room", "user"].includes(chat.topics.placeOf(topic)?.kind ?? ""),
      clock,
      logger,
    });
  if (log !== undefined) adapter.hook = (message) => log.append(message);
  const protocol = options.protocol ?? createChatProtocol(chat);
  const registry = createRegistry({
    protocol,
    adapter,
    sessions,
    presence,
    publications: createPublications(clock),
    log,
    counters,
    clock,
    logger,
    limits,
  });
  const door = createDoor(registry, logger);
  adapter.door = door;
  // Takes the lease; tests that want the heartbeat start it.
  void presence.beat();

  function connect(): Client {
    const conn = adapter.connect();
    const client: Client = {
      conn,
      sends: (...frames) =>
        client.sendsBytes(frames.map((frame) => `${JSON.stringify(frame)}\n`).join("")),
      async sendsBytes(bytes) {
        door.apply(conn, { kind: "bytes", bytes: Buffer.from(bytes) });
        await settled();
      },
      hears: () =>
        Buffer.from(adapter.taken(conn))
          .toString()
          .split("\n")
          .filter((line) => line !== "")
          .map((line) => JSON.parse(line) as Frame),
      async hangsUp() {
        adapter.hangUp(conn);
        await settled();
      },
      get isOpen() {
        return adapter.isOpen(conn);
      },
    };
    return client;
  }

  async function login(clientId: string, hello: Frame = {}): Promise<Client> {
    const client = connect();
    await client.sends({ hello: { clientId, ...hello } });
    expect(client.hears()).toMatchObject([{ welcome: { clientId } }]);
    return client;
  }

  return {
    adapter,
    clock,
    registry,
    presence,
    sessions,
    presenceStore,
    counters,
    complaints,
    connect,
    login,
    async member(clientId, ...rooms) {
      const client = await login(clientId);
      for (const room of rooms) await client.sends({ join: { room } });
      expect(client.hears()).toEqual([]);
      return client;
    },
    async resume(clientId = "a1", hello = {}) {
      const client = connect();
      await client.sends({ hello: { clientId, resume: true, ...hello } });
      await settled();
      return client;
    },
    async end() {
      await registry.shutdown(1_000);
      await presence.stop();
      await log?.stop();
      await settled();
      expect({ connections: registry.size, held: registry.heldBytes }).toEqual({
        connections: 0,
        held: 0,
      });
      if (options.clock === undefined) expect(clock.armed).toBe(0);
    },
  };
}
