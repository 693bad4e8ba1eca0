/**
 * Presence of MQTT clients, from EMQX's hooks, in the list where the chat clients are. A client is a
 * member of the rooms whose topics it has subscribed, as long as it is connected. Only a filter that
 * is the room's topic counts: neither one with wildcards, which may mean any number of rooms, nor a
 * shared one (`$share/…`), where each message goes to one of many.
 *
 * EMQX tells of each change once, to one replica, and never again. So that members outlive a gateway
 * that stops, they are entered in the store under a name that stands for their node (`ownerOf`), the
 * same for all replicas. Its lease is renewed by whoever hears anything of the node. The entries go
 * when
 * - the client disconnects, or connects anew (its old connection's end may have been lost),
 * - the node starts anew, which is when it loads the provider having just come up,
 * - nothing was heard of the node for `maxIdleMs`: then any gateway reaps them.
 * What is not noticed is a client that leaves while no replica can be called: it is shown until it
 * connects anew, or one of the latter two. And where the store has lost its data, a client is shown
 * again when it next subscribes.
 *
 * The events of one client are dealt with one after another. Over replicas their order is EMQX's: it
 * waits for each call and sends those of one client to the same one, and a race is settled by the
 * store of the clients.
 */
import type { Clock } from "../clock.js";
import type { Logger } from "../logger.js";
import type {
  Member,
  MqttClientRecord,
  MqttClientStore,
  PresenceEntry,
  PresenceStore,
} from "../store/index.js";
import type { HookClient, HookListener } from "./hook-listener.js";
import { memberRooms, stepMqttClient, type MqttEvent } from "./mqtt-session.js";
import { createTurns } from "./turns.js";

export interface MqttPresenceOptions {
  readonly store: PresenceStore;
  readonly clients: MqttClientStore;
  /** Undefined for a topic that is no room's. */
  readonly roomOf: (topic: string) => string | undefined;
  /** A client whose id is none is no member: chat clients could not be told of it. */
  readonly isClientId: (name: string) => boolean;
  /** A member whose username is none is shown without. */
  readonly isUsername: (name: string) => boolean;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Someone came or went; told once over all replicas. */
  readonly announce: (event: "JOINED" | "LEFT", room: string, member: Member, at: number) => void;
  /** How long the members of a node are kept of which nothing is heard. Default 24 h. */
  readonly maxIdleMs?: number;
}

type Heard =
  | "onConnected"
  | "onDisconnected"
  | "onSubscribed"
  | "onUnsubscribed"
  | "onSessionResumed"
  | "onSessionEnded"
  | "onProviderLoaded"
  | "onCall";

export interface MqttPresence extends Required<Pick<HookListener, Heard>> {
  /** Resolves when all that was heard is dealt with. */
  drained(): Promise<void>;
  /** Gives up what waits for the store to come back; resolves when nothing is under way. */
  stop(): Promise<void>;
}

const DEFAULT_MAX_IDLE_MS = 24 * 3600 * 1000;
/** A lease is not renewed more often. */
const RENEW_INTERVAL_MS = 60_000;
/** A node that has run for less has just been started: who was connected to it is not any more. */
const RESTARTED_UPTIME_MS = 2 * 60 * 1000;
/** Anew with each of the client's events. One that is forgotten is left out, or shown for too long. */
const CONNECTED_MAX_AGE_SECONDS = 180 * 24 * 3600;
/** EMQX's sessions are over before that, unless it is told otherwise. */
const AWAY_MAX_AGE_SECONDS = 7 * 24 * 3600;

/**
 * Subscriptions of one client that may wait to be dealt with: beyond, they do not count, so that no
 * client's flood of them takes the place of others' events. Its coming and going counts always.
 */
const MAX_WAITING_OF_CLIENT = 1_000;

/** ExProto's clients cause the same hooks (facts F6). They are ours, and tell of themselves. */
const OUR_PROTOCOLS: ReadonlySet<string> = new Set(["exproto", "chat", ""]);

/** The name under which the entries of a node's clients stand in the presence store. */
export function ownerOf(node: string): string {
  return `mqtt@${node}`;
}

/** An entry of the presence store, and under which name it stands. */
interface Place {
  readonly owner: string;
  readonly entry: PresenceEntry;
}

const idOf = ({ owner, entry }: Place) => JSON.stringify([owner, entry.room]);

