/**
 * Presence in Redis. An entry is written in two places, in two slots: in its room, and on its
 * gateway's side, where whoever reaps the gateway finds it. So no method is one atomic step; what
 * makes that safe:
 *
 * - Whether a client came to or left a room is decided in the room's script alone. Entries of dead
 *   gateways count there until they are reaped, so for each client and room "came" and "left"
 *   alternate, whatever crashes, and each is told to exactly one caller.
 * - join: gateway's side, then room. leave, reap, retire: room, then gateway's side. A crash in
 *   between leaves a note on the gateway's side without an entry, which reaping strikes off.
 * - A gateway stands in the registry before it has a lease, and a join without a live lease enters
 *   it there first. It is taken off only a day after it was last seen, with nothing left to reap.
 * - Reaping first ends the gateway's generation, in the script that sees that the lease has run
 *   out, and then removes older entries only. So a gateway that comes back while it is reaped can
 *   join its entries again at once: they are of the new generation.
 * - What Redis itself lost on one side only (the failover of one cluster node), and a join that was
 *   overtaken by its gateway's reaping, can leave an entry of a dead gateway that its side does not
 *   know. `list` hides it, as all entries without a lease, and notes it for the next reaping.
 *
 * A gateway's name belongs to one process; its calls for one entry must come one after another.
 */
import { z } from "zod";
import type { Logger } from "../../logger.js";
import { foldMembers, memberKey, toMember } from "../members.js";
import type { PresenceEntry, PresenceStore } from "../presence-store.js";
import type { RedisConnection } from "./connection.js";
import { describeFailure } from "./failure.js";
import type { Keys } from "./keys.js";
import { formatEntry, formatPair, parseEntry, parsePair } from "./record-format.js";
import type { StoredEntry } from "./record-format.js";
import { scripts } from "./scripts.js";

/** Longer than any call, so that a generation can't be forgotten while a reaping goes by it. */
const GENERATION_SECONDS = 24 * 3600;
const GATEWAY_MAX_AGE_MS = 24 * 3600 * 1000;
/** How many entries of a gateway are reaped at a time. */
const PAGE_ENTRIES = 500;
/** How many lost entries one `list` notes at most; the next one notes the next. */
const MAX_ADOPTED_ENTRIES = 100;

const names = z.array(z.string());
const hash = z.record(z.string(), z.string());
const scanned = z.tuple([z.string(), names]);

export interface RedisPresenceStoreOptions {
  readonly connection: RedisConnection;
  readonly keys: Keys;
  readonly logger: Logger;
}

interface ListedEntry {
  readonly gateway: string;
  readonly instance: string;
  readonly entry: StoredEntry;
}

