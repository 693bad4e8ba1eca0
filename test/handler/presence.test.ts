import { beforeEach, describe, expect, test } from "@jest/globals";
import { GatewayError } from "../../src/errors.js";
import { createPresenceTracker, type PresenceTracker } from "../../src/handler/index.js";
import { silentLogger } from "../../src/logger.js";
import { createMemoryPresenceStore, type PresenceStore } from "../../src/store/index.js";
import { createFakeClock, settled, type FakeClock } from "../support/fake-clock.js";

let clock: FakeClock;
let store: PresenceStore;
let tracker: PresenceTracker;
let told: string[];

beforeEach(async () => {
  clock = createFakeClock();
  store = createMemoryPresenceStore({ clock });
  told = [];
  tracker = createPresenceTracker({
    store,
    gateway: "g1",
    leaseMs: 30_000,
    clock,
    logger: silentLogger,
    announce: (event, room, { clientId }) => void told.push(`${event} ${room} ${clientId}`),
  });
  await tracker.start();
});

const entry = (instance: string, clientId: string) => ({
  room: "lobby",
  instance,
  clientId,
  username: "",
  since: clock.now(),
});
const who = async () => (await tracker.list("lobby")).map(({ clientId }) => clientId);
const away = () => Promise.reject(new GatewayError("UNAVAILABLE", "the store is away"));

describe("a client's presence", () => {
  test("is told once, however many connections it has", async () => {
    await tracker.join(entry("i1", "alice"));
    await tracker.join(entry("i2", "alice"));
    tracker.leave("i1", ["lobby"]);
    await settled();
    expect(told).toEqual(["JOINED lobby alice"]);
    tracker.leave("i2", ["lobby"]);
    await settled();
    expect(told).toEqual(["JOINED lobby alice", "LEFT lobby alice"]);
  });

  test("outlives its lease as long as the gateway lives", async () => {
    await tracker.join(entry("i1", "alice"));
    await clock.advance(300_000);
    expect(await who()).toEqual(["alice"]);
  });

  test("is restored after the store has lost it, and told again", async () => {
    await tracker.join(entry("i1", "alice"));
    await store.retire("g1");
    expect(await who()).toEqual([]);
    await clock.advance(10_000);
    expect(await who()).toEqual(["alice"]);
    expect(told).toEqual(["JOINED lobby alice", "JOINED lobby alice"]);
  });

  test("ends though the store could not be told at once", async () => {
    await tracker.join(entry("i1", "alice"));
    const { leave } = store;
    store.leave = away;
    tracker.leave("i1", ["lobby"]);
    await settled();
    store.leave = leave;
    expect(await who()).toEqual(["alice"]);
    await clock.advance(10_000);
    expect(await who()).toEqual([]);
    expect(told).toEqual(["JOINED lobby alice", "LEFT lobby alice"]);
  });

  test("that the store refused is not restored by the heartbeat", async () => {
    const { join } = store;
    store.join = away;
    await expect(tracker.join(entry("i1", "alice"))).rejects.toMatchObject({ code: "UNAVAILABLE" });
    store.join = join;
    await store.retire("g1");
    await clock.advance(10_000);
    expect(await who()).toEqual([]);
  });

  test("that ended while the store was being told of it is not restored either", async () => {
    const joining = tracker.join(entry("i1", "alice"));
    tracker.leave("i1", ["lobby"]);
    await joining;
    await store.retire("g1");
    await clock.advance(10_000);
    expect(await who()).toEqual([]);
  });

  test("that ended while the lease was waited for leaves no ghost", async () => {
    await tracker.stop();
    let answer = (): void => undefined;
    const fresh = createPresenceTracker({
      store: {
        ...store,
        async renew(gateway, leaseMs) {
          await new Promise<void>((resolve) => (answer = resolve));
          return store.renew(gateway, leaseMs);
        },
      },
      gateway: "g2",
      leaseMs: 30_000,
      clock,
      logger: silentLogger,
      announce: () => undefined,
    });
    const joining = fresh.join(entry("i1", "alice"));
    fresh.leave("i1", ["lobby"]);
    await settled();
    answer();
    await joining;
    expect(await who()).toEqual([]);
  });

  test("that another gateway has reaped and told of is told again when it is back", async () => {
    await tracker.join(entry("i1", "alice"));
    const { renew } = store;
    store.renew = away;
    await clock.advance(40_000);
    for (const { room, clientId } of await store.reap()) told.push(`LEFT ${room} ${clientId}`);
    store.renew = renew;
    await clock.advance(10_000);
    tracker.leave("i1", ["lobby"]);
    await settled();
    const both = ["JOINED lobby alice", "LEFT lobby alice"];
    expect(told).toEqual([...both, ...both]);
  });

  test("ends when the gateway stops, and is told", async () => {
    await tracker.join(entry("i1", "alice"));
    await tracker.stop();
    expect(told).toEqual(["JOINED lobby alice", "LEFT lobby alice"]);
    expect(clock.armed).toBe(0);
  });

  test("survives a heartbeat that fails", async () => {
    await tracker.join(entry("i1", "alice"));
    const { renew } = store;
    store.renew = away;
    await clock.advance(10_000);
    store.renew = renew;
    await clock.advance(10_000);
    expect(await who()).toEqual(["alice"]);
  });
});
