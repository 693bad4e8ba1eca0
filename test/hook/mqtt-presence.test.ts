import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { GatewayError } from "../../src/errors.js";
import { createPresenceTracker } from "../../src/handler/index.js";
import {
  createMqttPresence,
  ownerOf,
  type HookClient,
  type MqttPresence,
  type MqttPresenceOptions,
} from "../../src/hook/index.js";
import { silentLogger } from "../../src/logger.js";
import type { PresenceStore } from "../../src/store/index.js";
import { createMemoryHarness, createRedisHarness, type StoreHarness } from "../store/harness.js";
import { eventually } from "../support/eventually.js";
import { createFakeClock, type FakeClock } from "../support/fake-clock.js";
import { startRedisServer, type RedisServer } from "../support/redis-server.js";

/** Shorter than what the store keeps of a node that is gone, which would be aged along with the lease. */
const MAX_IDLE_MS = 12 * 3600 * 1000;
const WEEK_MS = 7 * 24 * 3600 * 1000;
const N1 = "emqx@10.0.0.1";
const N2 = "emqx@10.0.0.2";
const ROOM = "chat/room/lobby";
const KITCHEN = "chat/room/kitchen";

/** A connection of the client m1, or of another. */
const mqtt = (peer: string, overrides: Partial<HookClient> = {}): HookClient => ({
  ...{ node: N1, clientId: "m1", username: "mia", protocol: "mqtt", peer },
  ...overrides,
});

interface Replica extends MqttPresence {
  /** Does what is done by calls, and waits until it is done. */
  hears(...calls: readonly (() => void)[]): Promise<void>;
}

