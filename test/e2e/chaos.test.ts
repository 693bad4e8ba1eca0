/**
 * Two gateways, Redis, PostgreSQL and the host are killed again and again while people talk; what was
 * promised to them is then proved from their own records. CHAOS_SECONDS and CHAOS_SEED make it longer
 * and repeat it.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, expect, test } from "@jest/globals";
import { startGatewayProcess } from "../support/gateway-process.js";
import { startHostProcess } from "../support/host-process.js";
import { startPostgresServer } from "../support/postgres-server.js";
import { startRedisServer } from "../support/redis-server.js";
import { gather, type Crowd } from "./chaos/crowd.js";
import { choosePorts } from "./chaos/ports.js";
import { losePower } from "./chaos/power-loss.js";
import { findFaults, type Entry, type Records, type Span } from "./chaos/proof.js";
import { createRandom, wreak, type Victim } from "./chaos/victims.js";

const seconds = Number(process.env.CHAOS_SECONDS ?? 20);
const seed = Number(process.env.CHAOS_SEED ?? Date.now() % 2 ** 31);
/** What `everysec` may lose. */
const LOSS_WINDOW_MS = 1_000;
const QUIET_WITHIN_MS = 60_000;
const rooms = ["r0", "r1", "r2", "r3", "r4"];

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

type Fsync = "always" | "everysec";

async function startWorld(appendFsync: Fsync, random: () => number) {
  const numbers = await choosePorts(8, random);
  const port = () => numbers.pop() ?? 0;
  const [chat, adapter, mqtt, ws] = [port(), port(), port(), port()];
  const appendOnlyDir = await mkdtemp(join(tmpdir(), "chaos-"));
  ends.push(() => rm(appendOnlyDir, { recursive: true, force: true }));
  const redis = await startRedisServer({ appendOnlyDir, appendFsync });
  ends.push(() => redis.close());
  const postgres = await startPostgresServer();
  ends.push(() => postgres.close());

  async function startGateway(name: string) {
    const [handlerPort, hookPort] = [port(), port()];
    const start = () =>
      startGatewayProcess({
        HANDLER_PORT: String(handlerPort),
        HOOK_PORT: String(hookPort),
        ADAPTER_ADDRESS: `127.0.0.1:${adapter}`,
        REDIS_URL: redis.url,
        ARCHIVE: postgres.url,
        // So that what is read comes from both.
        ROOM_LOG_MAX_MESSAGES: "200",
        PRESENCE_LEASE_MS: "3000",
      });
    let gateway = await start();
    ends.push(() => gateway.end("SIGKILL"));
    const victim: Victim = {
      name,
      kill: () => gateway.end("SIGKILL"),
      start: async () => void (gateway = await start()),
    };
    return { victim, handlerPort, hookPort };
  }
  const gateways = [await startGateway("gateway-a"), await startGateway("gateway-b")];

  // When one of them is away the other one is called.
  const either = (ports: readonly number[]) =>
    `ipv4:${ports.map((one) => `127.0.0.1:${one}`).join(",")}`;
  const startHost = () =>
    startHostProcess({
      ports: { chat, adapter, mqtt, ws },
      handlerAddress: either(gateways.map(({ handlerPort }) => handlerPort)),
      hook: { generation: "v2", address: either(gateways.map(({ hookPort }) => hookPort)) },
    });
  let host = await startHost();
  ends.push(() => host.end("SIGKILL"));

  const losses: Span[] = [];
  const failPower = async (kill: () => Promise<unknown>) =>
    void losses.push(await losePower(appendOnlyDir, random() * LOSS_WINDOW_MS, kill));
  const [a, b] = gateways.map(({ victim }) => victim);
  if (a === undefined || b === undefined) throw new Error("there are two gateways");
  const all = {
    a,
    b,
    redis: { name: "redis", kill: () => redis.kill(), start: () => redis.restart() },
    redisDisk: {
      name: "redis and its disk",
      kill: () => failPower(() => redis.kill()),
      start: () => redis.restart(),
    },
    rack: {
      name: "redis, its disk and both gateways",
      kill: () => failPower(() => Promise.all([redis.kill(), a.kill(), b.kill()])),
      async start() {
        await redis.restart();
        await Promise.all([a.start(), b.start()]);
      },
    },
    host: {
      name: "host",
      kill: () => host.end("SIGKILL"),
      start: async () => void (host = await startHost()),
    },
    postgres: {
      name: "postgres",
      kill: () => postgres.kill(),
      start: () => postgres.restart(),
    },
  } satisfies Record<string, Victim>;
  return { all, losses, ports: { chatPort: chat, mqttPort: mqtt } };
}