export function createRedisPresenceStore(options: RedisPresenceStoreOptions): PresenceStore {
  const { connection, keys, logger } = options;

  async function enlist(gateway: string): Promise<void> {
    await connection.run(scripts.presenceEnlist, [keys.gateways], [gateway]);
  }

  /** Notes an entry on the gateway's side. Gives its generation, 0 when nothing was noted. */
  function register(gateway: string, pair: string, lease: "leased" | "any"): Promise<number> {
    const { lease: leaseKey, generation, entries } = keys.gateway(gateway);
    return connection.run(
      scripts.presenceRegister,
      [leaseKey, generation, entries],
      [pair, GENERATION_SECONDS, lease],
    );
  }

  /** Those by whose removal a client left the room. `generation` "" removes any, else older ones. */
  async function remove(
    gateway: string,
    room: string,
    instances: readonly string[],
    generation: number | "",
  ): Promise<readonly PresenceEntry[]> {
    const { entries, clients } = keys.room(room);
    const fields = instances.map((instance) => formatPair(gateway, instance));
    const reply = await connection.run(
      scripts.presenceRemove,
      [entries, clients],
      [generation, ...fields],
    );
    const departed: PresenceEntry[] = [];
    for (let i = 0; i + 1 < reply.length; i += 2) {
      const instance = parsePair(reply[i] ?? "")?.[1];
      const entry = parseEntry(reply[i + 1] ?? "");
      if (instance === undefined || entry === undefined) {
        logger.warn({ gateway, room }, "a presence entry can't be read; it was removed");
        continue;
      }
      departed.push({ ...toMember(entry), room, instance });
    }
    return departed;
  }

  /** Removes one page of a gateway's entries, room by room, and then strikes them off its side. */
  async function clearPage(
    gateway: string,
    generation: number,
    fields: readonly string[],
    departed: PresenceEntry[],
  ): Promise<void> {
    const rooms = new Map<string, string[]>();
    for (const field of fields) {
      const [room, instance] = parsePair(field) ?? [];
      if (room === undefined || instance === undefined) continue;
      const instances = rooms.get(room);
      if (instances === undefined) rooms.set(room, [instance]);
      else instances.push(instance);
    }
    // Waits for every room, so that none's departed are lost when another one's call fails.
    const results = await Promise.allSettled(
      Array.from(rooms, async ([room, instances]) => {
        departed.push(...(await remove(gateway, room, instances, generation)));
      }),
    );
    for (const result of results) if (result.status === "rejected") throw result.reason;
    await connection.run(
      scripts.presenceUnregister,
      [keys.gateway(gateway).entries],
      [generation, ...fields],
    );
  }

  async function clear(
    gateway: string,
    lease: "lapsed" | "any",
    departed: PresenceEntry[],
  ): Promise<void> {
    const { lease: leaseKey, generation: generationKey, entries } = keys.gateway(gateway);
    const generation = await connection.run(
      scripts.presenceClaim,
      [leaseKey, generationKey],
      [lease, GENERATION_SECONDS],
    );
    if (generation === null) return;
    let cursor = "0";
    do {
      const page = await connection.command(
        scanned,
        "hscan",
        ...[entries, cursor, "COUNT", PAGE_ENTRIES],
      );
      cursor = page[0];
      const fields = page[1].filter((_, i) => i % 2 === 0);
      if (fields.length > 0) await clearPage(gateway, generation, fields, departed);
    } while (cursor !== "0");
    await connection.run(scripts.presenceDelist, [keys.gateways], [gateway, GATEWAY_MAX_AGE_MS]);
  }

  /** Whoever was removed before a failure is told of all the same: nobody else can be any more. */
  async function collect(
    work: (departed: PresenceEntry[]) => Promise<void>,
  ): Promise<readonly PresenceEntry[]> {
    const departed: PresenceEntry[] = [];
    try {
      await work(departed);
    } catch (error) {
      if (departed.length === 0) throw error;
      logger.warn(
        { reason: describeFailure(error) },
        "reaping was cut short; the next one goes on",
      );
    }
    return departed;
  }

  /** The gateways of `entries` whose lease lives. */
  async function leased(entries: readonly ListedEntry[]): Promise<ReadonlySet<string>> {
    const gateways = [...new Set(entries.map(({ gateway }) => gateway))];
    const counts = await Promise.all(
      gateways.map((gateway) => connection.command(z.int(), "exists", keys.gateway(gateway).lease)),
    );
    return new Set(gateways.filter((_, i) => counts[i] === 1));
  }

  async function adopt(room: string, lost: readonly ListedEntry[]): Promise<void> {
    const fields = new Map<string, string[]>();
    for (const { gateway, instance } of lost.slice(0, MAX_ADOPTED_ENTRIES)) {
      const known = fields.get(gateway) ?? [];
      fields.set(gateway, [...known, formatPair(room, instance)]);
    }
    for (const [gateway, pairs] of fields) {
      const unknown = await connection.run(
        scripts.presenceAdopt,
        [keys.gateway(gateway).entries],
        pairs,
      );
      if (unknown > 0) await enlist(gateway);
    }
  }

  return {
    async join(gateway, entry) {
      const { room, instance } = entry;
      const pair = formatPair(room, instance);
      let generation = await register(gateway, pair, "leased");
      if (generation === 0) {
        await enlist(gateway);
        generation = await register(gateway, pair, "any");
      }
      const roomKeys = keys.room(room);
      return connection.run(
        scripts.presenceJoin,
        [roomKeys.entries, roomKeys.clients],
        [formatPair(gateway, instance), memberKey(entry), formatEntry({ ...entry, generation })],
      );
    },

    async leave(gateway, room, instance) {
      const [departed] = await remove(gateway, room, [instance], "");
      try {
        const { entries } = keys.gateway(gateway);
        await connection.command(z.int(), "hdel", entries, formatPair(room, instance));
      } catch (error) {
        // The entry is gone, and that must be told; the note is struck off by a later reaping.
        logger.debug({ reason: describeFailure(error) }, "a presence note was left behind");
      }
      return departed && toMember(departed);
    },

    async list(room) {
      const stored = await connection.command(hash, "hgetall", keys.room(room).entries);
      const entries: ListedEntry[] = [];
      for (const [field, value] of Object.entries(stored)) {
        const [gateway, instance] = parsePair(field) ?? [];
        const entry = parseEntry(value);
        if (gateway === undefined || instance === undefined || entry === undefined) {
          logger.warn({ room }, "a presence entry can't be read and is left out");
        } else {
          entries.push({ gateway, instance, entry });
        }
      }
      const alive = await leased(entries);
      const lost = entries.filter(({ gateway }) => !alive.has(gateway));
      if (lost.length > 0) await adopt(room, lost);
      return foldMembers(
        entries.filter(({ gateway }) => alive.has(gateway)).map(({ entry }) => entry),
      );
    },

    async renew(gateway, leaseMs) {
      await enlist(gateway);
      const { lease } = keys.gateway(gateway);
      const before = await connection.command(
        z.string().nullable(),
        "set",
        ...[lease, "1", "PX", leaseMs, "GET"],
      );
      return before !== null;
    },

    retire: (gateway) => collect((departed) => clear(gateway, "any", departed)),

    reap: () =>
      collect(async (departed) => {
        const gateways = await connection.command(names, "zrange", keys.gateways, "0", "-1");
        for (const gateway of gateways) await clear(gateway, "lapsed", departed);
      }),
  };
}