/** What is asked of MQTT presence, over any stores; two replicas of the gateway share them. */
function suite(create: () => Promise<StoreHarness>): void {
  let harness: StoreHarness;
  let clock: FakeClock;
  let told: string[];
  let one: Replica;
  let other: Replica;
  const started: Replica[] = [];

  beforeEach(async () => {
    harness = await create();
    clock = createFakeClock(Date.now());
    told = [];
    one = start(0);
    other = start(1);
  });
  afterEach(async () => {
    await Promise.all(started.splice(0).map((replica) => replica.stop()));
    await harness.close();
  });

  const announce: MqttPresenceOptions["announce"] = (event, room, { protocol, clientId }) =>
    void told.push(`${event} ${room} ${protocol ?? "chat"} ${clientId}`);

  function start(at: 0 | 1, overrides: Partial<MqttPresenceOptions> = {}): Replica {
    const presence = createMqttPresence({
      store: harness.presence[at],
      clients: harness.mqttClients[at],
      roomOf: (topic) => /^chat\/room\/([^/]+)$/.exec(topic)?.[1],
      isClientId: (name) => /^[\w-]+$/.test(name),
      isUsername: (name) => !name.includes("/"),
      clock,
      logger: silentLogger,
      announce,
      maxIdleMs: MAX_IDLE_MS,
      ...overrides,
    });
    const replica = {
      ...presence,
      async hears(...calls: readonly (() => void)[]) {
        for (const call of calls) call();
        await presence.drained();
      },
    };
    started.push(replica);
    return replica;
  }

  async function advance(ms: number): Promise<void> {
    await Promise.all([clock.advance(ms), harness.advance(ms)]);
  }

  /** As every gateway does now and then. */
  async function reap(): Promise<void> {
    const gone = await harness.presence[1].reap();
    for (const entry of gone) announce("LEFT", entry.room, entry, 0);
  }

  async function who(room = "lobby"): Promise<readonly string[]> {
    const members = await harness.presence[0].list(room);
    return members.map(({ protocol, clientId }) => `${protocol ?? "chat"} ${clientId}`);
  }

  const a = mqtt("10.0.0.7:1");
  const b = mqtt("10.0.0.7:2");
  const elsewhere = mqtt("10.0.0.7:3", { node: N2 });
  const came = "JOINED lobby mqtt m1";
  const left = "LEFT lobby mqtt m1";

  test("a client that subscribes a room's topic is a member, until it unsubscribes", async () => {
    await one.hears(
      () => one.onConnected(a),
      () => one.onSubscribed(a, ROOM),
      () => one.onSubscribed(a, ROOM),
    );
    await expect(harness.presence[1].list("lobby")).resolves.toEqual([
      { protocol: "mqtt", clientId: "m1", username: "mia", since: clock.now() },
    ]);
    await one.hears(() => one.onUnsubscribed(a, ROOM));
    expect(await who()).toEqual([]);
    expect(told).toEqual([came, left]);
  });

  test.each([
    "chat/room/+",
    "chat/room/#",
    "#",
    "$share/g/chat/room/lobby",
    "$queue/chat/room/lobby",
    "chat/room/lobby/x",
    "chat/presence/lobby",
  ])("one that subscribes %s is none", async (filter) => {
    await one.hears(() => one.onSubscribed(a, filter));
    expect(told).toEqual([]);
    expect(await who()).toEqual([]);
  });

  test("one of our own is none, whatever EMQX tells of it", async () => {
    for (const protocol of ["exproto", "chat", ""]) {
      await one.hears(() => one.onSubscribed(mqtt("p:1", { protocol }), ROOM));
    }
    expect(told).toEqual([]);
  });

  test("one of another gateway is a member beside an MQTT and a chat client of its id", async () => {
    const [store] = harness.presence;
    await store.renew("g1", MAX_IDLE_MS);
    const chat = { clientId: "m1", username: "", since: clock.now() };
    await store.join("g1", { ...chat, room: "lobby", instance: "i" });
    await one.hears(
      () => one.onSubscribed(mqtt("10.0.0.8:1", { protocol: "stomp" }), ROOM),
      () => one.onSubscribed(a, ROOM),
    );
    expect(await who()).toEqual(["chat m1", "mqtt m1", "stomp m1"]);
    await one.hears(() => one.onDisconnected(a));
    expect(await who()).toEqual(["chat m1", "stomp m1"]);
    expect(told.sort()).toEqual([came, "JOINED lobby stomp m1", left].sort());
  });

  test("names that chat clients can't be told are left out", async () => {
    await one.hears(
      () => one.onSubscribed(mqtt("p:1", { clientId: "a b" }), ROOM),
      () => one.onSubscribed(mqtt("p:2", { clientId: "m2", username: "x/y" }), ROOM),
    );
    await expect(harness.presence[0].list("lobby")).resolves.toMatchObject([
      { clientId: "m2", username: "" },
    ]);
  });

  test("one that disconnects leaves all rooms, and is back when its session goes on", async () => {
    await one.hears(
      () => one.onConnected(a),
      () => one.onSubscribed(a, ROOM),
      () => one.onSubscribed(a, KITCHEN),
      () => one.onDisconnected(a),
    );
    expect([await who(), await who("kitchen")]).toEqual([[], []]);
    await one.hears(
      () => one.onSessionResumed(b),
      () => one.onConnected(b),
    );
    expect([await who(), await who("kitchen")]).toEqual([["mqtt m1"], ["mqtt m1"]]);
    expect(told.filter((line) => line.includes("lobby"))).toEqual([came, left, came]);
  });

  test("one whose session is over is not back", async () => {
    await one.hears(
      () => one.onSubscribed(a, ROOM),
      () => one.onDisconnected(a),
      () => one.onSessionEnded(a),
      () => one.onSessionResumed(b),
      () => one.onConnected(b),
    );
    expect(await who()).toEqual([]);
  });

  test("one session that is away for a week is forgotten", async () => {
    await one.hears(
      () => one.onSubscribed(a, ROOM),
      () => one.onDisconnected(a),
    );
    await advance(WEEK_MS);
    await one.hears(() => one.onSessionResumed(b));
    expect(await who()).toEqual([]);
  });

  describe("after a disconnection that was lost", () => {
    beforeEach(() => one.hears(() => one.onSubscribed(a, ROOM)));

    test.each<readonly [string, (replica: Replica) => void, readonly string[]]>([
      ["connects anew", (replica) => replica.onConnected(b), []],
      ["connects anew on another node", (replica) => replica.onConnected(elsewhere), []],
      ["goes on", (replica) => replica.onSessionResumed(b), ["mqtt m1"]],
      ["goes on, on another node", (replica) => replica.onSessionResumed(elsewhere), ["mqtt m1"]],
      ["ends", (replica) => replica.onSessionEnded(a), []],
    ])("no ghost is left when it %s", async (_how, happens, members) => {
      await other.hears(() => happens(other));
      expect(await who()).toEqual(members);
      // The entry went along, so that the node it was on no longer has it.
      await other.hears(() => other.onDisconnected(elsewhere));
      await other.hears(() => other.onDisconnected(b));
      expect(await who()).toEqual([]);
      expect(told.filter((line) => line === came).length).toBe(
        told.filter((line) => line === left).length,
      );
    });

    test("its news that comes late does no harm", async () => {
      await one.hears(
        () => one.onConnected(b),
        () => one.onSubscribed(b, ROOM),
        () => one.onDisconnected(a),
        () => one.onSessionEnded(a),
      );
      expect(await who()).toEqual(["mqtt m1"]);
    });
  });

  test("hooks of one client may come to several replicas, and are told once", async () => {
    await one.hears(() => one.onConnected(a));
    await other.hears(() => other.onSubscribed(a, ROOM));
    await one.hears(() => one.onSubscribed(a, ROOM));
    await other.hears(() => other.onDisconnected(a));
    await one.hears(() => one.onDisconnected(a));
    expect(told).toEqual([came, left]);
  });

  test("replicas that hear of one client at once agree in the end", async () => {
    const rooms = Array.from({ length: 12 }, (_, i) => `r${i}`);
    rooms.forEach((room, i) => (i % 2 === 0 ? one : other).onSubscribed(a, `chat/room/${room}`));
    await Promise.all([one.drained(), other.drained()]);
    for (const room of rooms) expect(await who(room)).toEqual(["mqtt m1"]);
    await other.hears(() => other.onDisconnected(a));
    for (const room of rooms) expect(await who(room)).toEqual([]);
    expect(told).toHaveLength(2 * rooms.length);
  });

  test("a replica that loses a race makes good what it has removed", async () => {
    await one.hears(() => one.onSubscribed(a, ROOM));
    const [clients] = harness.mqttClients;
    let isFirst = true;
    const late = start(0, {
      clients: {
        ...clients,
        async read(name) {
          const record = await clients.read(name);
          // Its session goes on at the same node, once it was read where it has been.
          if (isFirst) await other.hears(() => other.onSessionResumed(b));
          isFirst = false;
          return record;
        },
      },
    });
    await late.hears(() => late.onDisconnected(a));
    expect(isFirst).toBe(false);
    expect(await who()).toEqual(["mqtt m1"]);
    expect(told.filter((line) => line === came).length).toBe(
      told.filter((line) => line === left).length + 1,
    );
  });

  test("a client that floods with subscriptions does not crowd out the others", async () => {
    const [clients] = harness.mqttClients;
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    let reads = 0;
    const slow = start(0, {
      clients: {
        ...clients,
        async read(name) {
          reads += 1;
          await released;
          return clients.read(name);
        },
      },
    });
    for (let i = 0; i < 60_000; i += 1) {
      if (i % 2 === 0) slow.onSubscribed(a, ROOM);
      else slow.onUnsubscribed(a, ROOM);
    }
    slow.onSubscribed(mqtt("p:1", { clientId: "m2" }), ROOM);
    slow.onDisconnected(a);
    release();
    await slow.drained();
    expect(await who()).toEqual(["mqtt m2"]);
    expect(reads).toBeLessThan(2_000);
  });

  test("a gateway that is replaced loses nobody", async () => {
    await one.hears(() => one.onSubscribed(a, ROOM));
    await one.stop();
    await advance(MAX_IDLE_MS / 2);
    await reap();
    const next = start(0);
    expect(await who()).toEqual(["mqtt m1"]);
    await next.hears(() => next.onDisconnected(a));
    expect(told).toEqual([came, left]);
  });

  test("members of a node that is silent for long are reaped by any gateway", async () => {
    await one.hears(() => one.onSubscribed(a, ROOM));
    await advance(MAX_IDLE_MS - 60_000);
    await reap();
    expect(await who()).toEqual(["mqtt m1"]);
    await advance(60_000);
    const tracker = createPresenceTracker({
      ...{ store: harness.presence[1], gateway: "g2", leaseMs: 30_000 },
      ...{ clock, logger: silentLogger, announce },
    });
    await tracker.beat();
    expect(await who()).toEqual([]);
    expect(told).toEqual([came, left]);
  });

  test("any call of the node keeps its members", async () => {
    await one.hears(() => one.onSubscribed(a, ROOM));
    for (let i = 0; i < 3; i += 1) {
      await advance(MAX_IDLE_MS - 60_000);
      other.onCall(N1);
      await other.hears(() => other.onConnected(mqtt("p:1", { clientId: "m2" })));
      await harness.presence[1].renew("g9", 1);
    }
    await reap();
    expect(await who()).toEqual(["mqtt m1"]);
  });

  describe("a node that loads the provider", () => {
    beforeEach(() =>
      one.hears(
        () => one.onSubscribed(a, ROOM),
        () => one.onSubscribed(mqtt("p:9", { clientId: "m2", node: N2 }), ROOM),
      ),
    );

    test("having just come up, has none of its members left", async () => {
      await other.hears(() => other.onProviderLoaded(N1, 4_000));
      expect(await who()).toEqual(["mqtt m2"]);
      expect(told.at(-1)).toBe(left);
      await one.hears(
        () => one.onConnected(b),
        () => one.onSubscribed(b, ROOM),
      );
      expect(await who()).toEqual(["mqtt m1", "mqtt m2"]);
      await reap();
      expect(await who()).toEqual(["mqtt m1", "mqtt m2"]);
    });

    test.each([[3_600_000], [undefined]])("after %s ms keeps them", async (uptimeMs) => {
      await other.hears(() => other.onProviderLoaded(N1, uptimeMs));
      expect(await who()).toEqual(["mqtt m1", "mqtt m2"]);
    });

    test("is done with before its clients that come", async () => {
      await one.hears(
        () => one.onSubscribed(mqtt("p:3", { clientId: "m3" }), ROOM),
        () => one.onProviderLoaded(N1, 0),
        () => one.onSubscribed(b, ROOM),
      );
      expect((await who()).toSorted()).toEqual(["mqtt m1", "mqtt m2"]);
      expect(told.slice(2)).toEqual([
        "JOINED lobby mqtt m3",
        expect.stringContaining("LEFT"),
        expect.stringContaining("LEFT"),
        came,
      ]);
    });

    test("having just come up, gets back whose session is kept on its disk", async () => {
      await other.hears(
        () => other.onProviderLoaded(N1, 0),
        () => other.onSessionResumed(b),
        () => other.onConnected(b),
      );
      expect((await who()).toSorted()).toEqual(["mqtt m1", "mqtt m2"]);
      expect(told.slice(2)).toEqual([left, came]);
    });
  });

  test("a session that goes on is back, also where the answer to its record is lost", async () => {
    await one.hears(
      () => one.onSubscribed(a, ROOM),
      () => one.onDisconnected(a),
    );
    const [clients] = harness.mqttClients;
    let isFirst = true;
    const replica = start(0, {
      clients: {
        ...clients,
        async replace(...args) {
          const isDone = await clients.replace(...args);
          if (!isFirst) return isDone;
          isFirst = false;
          throw new GatewayError("UNAVAILABLE", "no answer came");
        },
      },
    });
    let isDone = false;
    replica.onSessionResumed(b);
    const drained = replica.drained().then(() => (isDone = true));
    await eventually("it is dealt with", async () => {
      await clock.advance(1_000);
      return isDone;
    });
    await drained;
    expect(await who()).toEqual(["mqtt m1"]);
    expect(told).toEqual([came, left, came]);
  });

  describe("while the store fails", () => {
    const away = () => Promise.reject(new GatewayError("UNAVAILABLE", "the store is away"));
    const writes = ["join", "leave", "renew"] as const;

    test.each(writes)("in %s, nothing is lost nor told twice", async (method) => {
      let failures = 0;
      const store: PresenceStore = { ...harness.presence[0] };
      const works = store[method].bind(store);
      const flaky: PresenceStore = {
        ...store,
        [method]: (...args: never[]) =>
          failures++ % 2 === 0 ? away() : (works as (...all: never[]) => unknown)(...args),
      };
      const replica = start(0, { store: flaky });
      replica.onSubscribed(a, ROOM);
      replica.onSubscribed(a, KITCHEN);
      replica.onUnsubscribed(a, KITCHEN);
      replica.onDisconnected(a);
      replica.onSessionResumed(b);
      let isDone = false;
      const drained = replica.drained().then(() => (isDone = true));
      await eventually("all is dealt with", async () => {
        await clock.advance(1_000);
        return isDone;
      });
      await drained;
      expect(failures).toBeGreaterThan(1);
      expect([await who(), await who("kitchen")]).toEqual([["mqtt m1"], []]);
      expect(told.filter((line) => line.includes("lobby"))).toEqual([came, left, came]);
      expect(told.filter((line) => line.includes("kitchen"))).toHaveLength(2);
    });
  });

  test("one that was reaped though it was there is back when it subscribes again", async () => {
    await one.hears(() => one.onSubscribed(a, ROOM));
    await advance(MAX_IDLE_MS);
    await reap();
    await one.hears(() => one.onSubscribed(a, ROOM));
    expect(await who()).toEqual(["mqtt m1"]);
    expect(told).toEqual([came, left, came]);
  });

  test("the owner of a node's entries is named after it", async () => {
    await one.hears(() => one.onSubscribed(a, ROOM));
    await expect(harness.presence[1].retire(ownerOf(N1))).resolves.toMatchObject([
      { room: "lobby", protocol: "mqtt", clientId: "m1" },
    ]);
  });
}

describe("MQTT presence in memory", () => {
  suite(() => Promise.resolve(createMemoryHarness()));
});

describe("MQTT presence in Redis", () => {
  let server: RedisServer;

  beforeAll(async () => {
    server = await startRedisServer();
  }, 30_000);
  afterAll(() => server.close());

  suite(() => createRedisHarness(server, "standalone"));
});
