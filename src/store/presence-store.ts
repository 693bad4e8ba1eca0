/**
 * The port that knows who is in which room, over all gateways. An entry is one connection instance
 * of one client; a client is in a room as long as one of its instances is. Clients of several
 * protocols may be there, and equal client ids of two protocols are two clients. Entries are leased by
 * gateway: a gateway that renews its lease keeps all of its entries alive in one call; the entries
 * of one that stopped doing so (a crash) are reaped by any other, so that no ghost outlives the
 * lease by more than the interval of reaping. The MQTT clients of a broker's node are kept under a gateway's name
 * that stands for the node and that all gateways share: hook/mqtt-presence.ts.
 *
 * An entry counts for `join`, `leave` and `reap` until it is removed, also while its lease has run
 * out: so for each client and room "came" and "left" alternate, and each is told to one caller only.
 * A gateway's name belongs to one process. It renews its lease before its first join (entries
 * without a lease are not listed, and are reaped), makes its calls for one entry one after another,
 * and repeats a leave that has failed.
 *
 * Every method rejects with GatewayError UNAVAILABLE while the store can't be reached.
 */
import type { Member } from "./records.js";

export interface PresenceEntry extends Member {
  readonly room: string;
  readonly instance: string;
}

export interface PresenceStore {
  /** True when the client was not in the room before. Joining again updates the entry. */
  join(gateway: string, entry: PresenceEntry): Promise<boolean>;
  /** The member, when the client's last instance in the room has gone by this; else undefined. */
  leave(gateway: string, room: string, instance: string): Promise<Member | undefined>;
  /** One a client (its oldest instance), by `since`, then by client id and protocol. Entries whose lease has run out are left out. */
  list(room: string): Promise<readonly Member[]>;
  /**
   * Keeps the gateway's entries for another `leaseMs`. False when there was no live lease: the
   * store has lost it or another gateway has reaped it, so the entries must be joined again.
   */
  renew(gateway: string, leaseMs: number): Promise<boolean>;
  /** Gives the lease up at once and removes the gateway's entries: an orderly stop. */
  retire(gateway: string): Promise<readonly PresenceEntry[]>;
  /**
   * Removes the entries of gateways whose lease has run out. Gives, once over all callers, those
   * whose client is no longer in the room.
   */
  reap(): Promise<readonly PresenceEntry[]>;
}
