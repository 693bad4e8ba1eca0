/**
 * Presence of this gateway's connections: keeps the store told, and tells the world who came and
 * went. The rooms each instance is in are known here too, so that what the store has lost or could
 * not be told is made good with the next heartbeat.
 */
import type { Clock } from "../clock.js";
import type { Logger } from "../logger.js";
import type { Member } from "../store/records.js";
import type { PresenceEntry, PresenceStore } from "../store/presence-store.js";

export interface PresenceTracker {
  /** Takes the lease, and keeps it by a heartbeat until `stop`. */
  start(): Promise<void>;
  /** Rejects with UNAVAILABLE when the store can't be told; then nothing is remembered. */
  join(entry: PresenceEntry): Promise<void>;
  /** Never fails: what the store can't be told now it is told later. */
  leave(instance: string, rooms: readonly string[]): void;
  list(room: string): Promise<readonly Member[]>;
  /** One round of what the heartbeat does: renew, make good, reap. */
  beat(): Promise<void>;
  /** Gives the lease up; whoever is still there is announced to have left. */
  stop(): Promise<void>;
}

export interface PresenceOptions {
  readonly store: PresenceStore;
  /** Names this gateway process; unique over all and over restarts. */
  readonly gateway: string;
  /** How long entries outlive a gateway that has crashed. */
  readonly leaseMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Someone came or went. */
  readonly announce: (event: "JOINED" | "LEFT", room: string, member: Member, at: number) => void;
}

const MAX_RETRY_MS = 1_000;

type Place = Pick<PresenceEntry, "room" | "instance">;

export function createPresenceTracker({
  store,
  gateway,
  leaseMs,
  clock,
  logger,
  announce,
}: PresenceOptions): PresenceTracker {
  /** What the store should know of us. */
  const here = new Map<string, PresenceEntry>();
  /** What it should no longer know, and could not be told. */
  const unleft = new Map<string, Place>();
  /** The calls for one entry, one after another: each ends what is mapped to it. */
  const calls = new Map<string, Promise<unknown>>();
  let cancelBeat: (() => void) | undefined;
  let leased = false;

  const key = ({ room, instance }: Place) => `${instance} ${room}`;
  const left = (room: string, member: Member) => announce("LEFT", room, member, clock.now());

  function inTurn<T>(one: string, call: () => Promise<T>): Promise<T> {
    const before = calls.get(one) ?? Promise.resolve();
    const mine = before.then(call, call);
    calls.set(one, mine);
    const done = () => {
      if (calls.get(one) === mine) calls.delete(one);
    };
    mine.then(done, done);
    return mine;
  }

  async function leaveOne(place: Place): Promise<void> {
    const one = key(place);
    here.delete(one);
    unleft.set(one, place);
    try {
      const member = await inTurn(one, () => store.leave(gateway, place.room, place.instance));
      if (unleft.get(one) === place) unleft.delete(one);
      if (member !== undefined) left(place.room, member);
    } catch (error) {
      logger.debug({ err: error, room: place.room }, "a leave waits for the store");
    }
  }

  /** Tells the store of an entry, unless that has left meanwhile. */
  async function tell(one: string, entry: PresenceEntry): Promise<void> {
    // Entries without a lease are not shown.
    if (!leased) await renew();
    if (here.get(one) !== entry) return;
    const isFirst = await store.join(gateway, entry);
    if (isFirst) announce("JOINED", entry.room, entry, entry.since);
  }

  /** Another gateway may have told that they left: so it is told again that they are there. */
  async function restore(): Promise<void> {
    logger.warn({ entries: here.size }, "the presence store has lost our entries: restoring");
    await Promise.all([...here].map(([one, entry]) => inTurn(one, () => tell(one, entry))));
  }

  async function renew(): Promise<void> {
    const held = await store.renew(gateway, leaseMs);
    const isFirst = !leased;
    leased = true;
    if (!held && !isFirst) await restore();
  }

  async function beat(): Promise<boolean> {
    try {
      await renew();
      await Promise.all([...unleft.values()].map(leaveOne));
      for (const entry of await store.reap()) left(entry.room, entry);
      return true;
    } catch (error) {
      logger.warn({ err: error }, "presence heartbeat failed; it goes on");
      return false;
    }
  }

  function schedule(delayMs: number): void {
    cancelBeat = clock.schedule(delayMs, () => {
      void beat().then((ok) => {
        if (cancelBeat !== undefined) schedule(ok ? leaseMs / 3 : retryMs);
      });
    });
  }

  /** After a failure it is tried again sooner, so that little of the lease is lost. */
  const retryMs = Math.min(leaseMs / 3, MAX_RETRY_MS);

  return {
    async start() {
      schedule((await beat()) ? leaseMs / 3 : retryMs);
    },
    async join(entry) {
      const one = key(entry);
      // Before anything is waited for, since a leave may come before that.
      here.set(one, entry);
      unleft.delete(one);
      try {
        await inTurn(one, () => tell(one, entry));
      } catch (error) {
        if (here.get(one) === entry) here.delete(one);
        throw error;
      }
    },
    leave(instance, rooms) {
      for (const room of rooms) void leaveOne({ room, instance });
    },
    list: (room) => store.list(room),
    async beat() {
      await beat();
    },
    async stop() {
      cancelBeat?.();
      cancelBeat = undefined;
      try {
        for (const entry of await store.retire(gateway)) left(entry.room, entry);
      } catch (error) {
        logger.warn({ err: error }, "presence lease not given up; it runs out by itself");
      }
    },
  };
}
