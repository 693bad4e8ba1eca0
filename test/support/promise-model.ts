/** Clients that talk through a world full of faults, and note where a promise was broken. */
import type { ChatOptions } from "../../src/chat.js";
import { GatewayError } from "../../src/errors.js";
import {
  createMemoryPresenceStore,
  createMemorySessionStore,
  type LogEntry,
} from "../../src/store/index.js";
import { createFakeClock, settled, type FakeClock } from "./fake-clock.js";
import { createForgetfulLog } from "./forgetful-log.js";
import { createListener, type Listener } from "./promise-listener.js";
import { createWorld, type World } from "./world.js";

export type Op =
  | {
      readonly op: "say";
      readonly who: number;
      readonly room: number;
      readonly qos: number;
      readonly isKeyed: boolean;
    }
  /** Says again, under its key, what was said so many keyed says ago. */
  | { readonly op: "retry"; readonly who: number; readonly nth: number }
  /** From MQTT. */
  | { readonly op: "publish"; readonly room: number; readonly qos: number }
  /** Of the next message to one connection that has none yet. */
  | { readonly op: "fate"; readonly fate: Fate }
  /** What was delayed comes, the last first. */
  | { readonly op: "release" }
  | { readonly op: "store away" }
  | { readonly op: "store back" }
  | { readonly op: "store slow"; readonly latencyMs: number }
  | { readonly op: "hang up"; readonly who: number }
  | { readonly op: "resume"; readonly who: number; readonly tells: "exactly" | "less" | "nothing" }
  | {
      readonly op: "join";
      readonly who: number;
      readonly room: number;
      readonly qos: number;
      readonly history: number;
    }
  | { readonly op: "leave"; readonly who: number; readonly room: number }
  | { readonly op: "ack"; readonly who: number; readonly count: number }
  /** The log forgets so many of each room's newest entries, and goes on in a new epoch. */
  | { readonly op: "lose tail"; readonly count: number }
  /** The gateway dies; another one takes its place. */
  | { readonly op: "crash" }
  | { readonly op: "wait"; readonly ms: number };

type Fate = "pass" | "lose" | "double" | "delay";

export interface PromiseModel {
  run(op: Op): Promise<void>;
  /** Sets everything right, lets all catch up, and tells what was broken. */
  end(): Promise<readonly string[]>;
}

const ROOMS = ["lobby", "den", "attic"] as const;
const CLIENTS = ["a1", "b1", "c1"] as const;
const at = <T>(list: readonly T[], index: number): T => {
  const found = list[index % list.length];
  if (found === undefined) throw new Error("an empty list");
  return found;
};
/** How late a session is kept at the most: keepIntervalMs, and what the stores take. */
const UNKEPT_MS = 600;
const topicOf = (room: string) => `chat/room/${room}`;

interface Gateway {
  readonly world: World;
  isDead: boolean;
}

/** How the stores are: each call is carried out at once, and answered in turn. */
interface Weather {
  isAway: boolean;
  latencyMs: number;
}

/** Rejects while it is away; answers a dead gateway never. */
function guard<T extends object>(
  target: T,
  clock: FakeClock,
  weather: Weather,
  gateway: { readonly isDead: boolean },
): T {
  let answerAt = 0;
  return new Proxy(target, {
    get(_, name) {
      const method = Reflect.get(target, name) as (...args: readonly unknown[]) => Promise<unknown>;
      return async (...args: readonly unknown[]) => {
        const answer = gateway.isDead
          ? undefined
          : weather.isAway
            ? Promise.reject(new GatewayError("UNAVAILABLE", "away"))
            : method.apply(target, [...args]);
        answer?.catch(() => undefined);
        answerAt = Math.max(answerAt, clock.now() + weather.latencyMs);
        const delayMs = answerAt - clock.now();
        if (delayMs > 0) await new Promise<void>((resolve) => clock.schedule(delayMs, resolve));
        return gateway.isDead ? new Promise(() => undefined) : answer;
      };
    },
  });
}

