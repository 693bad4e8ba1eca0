import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import type { PresenceEntry } from "../../src/store/presence-store.js";
import { presenceStoreProperty } from "./presence-store.property.js";
import type { StoreHarness } from "./harness.js";

export function presenceEntry(overrides: Partial<PresenceEntry> = {}): PresenceEntry {
  return {
    room: "lobby",
    instance: "i-1",
    clientId: "alice",
    username: "al",
    since: 1_000,
    ...overrides,
  };
}

const LEASE_MS = 600_000;

/** What every PresenceStore must do. */
export function presenceStoreContract(create: () => Promise<StoreHarness>): void {
  let harness: StoreHarness;

  beforeEach(async () => {
    harness = await create();
    const [one, other] = harness.presence;
    await one.renew("g1", LEASE_MS);
    await other.renew("g2", LEASE_MS);
  });
  afterEach(() => harness.close());

  const alice = { clientId: "alice", username: "al", since: 1_000 };

  describe("join", () => {
    test("of a client that was not in the room", async () => {
      const [store] = harness.presence;
      await expect(store.join("g1", presenceEntry())).resolves.toBe(true);
      await expect(store.list("lobby")).resolves.toEqual([alice]);
      await expect(store.list("kitchen")).resolves.toEqual([]);
    });

    test("again updates the entry", async () => {
      const [store] = harness.presence;
      await store.join("g1", presenceEntry());
      const again = presenceEntry({ username: "Alice", since: 2_000 });
      await expect(store.join("g1", again)).resolves.toBe(false);
      await expect(store.list("lobby")).resolves.toEqual([
        { clientId: "alice", username: "Alice", since: 2_000 },
      ]);
      await expect(store.leave("g1", "lobby", "i-1")).resolves.toMatchObject({ since: 2_000 });
      await expect(store.list("lobby")).resolves.toEqual([]);
    });

    test("of another instance of a client, here or at another gateway", async () => {
      const [one, other] = harness.presence;
      await one.join("g1", presenceEntry());
      await expect(one.join("g1", presenceEntry({ instance: "i-2" }))).resolves.toBe(false);
      await expect(other.join("g2", presenceEntry())).resolves.toBe(false);
      await expect(one.list("lobby")).resolves.toEqual([alice]);
    });

    test("of an instance that has become another client", async () => {
      const [store] = harness.presence;
      await store.join("g1", presenceEntry());
      await expect(store.join("g1", presenceEntry({ clientId: "bob" }))).resolves.toBe(true);
      await expect(store.list("lobby")).resolves.toMatchObject([{ clientId: "bob" }]);
      await expect(store.join("g1", presenceEntry({ instance: "i-2" }))).resolves.toBe(true);
    });

    test("of many instances at once makes one of them the first", async () => {
      const joins = Array.from({ length: 20 }, (_, i) =>
        harness.presence[i % 2 === 0 ? 0 : 1].join(
          i % 2 === 0 ? "g1" : "g2",
          presenceEntry({ instance: `i-${i}` }),
        ),
      );
      expect((await Promise.all(joins)).filter((first) => first)).toHaveLength(1);
    });

    test("of a client of another protocol with the same client id", async () => {
      const [one, other] = harness.presence;
      const mqtt = presenceEntry({ protocol: "mqtt", username: "ma", since: 1_500 });
      await one.join("g1", presenceEntry());
      await expect(other.join("g2", mqtt)).resolves.toBe(true);
      await expect(one.join("g1", { ...mqtt, instance: "i-2", since: 1_800 })).resolves.toBe(false);
      const alsoAlice = { protocol: "mqtt", clientId: "alice", username: "ma", since: 1_500 };
      await expect(one.list("lobby")).resolves.toEqual([alice, alsoAlice]);
      await expect(one.leave("g1", "lobby", "i-1")).resolves.toEqual(alice);
      await expect(one.leave("g1", "lobby", "i-2")).resolves.toBeUndefined();
      await expect(one.list("lobby")).resolves.toEqual([alsoAlice]);
      await expect(other.retire("g2")).resolves.toEqual([mqtt]);
    });

    test("of an instance that has become a client of another protocol", async () => {
      const [store] = harness.presence;
      await store.join("g1", presenceEntry());
      await expect(store.join("g1", presenceEntry({ protocol: "mqtt" }))).resolves.toBe(true);
      await expect(store.list("lobby")).resolves.toMatchObject([{ protocol: "mqtt" }]);
      await expect(store.join("g1", presenceEntry({ instance: "i-2" }))).resolves.toBe(true);
    });

    test("takes what says the chat protocol for what says none", async () => {
      const [store] = harness.presence;
      await store.join("g1", presenceEntry());
      const same = presenceEntry({ protocol: "chat", instance: "i-2" });
      await expect(store.join("g1", same)).resolves.toBe(false);
      await expect(store.list("lobby")).resolves.toEqual([alice]);
      await expect(store.leave("g1", "lobby", "i-1")).resolves.toBeUndefined();
      await expect(store.leave("g1", "lobby", "i-2")).resolves.toMatchObject({ clientId: "alice" });
      await expect(store.list("lobby")).resolves.toEqual([]);
    });

    test("takes any text for a name", async () => {
      const [store] = harness.presence;
      const odd = ["", "{", "}", "{}", "}:entries", '"]', "__proto__", "ünï ☃", "a:b"];
      for (const text of odd) {
        await store.renew(text, LEASE_MS);
        for (const room of odd) {
          const entry = presenceEntry({ room, instance: text, clientId: text, username: text });
          await expect(store.join(text, entry)).resolves.toBe(true);
        }
      }
      for (const room of odd) {
        const clients = (await store.list(room)).map(({ clientId }) => clientId);
        expect(clients.sort()).toEqual([...odd].sort());
      }
      for (const text of odd) await expect(store.retire(text)).resolves.toHaveLength(odd.length);
    });
  });

  describe("leave", () => {
    test("of the last instance gives the member", async () => {
      const [store] = harness.presence;
      await store.join("g1", presenceEntry());
      await expect(store.leave("g1", "lobby", "i-1")).resolves.toEqual(alice);
      await expect(store.list("lobby")).resolves.toEqual([]);
      await expect(store.join("g1", presenceEntry())).resolves.toBe(true);
    });

    test("of one of several gives nothing", async () => {
      const [one, other] = harness.presence;
      await one.join("g1", presenceEntry());
      await other.join("g2", presenceEntry({ since: 2_000 }));
      await expect(one.leave("g1", "lobby", "i-1")).resolves.toBeUndefined();
      await expect(one.list("lobby")).resolves.toEqual([{ ...alice, since: 2_000 }]);
      await expect(other.leave("g2", "lobby", "i-1")).resolves.toEqual({ ...alice, since: 2_000 });
    });

    test("of what is not there gives nothing and harms nothing", async () => {
      const [store] = harness.presence;
      await store.join("g1", presenceEntry());
      await expect(store.leave("g1", "lobby", "i-2")).resolves.toBeUndefined();
      await expect(store.leave("g2", "lobby", "i-1")).resolves.toBeUndefined();
      await expect(store.leave("g1", "kitchen", "i-1")).resolves.toBeUndefined();
      await expect(store.list("lobby")).resolves.toEqual([alice]);
    });

    test("of all instances at once gives the member once", async () => {
      const [one, other] = harness.presence;
      const instances = Array.from({ length: 10 }, (_, i) => `i-${i}`);
      for (const instance of instances) {
        await one.join("g1", presenceEntry({ instance }));
        await other.join("g2", presenceEntry({ instance }));
      }
      const left = await Promise.all(
        instances.flatMap((instance) => [
          one.leave("g1", "lobby", instance),
          other.leave("g2", "lobby", instance),
        ]),
      );
      expect(left.filter((member) => member !== undefined)).toEqual([alice]);
    });
  });

  describe("list", () => {
    test("gives one entry a client, its oldest, by age and then by client id", async () => {
      const [one, other] = harness.presence;
      await one.join("g1", presenceEntry({ clientId: "carol", instance: "c", since: 1_000 }));
      await one.join("g1", presenceEntry({ clientId: "bob", instance: "b1", since: 3_000 }));
      await other.join("g2", presenceEntry({ clientId: "bob", instance: "b2", since: 500 }));
      await other.join("g2", presenceEntry({ clientId: "alice", instance: "a", since: 1_000 }));
      await expect(one.list("lobby")).resolves.toEqual([
        { clientId: "bob", username: "al", since: 500 },
        { clientId: "alice", username: "al", since: 1_000 },
        { clientId: "carol", username: "al", since: 1_000 },
      ]);
    });

    test("tells protocols apart by their names where all else is equal", async () => {
      const [store] = harness.presence;
      for (const protocol of ["stomp", "coap", "mqtt"]) {
        await store.join("g1", presenceEntry({ protocol, instance: protocol }));
      }
      await store.join("g1", presenceEntry());
      const protocols = (await store.list("lobby")).map(({ protocol }) => protocol);
      expect(protocols).toEqual([undefined, "coap", "mqtt", "stomp"]);
    });

    test("leaves out the entries of a gateway without a lease", async () => {
      const [one, other] = harness.presence;
      await one.join("g1", presenceEntry());
      await other.join("g2", presenceEntry({ clientId: "bob", instance: "b" }));
      await harness.advance(LEASE_MS / 2);
      await one.renew("g1", LEASE_MS);
      await harness.advance(LEASE_MS / 2);
      await expect(one.list("lobby")).resolves.toEqual([alice]);
      await expect(one.join("g3", presenceEntry({ clientId: "carol" }))).resolves.toBe(true);
      await expect(one.list("lobby")).resolves.toEqual([alice]);
    });
  });

  describe("renew", () => {
    test("tells whether there was a live lease", async () => {
      const [store] = harness.presence;
      await expect(store.renew("g9", LEASE_MS)).resolves.toBe(false);
      await expect(store.renew("g9", LEASE_MS)).resolves.toBe(true);
      await harness.advance(LEASE_MS - 60_000);
      await expect(store.renew("g9", LEASE_MS)).resolves.toBe(true);
      await harness.advance(LEASE_MS);
      await expect(store.renew("g9", LEASE_MS)).resolves.toBe(false);
    });

    test("brings back what has not been reaped yet", async () => {
      const [store] = harness.presence;
      await store.join("g1", presenceEntry());
      await harness.advance(LEASE_MS);
      await expect(store.list("lobby")).resolves.toEqual([]);
      await store.renew("g1", LEASE_MS);
      await expect(store.join("g1", presenceEntry())).resolves.toBe(false);
      await expect(store.list("lobby")).resolves.toEqual([alice]);
      await expect(harness.presence[1].reap()).resolves.toEqual([]);
    });
  });

  describe("reap", () => {
    test("removes the entries of a dead gateway and gives whom that made leave", async () => {
      const [one, other] = harness.presence;
      const kitchen = presenceEntry({ room: "kitchen" });
      const bob = presenceEntry({ clientId: "bob", instance: "b" });
      await one.join("g1", presenceEntry());
      await one.join("g1", kitchen);
      await one.join("g1", bob);
      await other.join("g2", presenceEntry({ instance: "elsewhere" }));
      await harness.advance(LEASE_MS);
      await other.renew("g2", LEASE_MS);
      await other.join("g2", presenceEntry({ instance: "elsewhere" }));

      const departed = await other.reap();
      expect(new Set(departed)).toEqual(new Set([kitchen, bob]));
      expect(departed).toHaveLength(2);
      await expect(other.reap()).resolves.toEqual([]);
      await expect(other.list("lobby")).resolves.toEqual([alice]);
      await expect(other.list("kitchen")).resolves.toEqual([]);
      await expect(one.renew("g1", LEASE_MS)).resolves.toBe(false);
      await expect(one.join("g1", bob)).resolves.toBe(true);
    });

    test("leaves the living alone", async () => {
      const [one, other] = harness.presence;
      await one.join("g1", presenceEntry());
      await expect(other.reap()).resolves.toEqual([]);
      await expect(one.list("lobby")).resolves.toEqual([alice]);
    });

    test("finds the entries of a gateway that never had a lease", async () => {
      const [one, other] = harness.presence;
      const entry = presenceEntry();
      await expect(one.join("g3", entry)).resolves.toBe(true);
      await expect(other.reap()).resolves.toEqual([entry]);
    });

    test("by several at once gives each departed client to one of them", async () => {
      const [one, other] = harness.presence;
      const entries = Array.from({ length: 60 }, (_, i) =>
        presenceEntry({ room: `r-${i % 7}`, instance: `i-${i}`, clientId: `c-${i}` }),
      );
      await Promise.all(entries.map((entry) => one.join("g1", entry)));
      await harness.advance(LEASE_MS);
      const reaped = await Promise.all([one.reap(), other.reap(), one.reap(), other.reap()]);
      expect(reaped.flat()).toHaveLength(entries.length);
      expect(new Set(reaped.flat())).toEqual(new Set(entries));
    });

    test("counts a client that waits for the reaper as present until then", async () => {
      const [one, other] = harness.presence;
      await one.join("g1", presenceEntry());
      await harness.advance(LEASE_MS);
      await other.renew("g2", LEASE_MS);
      // Nobody was told that she left, so nobody is told that she came.
      await expect(other.join("g2", presenceEntry())).resolves.toBe(false);
      await expect(other.list("lobby")).resolves.toEqual([alice]);
      await expect(other.leave("g2", "lobby", "i-1")).resolves.toBeUndefined();
      await expect(other.list("lobby")).resolves.toEqual([]);
      await expect(other.reap()).resolves.toEqual([presenceEntry()]);
    });

    test("does no harm to a gateway that comes back at the same time", async () => {
      const [one, other] = harness.presence;
      const entries = Array.from({ length: 40 }, (_, i) =>
        presenceEntry({ room: `r-${i % 5}`, instance: `i-${i}`, clientId: `c-${i}` }),
      );
      await Promise.all(entries.map((entry) => one.join("g1", entry)));
      await harness.advance(LEASE_MS);
      const [departed, joined] = await Promise.all([
        other.reap(),
        one
          .renew("g1", LEASE_MS)
          .then(() => Promise.all(entries.map((entry) => one.join("g1", entry)))),
      ]);
      // Whoever was told to have left was told to have come back, and nobody else was.
      expect(departed).toHaveLength(joined.filter((first) => first).length);
      const rooms = await Promise.all([0, 1, 2, 3, 4].map((room) => one.list(`r-${room}`)));
      expect(rooms.flat()).toHaveLength(entries.length);
      await expect(other.reap()).resolves.toEqual([]);
    });
  });

  describe("retire", () => {
    test("removes the gateway's entries and gives whom that made leave", async () => {
      const [one, other] = harness.presence;
      const kitchen = presenceEntry({ room: "kitchen" });
      await one.join("g1", presenceEntry());
      await one.join("g1", kitchen);
      await other.join("g2", presenceEntry());
      await expect(one.retire("g1")).resolves.toEqual([kitchen]);
      await expect(other.list("lobby")).resolves.toEqual([alice]);
      await expect(other.list("kitchen")).resolves.toEqual([]);
      await expect(one.renew("g1", LEASE_MS)).resolves.toBe(false);
    });

    test("of a gateway without entries, or unknown, gives nobody", async () => {
      const [store] = harness.presence;
      await expect(store.retire("g1")).resolves.toEqual([]);
      await expect(store.retire("nobody")).resolves.toEqual([]);
    });
  });

  presenceStoreProperty(create);
}
