import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import type { SessionRecord } from "../../src/store/records.js";
import { NOTE_MAX_AGE_SECONDS } from "../../src/store/session-store.js";
import type { StoreHarness } from "./harness.js";

export function sessionRecord(overrides: Partial<SessionRecord> = {}): SessionRecord {
  return {
    session: "s-1",
    clientId: "alice",
    username: "al",
    epoch: 1,
    rooms: {
      lobby: {
        qos: 1,
        presence: true,
        echo: false,
        at: {
          epoch: 3,
          offset: 9,
          unlogged: [{ id: "AB", seq: 6 }],
          hole: { from: 2, to: 0, toldAt: 5 },
        },
      },
      quiet: { qos: 0, presence: false, echo: true },
    },
    inbox: { epoch: 4, offset: 2 },
    seq: 7,
    ackedSeq: 5,
    unacked: [
      { seq: 6, room: "lobby", offset: 9 },
      { seq: 7, room: "", offset: 2 },
    ],
    isFinal: false,
    expirySeconds: 300,
    ...overrides,
  };
}

/** What every SessionStore must do. */
export function sessionStoreContract(create: () => Promise<StoreHarness>): void {
  let harness: StoreHarness;

  beforeEach(async () => {
    harness = await create();
  });
  afterEach(() => harness.close());

  async function takeAndSave(overrides: Partial<SessionRecord> = {}): Promise<SessionRecord> {
    const [store] = harness.sessions;
    const { epoch } = await store.take("alice", "al");
    const record = sessionRecord({ epoch, ...overrides });
    await expect(store.save(record)).resolves.toBe(true);
    return record;
  }

  describe("take", () => {
    test("of an unknown session gives an epoch and nothing else", async () => {
      const [store] = harness.sessions;
      const taken = await store.take("alice", "al");
      expect(taken).toEqual({ epoch: taken.epoch });
      expect(Number.isSafeInteger(taken.epoch)).toBe(true);
    });

    test("counts up, whichever process takes, and for each client alone", async () => {
      const [one, other] = harness.sessions;
      const epochs: number[] = [];
      for (const store of [one, other, one, one, other]) {
        epochs.push((await store.take("alice", "al")).epoch);
      }
      expect(epochs).toEqual([...new Set(epochs)].sort((a, b) => a - b));
      const bob = sessionRecord({ clientId: "bob", epoch: (await one.take("bob", "bo")).epoch });
      await one.take("alice", "al");
      await expect(other.save(bob)).resolves.toBe(true);
    });

    test("at the same time gives each its own epoch", async () => {
      const taken = await Promise.all(
        Array.from({ length: 20 }, (_, i) => harness.sessions[i % 2 === 0 ? 0 : 1].take("a", "u")),
      );
      expect(new Set(taken.map(({ epoch }) => epoch)).size).toBe(20);
    });

    test("gives what the last save has left, also while its connection lives", async () => {
      const record = await takeAndSave();
      const { previous } = await harness.sessions[1].take("alice", "al");
      expect(previous).toEqual(record);
    });

    test.each([
      ["no rooms", {}],
      [
        "a room called __proto__",
        Object.fromEntries([
          ["__proto__", { qos: 2 }],
          ["ünï·☃", {}],
        ]),
      ],
    ])("gives back %s", async (_name, rooms) => {
      const options = { qos: 0, presence: false, echo: true };
      const record = await takeAndSave({
        rooms: Object.fromEntries(Object.keys(rooms).map((room) => [room, options])),
      });
      const { previous } = await harness.sessions[1].take("alice", "al");
      expect(Object.entries(previous!.rooms)).toEqual(Object.entries(record.rooms));
    });

    test("by another user gets nothing, and the record is gone for its own user too", async () => {
      await takeAndSave();
      const [store] = harness.sessions;
      await expect(store.take("alice", "mallory")).resolves.not.toHaveProperty("previous");
      await expect(store.take("alice", "al")).resolves.not.toHaveProperty("previous");
    });

    test("keeps a released record from expiring", async () => {
      const { epoch } = await takeAndSave({ expirySeconds: 60 });
      const [store] = harness.sessions;
      await store.release("alice", epoch);
      await store.take("alice", "al");
      await harness.advance(61_000);
      await expect(store.take("alice", "al")).resolves.toHaveProperty("previous");
    });
  });

  describe("an older epoch", () => {
    test("changes nothing any more", async () => {
      const old = await takeAndSave();
      const [one, other] = harness.sessions;
      const { epoch } = await other.take("alice", "al");
      const current = sessionRecord({ epoch, seq: 100 });
      await other.save(current);

      await expect(one.save({ ...old, seq: 8 })).resolves.toBe(false);
      await expect(one.release("alice", old.epoch)).resolves.toBe(false);
      await expect(one.drop("alice", old.epoch)).resolves.toBe(false);

      await harness.advance(old.expirySeconds * 1000 + 1);
      const { previous } = await one.take("alice", "al");
      expect(previous).toEqual(current);
    });

    test("is refused before the newer one has saved anything", async () => {
      const old = await takeAndSave();
      await harness.sessions[1].take("alice", "al");
      await expect(harness.sessions[0].save(old)).resolves.toBe(false);
    });

    test("can't come back after the newer one has ended its session", async () => {
      const old = await takeAndSave();
      const [one, other] = harness.sessions;
      const { epoch } = await other.take("alice", "al");
      await other.drop("alice", epoch);
      await expect(one.save(old)).resolves.toBe(false);
      await expect(one.take("alice", "al")).resolves.not.toHaveProperty("previous");
    });

    test("can't come back after the newer one's record has expired", async () => {
      const old = await takeAndSave();
      const [one, other] = harness.sessions;
      const { epoch } = await other.take("alice", "al");
      await other.save({ ...old, epoch });
      await other.release("alice", epoch);
      await harness.advance(old.expirySeconds * 1000 + 1);
      await expect(one.save(old)).resolves.toBe(false);
    });
  });

  test("an epoch that the store does not know is taken when none is newer", async () => {
    const [store] = harness.sessions;
    const record = sessionRecord({ epoch: Date.now() });
    await expect(store.save(record)).resolves.toBe(true);
    const taken = await store.take("alice", "al");
    expect(taken.previous).toEqual(record);
    expect(taken.epoch).toBeGreaterThan(record.epoch);
  });

  describe("release", () => {
    test("keeps the record for its expirySeconds", async () => {
      const record = await takeAndSave({ expirySeconds: 60 });
      const [store] = harness.sessions;
      await expect(store.release("alice", record.epoch)).resolves.toBe(true);
      await harness.advance(59_000);
      const { previous } = await store.take("alice", "al");
      expect(previous).toEqual(record);
    });

    test("drops it after them", async () => {
      const { epoch } = await takeAndSave({ expirySeconds: 60 });
      const [store] = harness.sessions;
      await store.release("alice", epoch);
      await harness.advance(60_000);
      await expect(store.take("alice", "al")).resolves.not.toHaveProperty("previous");
    });

    test("drops at once what is not to be kept", async () => {
      const { epoch } = await takeAndSave({ expirySeconds: 0 });
      const [store] = harness.sessions;
      await expect(store.release("alice", epoch)).resolves.toBe(true);
      await expect(store.take("alice", "al")).resolves.not.toHaveProperty("previous");
    });

    test("of a session that was never saved is no error", async () => {
      const [store] = harness.sessions;
      const { epoch } = await store.take("alice", "al");
      await expect(store.release("alice", epoch)).resolves.toBe(true);
      await expect(store.take("alice", "al")).resolves.not.toHaveProperty("previous");
    });
  });

  describe.each(["release", "drop"] as const)("%s", (end) => {
    test("ends its epoch: a late write is refused", async () => {
      const record = await takeAndSave();
      const [store] = harness.sessions;
      await expect(store[end]("alice", record.epoch)).resolves.toBe(true);
      await expect(store.save({ ...record, seq: 8 })).resolves.toBe(false);
      await expect(store[end]("alice", record.epoch)).resolves.toBe(false);
    });

    test("does not stop the next take", async () => {
      const { epoch } = await takeAndSave();
      const [one, other] = harness.sessions;
      await one[end]("alice", epoch);
      const next = await other.take("alice", "al");
      expect(next.epoch).toBeGreaterThan(epoch);
      await expect(other.save(sessionRecord({ epoch: next.epoch }))).resolves.toBe(true);
    });
  });

  test("drop leaves nothing to resume", async () => {
    const { epoch } = await takeAndSave();
    const [store] = harness.sessions;
    await expect(store.drop("alice", epoch)).resolves.toBe(true);
    await expect(store.take("alice", "al")).resolves.not.toHaveProperty("previous");
  });

  describe("a note", () => {
    test("is read by every process, until it is forgotten", async () => {
      const [one, other] = harness.sessions;
      await expect(one.noteOf("conn-1")).resolves.toBeUndefined();
      await one.note("conn-1", "ndjson");
      await one.note("conn-1", "text ☃");
      await one.note("conn-2", "");
      await expect(other.noteOf("conn-1")).resolves.toBe("text ☃");
      await expect(other.noteOf("conn-2")).resolves.toBe("");
      await other.forget("conn-1");
      await other.forget("conn-1");
      await expect(one.noteOf("conn-1")).resolves.toBeUndefined();
    });

    test("is dropped when it is too old", async () => {
      const [store] = harness.sessions;
      await store.note("conn-1", "ndjson");
      await harness.advance(NOTE_MAX_AGE_SECONDS * 1000 - 60_000);
      await expect(store.noteOf("conn-1")).resolves.toBe("ndjson");
      await harness.advance(60_000);
      await expect(store.noteOf("conn-1")).resolves.toBeUndefined();
    });
  });
}
