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

export function createPresenceTracker({
  store,
  gateway,
  leaseMs,
  clock,
  logger,
  announce,
}: PresenceOptions): PresenceTracker {
  const here = new Map<string, PresenceEntry>();
  const unleft = new Map<string, { room: string; instance: string }>();
  let cancelBeat: (() => void) | undefined;
  let leased = false;

  const key = (room: string, instance: string) => `${instance} ${room}`;
  const left = (room: string, member: Member) => announce("LEFT", room, member, clock.now());

  async function leaveOne(room: string, instance: string): Promise<void> {
    const one = key(room, instance);
    here.delete(one);
    unleft.set(one, { room, instance });
    try {
      const member = await store.leave(gateway, room, instance);
      // It may have joined again meanwhile, and then that leave is over.
      unleft.delete(one);
      if (member !== undefined) left(room, member);
    } catch (error) {
      logger.debug({ err: error, room }, "a leave waits for the store");
    }
  }

  async function renew(): Promise<void> {
    const held = await store.renew(gateway, leaseMs);
    // The first lease of this process has nothing to restore.
    if (!held && leased) {
      logger.warn({ entries: here.size }, "the presence store has lost our entries: restoring");
      await Promise.all([...here.values()].map((entry) => store.join(gateway, entry)));
    }
    leased = true;
  }

  async function beat(): Promise<void> {
    try {
      await renew();
      await Promise.all([...unleft.values()].map(({ room, instance }) => leaveOne(room, instance)));
      for (const entry of await store.reap()) left(entry.room, entry);
    } catch (error) {
      logger.warn({ err: error }, "presence heartbeat failed; it goes on");
    }
  }

  function schedule(): void {
    cancelBeat = clock.schedule(leaseMs / 3, () => {
      void beat().finally(() => {
        if (cancelBeat !== undefined) schedule();
      });
    });
  }

  return {
    async start() {
      await beat();
      schedule();
    },
    async join(entry) {
      const one = key(entry.room, entry.instance);
      // Before the store answers, since a leave may come before that.
      here.set(one, entry);
      unleft.delete(one);
      try {
        const first = await store.join(gateway, entry);
        if (first) announce("JOINED", entry.room, entry, entry.since);
      } catch (error) {
        if (here.get(one) === entry) here.delete(one);
        throw error;
      }
    },
    leave(instance, rooms) {
      for (const room of rooms) void leaveOne(room, instance);
    },
    list: (room) => store.list(room),
    beat,
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