export async function createPromiseModel({
  chat,
}: {
  readonly chat: Partial<ChatOptions> & { readonly ackWindow: number };
}): Promise<PromiseModel> {
  const clock = createFakeClock();
  const log = createForgetfulLog(clock);
  const sessions = createMemorySessionStore({ clock });
  const presenceStore = createMemoryPresenceStore({ clock });
  const lastOffsets = new Map<string, number>();
  const { append } = log;
  log.append = async (topic, messages) => {
    const appended = await append(topic, messages);
    const offsets = appended.map(({ offset }) => offset);
    lastOffsets.set(topic, Math.max(lastOffsets.get(topic) ?? 0, ...offsets));
    return appended;
  };
  const weather: Weather = { isAway: false, latencyMs: 0 };
  let fates: Fate[] = [];
  let delayed: (() => void)[] = [];
  /** Something was lost on the way that only the next message tells of. */
  let hasLost = false;
  let wasAway = false;
  let hasForgotten = false;
  /** Ids of what the broker has lost or delayed on its way to one of them. */
  const strayed = new Set<string>();
  /** An MQTT client's next message goes out when the broker has taken the one before. */
  let published = Promise.resolve();
  let count = 0;
  const broken: string[] = [];
  let gateway = start();

  function start(): Gateway {
    const own = { isDead: false };
    const guarded = <T extends object>(target: T) => guard(target, clock, weather, own);
    const world = createWorld({
      chat,
      clock,
      roomLog: guarded(log),
      sessions: guarded(sessions),
      presenceStore: guarded(presenceStore),
    });
    const { door } = world.adapter;
    world.adapter.door = {
      apply(conn, event) {
        const pass = () => {
          if (!own.isDead) door?.apply(conn, event);
        };
        const fate = event.kind === "messages" ? (fates.shift() ?? "pass") : "pass";
        if (event.kind === "messages" && (fate === "lose" || fate === "delay")) {
          for (const { id } of event.messages) strayed.add(id);
        }
        if (fate === "lose") {
          hasLost = true;
          return;
        }
        if (fate === "delay") {
          delayed.push(pass);
          return;
        }
        pass();
        if (fate === "double") pass();
      },
    };
    return Object.assign(own, { world });
  }

  const listeners: readonly Listener[] = CLIENTS.map((clientId) =>
    createListener(clientId, {
      ackWindow: chat.ackWindow,
      lastOf: (room) => lastOffsets.get(topicOf(room)) ?? 0,
      now: () => clock.now(),
      saidSoFar: () => count,
      isAway: () => weather.isAway,
      hasStrayed: (id) => strayed.has(id),
      complain: (what) => void broken.push(`${clientId}: ${what}`),
    }),
  );

  async function listen(): Promise<void> {
    for (const listener of listeners) await listener.listen();
  }

  function publish(room: string, qos: number): void {
    count += 1;
    const text = `mqtt ${count}`;
    const { adapter } = gateway.world;
    published = published.then(() => adapter.publishes(topicOf(room), text, { qos }));
  }

  function release(): void {
    const late = delayed.reverse();
    delayed = [];
    for (const pass of late) pass();
  }

  async function perform(op: Op): Promise<void> {
    switch (op.op) {
      case "say": {
        count += 1;
        const { who, room, qos, isKeyed } = op;
        const text = `said ${count}`;
        return at(listeners, who).say(at(ROOMS, room), text, qos, isKeyed ? text : "");
      }
      case "retry":
        return at(listeners, op.who).retry(op.nth);
      case "publish": {
        publish(at(ROOMS, op.room), op.qos);
        return;
      }
      case "fate":
        fates.push(op.fate);
        return;
      case "release": {
        release();
        return;
      }
      case "store away":
        weather.isAway = wasAway = true;
        return;
      case "store back":
        weather.isAway = false;
        return;
      case "store slow":
        weather.latencyMs = op.latencyMs;
        return;
      case "hang up":
        // What was under way to it is lost with it.
        return at(listeners, op.who).hangUp(weather.isAway);
      case "resume":
        return at(listeners, op.who).resume(gateway.world, op.tells);
      case "join":
        return at(listeners, op.who).join(at(ROOMS, op.room), op.qos, op.history);
      case "leave":
        return at(listeners, op.who).leave(at(ROOMS, op.room));
      case "ack":
        await at(listeners, op.who).ack(op.count);
        return;
      case "lose tail": {
        await listen();
        const last = log.lose(op.count);
        hasForgotten = true;
        for (const room of ROOMS) {
          const kept = last.get(topicOf(room)) ?? 0;
          lastOffsets.set(topicOf(room), kept);
          for (const listener of listeners) listener.forgotten(room, kept, count);
        }
        return;
      }
      case "crash":
        await listen();
        for (const listener of listeners)
          listener.crash(gateway.world, wasAway ? Infinity : UNKEPT_MS);
        gateway.isDead = true;
        delayed = [];
        gateway = start();
        return;
      case "wait":
        return clock.advance(op.ms);
    }
  }

  async function quiet(): Promise<void> {
    for (let heard = true; heard;) {
      await settled();
      heard = false;
      for (const listener of listeners) {
        if (await listener.listen()) heard = true;
        if (await listener.ack(Infinity)) heard = true;
      }
      await clock.advance(10);
    }
  }

  async function readAll(): Promise<ReadonlyMap<string, readonly LogEntry[]>> {
    const range = { after: 0, limit: Infinity, maxBytes: Infinity };
    const all = ROOMS.map(async (room) => {
      const { entries } = await log.read(topicOf(room), range);
      return [room, entries] as const;
    });
    return new Map(await Promise.all(all));
  }

  await listeners.reduce(async (before, listener) => {
    await before;
    await listener.resume(gateway.world, "nothing");
    for (const room of ROOMS) await listener.join(room, 1, 0);
  }, Promise.resolve());
  await listen();

  return {
    async run(op) {
      await perform(op);
      await clock.advance(1);
      await listen();
    },
    async end() {
      weather.isAway = false;
      weather.latencyMs = 0;
      fates = [];
      release();
      await clock.advance(10_000);
      await listen();
      for (const listener of listeners) await listener.resume(gateway.world, "exactly");
      await quiet();
      const inTime = await readAll();
      // What is stored anew after a loss may be heard of by the next one only.
      if (!hasLost && !hasForgotten) for (const listener of listeners) listener.judge(inTime);
      for (const room of ROOMS) publish(room, 1);
      await quiet();
      await clock.advance(3_000);
      await quiet();
      const kept = await readAll();
      for (const listener of listeners) {
        listener.judge(kept);
        listener.judgeLosses();
      }
      for (const [room, entries] of kept) {
        const texts = entries.map(({ payload }) => Buffer.from(payload).toString());
        // The key may be forgotten with the entry.
        if (!hasForgotten && new Set(texts).size !== texts.length)
          broken.push(`${room}: published twice: ${texts.join()}`);
      }
      await gateway.world.end();
      return broken;
    },
  };
}
