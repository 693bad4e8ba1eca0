import type { Member } from "../../src/store/records.js";
import type { PresenceEntry, PresenceStore } from "../../src/store/presence-store.js";

interface Joined extends PresenceEntry {
  readonly gateway: string;
}

/** Absent, where it is the chat protocol. */
const who = ({ protocol, clientId }: Member) => `${protocol ?? ""} ${clientId}`;

function toMember({ protocol, clientId, username, since }: Member): Member {
  return { ...(protocol !== undefined && { protocol }), clientId, username, since };
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
  const isIn = (room: string, member: Member): boolean =>
    entries.some((entry) => entry.room === room && who(entry) === who(member));

  function removeWhere(goes: (entry: Joined) => boolean): readonly Joined[] {
    const removed = entries.filter(goes);
    entries = entries.filter((entry) => !goes(entry));
    const departed = removed.filter((entry) => !isIn(entry.room, entry));
    return departed.filter(
      (one, i) =>
        departed.findIndex((entry) => entry.room === one.room && who(entry) === who(one)) === i,
    );
  }

  return {
    advance(ms) {
      now += ms;
    },
    join(gateway, entry) {
      const isNew = !isIn(entry.room, entry);
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
      return Promise.resolve(left && toMember(left));
    },
    list(room) {
      const listed = entries.filter((entry) => entry.room === room && isAlive(entry.gateway));
      const oldest = [...new Set(listed.map(who))].map((name) => {
        const own = listed.filter((entry) => who(entry) === name);
        return { ...toMember(own[0]!), since: Math.min(...own.map((e) => e.since)) };
      });
      return Promise.resolve(
        oldest.sort((a, b) => {
          if (a.since !== b.since) return a.since - b.since;
          if (a.clientId !== b.clientId) return a.clientId < b.clientId ? -1 : 1;
          return who(a) < who(b) ? -1 : 1;
        }),
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
