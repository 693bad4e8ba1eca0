/**
 * Gateway, Redis and host are killed again and again while people talk; what was promised to them
 * is then proved from their own records. CHAOS_SECONDS and CHAOS_SEED make it longer and repeat it.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, expect, test } from "@jest/globals";
import { startGatewayProcess } from "../support/gateway-process.js";
import { startHostProcess } from "../support/host-process.js";
import { startRedisServer } from "../support/redis-server.js";
import { gather, type Crowd } from "./chaos/crowd.js";
import { choosePorts } from "./chaos/ports.js";
import { losePower } from "./chaos/power-loss.js";
import { findFaults, type Entry } from "./chaos/proof.js";
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

async function startWorld(appendFsync: "always" | "everysec", random: () => number) {
  const [handler, hook, chat, adapter, mqtt, ws] = await choosePorts(6, random);
  const appendOnlyDir = await mkdtemp(join(tmpdir(), "chaos-"));
  ends.push(() => rm(appendOnlyDir, { recursive: true, force: true }));
  const redis = await startRedisServer({ appendOnlyDir, appendFsync });
  ends.push(() => redis.close());

  const startGateway = () =>
    startGatewayProcess({
      HANDLER_PORT: String(handler),
      HOOK_PORT: String(hook),
      ADAPTER_ADDRESS: `127.0.0.1:${adapter}`,
      REDIS_URL: redis.url,
      PRESENCE_LEASE_MS: "3000",
    });
  let gateway = await startGateway();
  ends.push(() => gateway.end("SIGKILL"));

  const startHost = () =>
    startHostProcess({
      ports: { chat: chat ?? 0, adapter: adapter ?? 0, mqtt: mqtt ?? 0, ws: ws ?? 0 },
      handlerAddress: `127.0.0.1:${handler}`,
      hook: { generation: "v2", address: `127.0.0.1:${hook}` },
    });
  let host = await startHost();
  ends.push(() => host.end("SIGKILL"));

  const victims: readonly Victim[] = [
    {
      name: "gateway",
      kill: () => gateway.end("SIGKILL"),
      start: async () => void (gateway = await startGateway()),
    },
    {
      name: "redis",
      kill: () =>
        appendFsync === "always"
          ? redis.kill()
          : losePower(appendOnlyDir, random() * LOSS_WINDOW_MS, () => redis.kill()),
      start: () => redis.restart(),
    },
    {
      name: "host",
      kill: () => host.end("SIGKILL"),
      start: async () => void (host = await startHost()),
    },
  ];
  return { victims, chatPort: chat ?? 0, mqttPort: mqtt ?? 0 };
}

async function faultsOf(crowd: Crowd, mayLose: boolean): Promise<readonly string[]> {
  const logs = new Map<string, readonly Entry[]>();
  for (const room of rooms) logs.set(room, await crowd.history(room));
  return findFaults({ said: crowd.said, sessions: crowd.sessions, logs, mayLose });
}

/** What is still on its way is given time to come. */
async function faultsInTheEnd(crowd: Crowd, mayLose: boolean): Promise<readonly string[]> {
  const giveUpAt = Date.now() + QUIET_WITHIN_MS;
  for (;;) {
    const faults = await faultsOf(crowd, mayLose);
    if (faults.length === 0 || Date.now() > giveUpAt) return faults;
    await delay(1_000);
  }
}

test.each([
  ["always", false],
  ["everysec", true],
] as const)(
  "nothing that was promised is broken, with appendfsync %s",
  async (appendFsync, mayLose) => {
    const random = createRandom(seed);
    const { victims, ...ports } = await startWorld(appendFsync, random);
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
    const faults = await faultsInTheEnd(crowd, mayLose);

    process.stdout.write(
      `chaos: seed ${seed}, killed ${killed.join(" ")}; said ${crowd.said.length}, ` +
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