type World = Awaited<ReturnType<typeof startWorld>>;
type Loss = Pick<Records, "loss" | "losses">;

async function faultsOf(crowd: Crowd, loss: Loss): Promise<readonly string[]> {
  const logs = new Map<string, readonly Entry[]>();
  for (const room of rooms) logs.set(room, await crowd.history(room));
  return findFaults({ said: crowd.said, sessions: crowd.sessions, logs, ...loss });
}

/** What is still on its way is given time to come. */
async function faultsInTheEnd(crowd: Crowd, loss: Loss): Promise<readonly string[]> {
  const giveUpAt = Date.now() + QUIET_WITHIN_MS;
  for (;;) {
    const faults = await faultsOf(crowd, loss);
    if (faults.length === 0 || Date.now() > giveUpAt) return faults;
    await delay(1_000);
  }
}

interface Case {
  readonly name: string;
  readonly appendFsync: Fsync;
  readonly loss: Records["loss"];
  readonly victims: (all: World["all"]) => readonly Victim[];
}

const cases: readonly Case[] = [
  {
    name: "appendfsync always",
    appendFsync: "always",
    loss: "none",
    victims: ({ a, b, redis, host, postgres }) => [a, redis, b, host, postgres],
  },
  {
    name: "appendfsync everysec, and a gateway that knows what Redis has lost",
    appendFsync: "everysec",
    loss: "healed",
    victims: ({ a, b, redisDisk, host, postgres }) => [a, redisDisk, b, host, postgres],
  },
  {
    name: "appendfsync everysec, and nobody who knows it",
    appendFsync: "everysec",
    loss: "told",
    victims: ({ rack, host, postgres }) => [rack, host, postgres],
  },
];

test.each(cases)(
  "nothing that was promised is broken, with $name",
  async ({ appendFsync, loss, victims: choose }) => {
    const random = createRandom(seed);
    const { all, losses, ports } = await startWorld(appendFsync, random);
    const victims = choose(all);
    const crowd = await gather({
      ...ports,
      rooms,
      chatters: 50,
      mqttClients: 10,
      sayEveryMs: 500,
      random,
    });
    ends.push(() => crowd.end());

    const stop = new AbortController();
    const talking = crowd.talk(stop.signal);
    const killed = await wreak(victims, { durationMs: seconds * 1_000, random });
    stop.abort();
    await talking;
    const faults = await faultsInTheEnd(crowd, { loss, losses });

    process.stdout.write(
      `chaos: seed ${seed}, killed ${killed.join(" | ")}; said ${crowd.said.length}, ` +
        `refused ${crowd.refused.length}, MQTT heard ${crowd.mqttHeard}, faults ${faults.length}\n`,
    );
    expect(crowd.refused).toEqual([]);
    expect(faults.slice(0, 20)).toEqual([]);
    expect(new Set(killed)).toEqual(new Set(victims.map(({ name }) => name)));
    expect(crowd.said.length).toBeGreaterThan(seconds * 10);
    expect(crowd.mqttHeard).toBeGreaterThan(0);
  },
  (seconds + 120) * 1_000,
);
