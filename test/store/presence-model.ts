import type { PresenceEntry, PresenceStore } from "../../src/store/presence-store.js";

interface Joined extends PresenceEntry {
  readonly gateway: string;
}

export interface PresenceModel extends PresenceStore {
  advance(ms: number): void;
}

/** Presence as one would say it: a list of entries, searched from end to end for every question. */
export function createPresenceModel(): PresenceModel {
  let now = 0;
  let entries: readonly Joined[] = [];
  const leaseEnds = new Map<string, number>();

  const isAlive = (gateway: string): boolean => (leaseEnds.get(gateway) ?? 0) > now;
  const isIn = (room: string, clientId: string): boolean =>
    entries.some((entry) => entry.room === room && entry.clientId === clientId);

  function removeWhere(goes: (entry: Joined) => boolean): readonly Joined[] {
    const removed = entries.filter(goes);
    entries = entries.filter((entry) => !goes(entry));
    const departed = removed.filter(({ room, clientId }) => !isIn(room, clientId));
    return departed.filter(
      ({ room, clientId }, i) =>
        departed.findIndex((entry) => entry.room === room && entry.clientId === clientId) === i,
    );
  }

  return {
    advance(ms) {
      now += ms;
    },
    join(gateway, entry) {
      const isNew = !isIn(entry.room, entry.clientId);
      entries = entries.filter(
        ({ room, instance, gateway: at }) =>
          !(room === entry.room && instance === entry.instance && at === gateway),
      );
      entries = [...entries, { ...entry, gateway }];
      return Promise.resolve(isNew);
    },
    leave(gateway, room, instance) {
      const [left] = removeWhere(
        (entry) => entry.gateway === gateway && entry.room === room && entry.instance === instance,
      );
      if (left === undefined) return Promise.resolve(undefined);
      return Promise.resolve({
        clientId: left.clientId,
        username: left.username,
        since: left.since,
      });
    },
    list(room) {
      const listed = entries.filter((entry) => entry.room === room && isAlive(entry.gateway));
      const oldest = [...new Set(listed.map(({ clientId }) => clientId))].map((clientId) => {
        const own = listed.filter((entry) => entry.clientId === clientId);
        return {
          clientId,
          username: own[0]!.username,
          since: Math.min(...own.map((e) => e.since)),
        };
      });
      return Promise.resolve(
        oldest.sort((a, b) => a.since - b.since || (a.clientId < b.clientId ? -1 : 1)),
      );
    },
    renew(gateway, leaseMs) {
      const wasAlive = isAlive(gateway);
      leaseEnds.set(gateway, now + leaseMs);
      return Promise.resolve(wasAlive);
    },
    retire(gateway) {
      leaseEnds.delete(gateway);
      return Promise.resolve(removeWhere((entry) => entry.gateway === gateway));
    },
    reap: () => Promise.resolve(removeWhere((entry) => !isAlive(entry.gateway))),
  };
}
