/** Presence in this process: for one gateway without Redis, and for tests. */
import type { Clock } from "../../clock.js";
import { foldMembers, memberKey, toMember } from "../members.js";
import type { PresenceEntry, PresenceStore } from "../presence-store.js";
import { ExpiringMap } from "./expiring-map.js";

interface Held extends PresenceEntry {
  readonly gateway: string;
}

interface Room {
  /** By gateway and instance. */
  readonly entries: Map<string, Held>;
  /** How many of these entries each client has. */
  readonly clients: Map<string, number>;
}

function pairOf(first: string, second: string): string {
  return JSON.stringify([first, second]);
}

export function createMemoryPresenceStore({ clock }: { readonly clock: Clock }): PresenceStore {
  const leases = new ExpiringMap<true>(clock);
  /** Empty ones are not kept, here and below. */
  const rooms = new Map<string, Room>();
  /** Each gateway's entries, by room and instance: what there is to reap. */
  const gateways = new Map<string, Map<string, Held>>();

  function add(held: Held): boolean {
    const room: Room = rooms.get(held.room) ?? { entries: new Map(), clients: new Map() };
    rooms.set(held.room, room);
    room.entries.set(pairOf(held.gateway, held.instance), held);
    const client = memberKey(held);
    const count = (room.clients.get(client) ?? 0) + 1;
    room.clients.set(client, count);
    const own = gateways.get(held.gateway) ?? new Map<string, Held>();
    gateways.set(held.gateway, own.set(pairOf(held.room, held.instance), held));
    return count === 1;
  }

  /** True when the client has left the room by this. */
  function remove(held: Held): boolean {
    const { gateway, room: name, instance } = held;
    const own = gateways.get(gateway);
    own?.delete(pairOf(name, instance));
    if (own?.size === 0) gateways.delete(gateway);
    const room = rooms.get(name);
    room?.entries.delete(pairOf(gateway, instance));
    if (room?.entries.size === 0) rooms.delete(name);
    const client = memberKey(held);
    const count = (room?.clients.get(client) ?? 1) - 1;
    if (count > 0) room?.clients.set(client, count);
    else room?.clients.delete(client);
    return count === 0;
  }

  function clear(gateway: string): readonly PresenceEntry[] {
    leases.delete(gateway);
    return [...(gateways.get(gateway)?.values() ?? [])]
      .filter((held) => remove(held))
      .map((held) => ({ ...toMember(held), room: held.room, instance: held.instance }));
  }

  return {
    join(gateway, entry) {
      const before = gateways.get(gateway)?.get(pairOf(entry.room, entry.instance));
      if (before !== undefined) remove(before);
      const cameAlone = add({ ...entry, gateway });
      const wasOther = before === undefined || memberKey(before) !== memberKey(entry);
      return Promise.resolve(cameAlone && wasOther);
    },

    leave(gateway, room, instance) {
      const held = gateways.get(gateway)?.get(pairOf(room, instance));
      if (held === undefined || !remove(held)) return Promise.resolve(undefined);
      return Promise.resolve(toMember(held));
    },

    list(room) {
      const entries = rooms.get(room)?.entries.values() ?? [];
      return Promise.resolve(
        foldMembers([...entries].filter(({ gateway }) => leases.get(gateway) !== undefined)),
      );
    },

    renew(gateway, leaseMs) {
      const wasLive = leases.get(gateway) !== undefined;
      leases.set(gateway, true, leaseMs);
      return Promise.resolve(wasLive);
    },

    retire: (gateway) => Promise.resolve(clear(gateway)),

    reap() {
      const lapsed = [...gateways.keys()].filter((gateway) => leases.get(gateway) === undefined);
      return Promise.resolve(lapsed.flatMap(clear));
    },
  };
}