export function createMqttPresence(options: MqttPresenceOptions): MqttPresence {
  const { store, clients, roomOf, isClientId, isUsername, clock, logger, announce } = options;
  const { maxIdleMs = DEFAULT_MAX_IDLE_MS } = options;
  const renewIntervalMs = Math.min(RENEW_INTERVAL_MS, maxIdleMs / 3);
  const turns = createTurns({ clock, logger });
  /** When each node's lease was renewed last. */
  const renewedAt = new Map<string, number>();

  async function renew(node: string): Promise<void> {
    const now = clock.now();
    const last = renewedAt.get(node);
    if (last !== undefined && now - last < renewIntervalMs) return;
    renewedAt.set(node, now);
    try {
      const wasHeld = await store.renew(ownerOf(node), maxIdleMs);
      if (!wasHeld && last !== undefined) {
        logger.warn({ node }, "the presence store has lost the MQTT clients of a node");
      }
    } catch (error) {
      if (renewedAt.get(node) === now) renewedAt.delete(node);
      throw error;
    }
  }

  function placesOf(record: MqttClientRecord | undefined): readonly Place[] {
    if (record === undefined) return [];
    const { protocol, clientId, username, node } = record;
    // A node has one connection of a client, so this names it.
    const instance = `${protocol}:${clientId}`;
    return memberRooms(record).map(([room, since]) => ({
      owner: ownerOf(node),
      entry: { room, instance, protocol, clientId, username, since },
    }));
  }

  async function leave(places: readonly Place[]): Promise<void> {
    for (const { owner, entry } of places) {
      const member = await store.leave(owner, entry.room, entry.instance);
      if (member !== undefined) announce("LEFT", entry.room, member, clock.now());
    }
  }

  async function join(places: readonly Place[]): Promise<void> {
    for (const { owner, entry } of places) {
      const isFirst = await store.join(owner, entry);
      if (isFirst) announce("JOINED", entry.room, entry, entry.since);
    }
  }

  /**
   * One event of one client. Who left is removed before that is written down: of a gateway that dies
   * in between a member may be missing, but no ghost is left.
   */
  function carryOut(client: HookClient, event: MqttEvent): () => Promise<void> {
    const heardAt = clock.now();
    /** What is left to be done where it was written and then failed. */
    let unjoined: readonly Place[] | undefined;
    /** Whether what is written down may not be what is in the list. */
    let isContested = false;

    async function replace(
      previous: MqttClientRecord | undefined,
      next: MqttClientRecord | undefined,
      maxAgeSeconds: number,
    ): Promise<boolean> {
      try {
        return await clients.replace(client, previous, next, maxAgeSeconds);
      } catch (error) {
        // It may have been written all the same, and the next attempt finds nothing to change.
        isContested = true;
        throw error;
      }
    }

    async function write(): Promise<readonly Place[]> {
      for (;;) {
        const previous = await clients.read(client);
        const next = stepMqttClient(previous, client, event, heardAt);
        if (next === previous) return isContested ? placesOf(next) : [];
        const before = placesOf(previous);
        const after = placesOf(next);
        const ids = { before: new Set(before.map(idOf)), after: new Set(after.map(idOf)) };
        await leave(before.filter((place) => !ids.after.has(idOf(place))));
        const maxAge = next?.phase === "away" ? AWAY_MAX_AGE_SECONDS : CONNECTED_MAX_AGE_SECONDS;
        if (await replace(previous, next, maxAge)) {
          // What is there may be gone from the list, as the node's members were retired or reaped.
          const isNew = isContested || previous?.peer !== next?.peer;
          const room = "room" in event ? event.room : undefined;
          return after.filter(
            (place) => isNew || place.entry.room === room || !ids.before.has(idOf(place)),
          );
        }
        // Another replica was faster, and what was removed here may be what it has joined.
        isContested = true;
      }
    }

    return async () => {
      unjoined ??= await write();
      if (unjoined.length > 0) await renew(client.node);
      await join(unjoined);
    };
  }

  function hear(client: HookClient, event: MqttEvent): void {
    const { protocol, clientId, node } = client;
    if (OUR_PROTOCOLS.has(protocol) || !isClientId(clientId)) return;
    const member = `${protocol} ${clientId}`;
    if ("room" in event && turns.waitingOf(member) >= MAX_WAITING_OF_CLIENT) return;
    const username = isUsername(client.username) ? client.username : "";
    turns.take(node, member, carryOut({ ...client, username }, event));
  }

  function hearOfRoom(
    client: HookClient,
    filter: string,
    kind: "subscribed" | "unsubscribed",
  ): void {
    const room = /^\$|[+#]/.test(filter) ? undefined : roomOf(filter);
    if (room !== undefined) hear(client, { kind, room });
  }

  return {
    onConnected: (client) => hear(client, { kind: "connected" }),
    onDisconnected: (client) => hear(client, { kind: "disconnected" }),
    onSessionResumed: (client) => hear(client, { kind: "resumed" }),
    onSessionEnded: (client) => hear(client, { kind: "ended" }),
    onSubscribed: (client, filter) => hearOfRoom(client, filter, "subscribed"),
    onUnsubscribed: (client, filter) => hearOfRoom(client, filter, "unsubscribed"),
    onProviderLoaded(node, uptimeMs) {
      if (node === "" || uptimeMs === undefined || uptimeMs >= RESTARTED_UPTIME_MS) return;
      turns.takeWhole(node, async () => {
        let departed: readonly PresenceEntry[];
        do {
          // More than once, as what can't be removed at once is left for the next time.
          departed = await store.retire(ownerOf(node));
          for (const entry of departed) announce("LEFT", entry.room, entry, clock.now());
        } while (departed.length > 0);
        // The lease is gone with the entries, and replicas that hear of the node count on it.
        renewedAt.delete(node);
        await renew(node);
      });
    },
    onCall(node) {
      renew(node).catch((error: unknown) => {
        logger.debug(
          { err: error, node },
          "the lease of a node's MQTT clients waits for the store",
        );
      });
    },
    drained: () => turns.drained(),
    stop: () => turns.stop(),
  };
}
