/**
 * Sessions that were away come back, on a real Redis: how long each takes until it has what it missed,
 * and what it costs Redis. Host, gateway and clients share this process. Three ways: all at once; the
 * same messages to the same clients live, which is the load without a resume; and one after the other.
 *
 *   npm run bench -- resume [sessions=100] [missed=300] [rooms of each=3]
 *
 * Among the Redis commands is what is not asked for by resuming too: acknowledgements, timers.
 */
import { connect, type Socket } from "node:net";
import { connectAsync } from "mqtt";
import { openProtobufClient, type ServerFrame } from "../../src/codec/index.js";
import { silentLogger } from "../../src/logger.js";
import { createRedisStores } from "../../src/store/index.js";
import { eventually } from "../support/eventually.js";
import { startRedisServer, type RedisServer } from "../support/redis-server.js";
import { startStack } from "../support/stack.js";

const ROOM_SIZE = 10;
const ACK_EVERY = 32;

const [sessions = 100, missed = 300, roomsEach = 3] = process.argv.slice(2).map(Number);

interface Line {
  send(frame: Parameters<ReturnType<typeof openProtobufClient>["encode"]>[0]): void;
  readonly socket: Socket;
}

function open(port: number, onFrame: (frame: ServerFrame, line: Line) => void): Line {
  const codec = openProtobufClient({ maxFrameBytes: 1_048_576 });
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  const line: Line = { socket, send: (frame) => void socket.write(codec.encode(frame)) };
  socket.on("data", (chunk) => {
    for (const frame of codec.push(chunk)) {
      if (frame.type === "fail" || frame.type === "bye") throw new Error(JSON.stringify(frame));
      if (frame.type !== "broken" && frame.type !== "invalid") onFrame(frame, line);
    }
  });
  return line;
}

function hello(line: Line, index: number, resume: boolean, lastSeq = 0): void {
  const clientId = `away-${index}`;
  line.send({
    type: "hello",
    clientId,
    username: clientId,
    password: "",
    keepalive: 60,
    resume,
    lastSeq,
    agent: "bench",
  });
}

function roomsOf(index: number): readonly string[] {
  const group = Math.floor(index / ROOM_SIZE);
  return Array.from({ length: roomsEach }, (_, room) => `room-${group}-${room}`);
}

async function leaveSession(port: number, index: number): Promise<void> {
  const rooms = roomsOf(index);
  let waiting = rooms.length;
  const line = open(port, ({ type }) => {
    if (type === "welcome") {
      for (const [i, room] of rooms.entries()) {
        line.send({
          type: "join",
          ref: i + 1,
          room,
          qos: 1,
          presence: false,
          echo: false,
          history: 0,
        });
      }
    } else if (type === "ok") {
      waiting -= 1;
    }
  });
  hello(line, index, false);
  await eventually(`session ${index}`, () => waiting === 0);
  line.socket.destroy();
}

/** One that is back, or comes back. */
class Returned {
  lastSeq = 0;
  private heard = 0;
  private onAll = (): void => undefined;
  private line: Line | undefined;

  constructor(
    private readonly port: number,
    private readonly index: number,
  ) {}

  /** In ms, until all that was missed is there. */
  async comeBack(): Promise<number> {
    const startedAt = performance.now();
    const all = this.hearAll();
    this.line = open(this.port, (frame) => {
      if (frame.type === "message") this.onMessage(frame);
    });
    hello(this.line, this.index, true, this.lastSeq);
    await all;
    return performance.now() - startedAt;
  }

  /** Resolves when as many messages as were missed have come from now on. */
  hearAll(): Promise<void> {
    this.heard = 0;
    return new Promise((resolve) => (this.onAll = resolve));
  }

  leave(): void {
    this.line?.socket.destroy();
  }

  private onMessage({ seq }: Extract<ServerFrame, { type: "message" }>): void {
    // A hole or a repetition would make the number worthless.
    if (seq !== this.lastSeq + 1) throw new Error(`seq ${seq} behind ${this.lastSeq}`);
    this.lastSeq = seq;
    this.heard += 1;
    if (seq % ACK_EVERY === 0) this.line?.send({ type: "ack", seq });
    if (this.heard === missed) this.onAll();
  }
}

async function commandCounts({ admin }: RedisServer): Promise<ReadonlyMap<string, number>> {
  const text = await admin.info("commandstats");
  return new Map(
    [...text.matchAll(/^cmdstat_(\S+?):calls=(\d+)/gm)].map(([, name = "", calls]) => [
      name,
      Number(calls),
    ]),
  );
}

function quantile(sorted: readonly number[], share: number): string {
  return (sorted[Math.floor(sorted.length * share)] ?? NaN).toFixed(1);
}

const redis = await startRedisServer();
const stores = createRedisStores({ url: redis.url, logger: silentLogger });
await eventually("the stores are ready", () => stores.ready());
const stack = await startStack({
  gateway: { sessions: stores.sessions, presence: stores.presence, roomLog: stores.log },
  host: { hook: { generation: "v2" } },
});
const { chat, mqtt } = stack.host.ports;
const indices = Array.from({ length: sessions }, (_, index) => index);

/** A publisher a room: the broker takes what one client says one after the other. */
async function publishToAll(): Promise<void> {
  const publish = async (room: string): Promise<void> => {
    const publisher = await connectAsync(`mqtt://127.0.0.1:${mqtt}`);
    const texts = Array.from({ length: missed / roomsEach }, (_, i) => `m ${i} ${"x".repeat(40)}`);
    await Promise.all(
      texts.map((text) => publisher.publishAsync(`chat/room/${room}`, text, { qos: 1 })),
    );
    await publisher.endAsync();
  };
  await Promise.all([...new Set(indices.flatMap(roomsOf))].map(publish));
}

async function leaveAll(): Promise<void> {
  for (const one of all) one.leave();
  await eventually("all are away", () => stack.host.stats().connections === 0);
}

function show(title: string, timesMs: readonly number[]): string {
  const sorted = [...timesMs].sort((a, b) => a - b);
  return `${title.padEnd(24)} p50 ${quantile(sorted, 0.5)} ms, p99 ${quantile(sorted, 0.99)} ms`;
}

for (const index of indices) await leaveSession(chat, index);
const all = indices.map((index) => new Returned(chat, index));
await leaveAll();
await publishToAll();

const before = await commandCounts(redis);
const atOnceMs = await Promise.all(all.map((one) => one.comeBack()));
const after = await commandCounts(redis);

const startedAt = performance.now();
const live = all.map((one) => one.hearAll().then(() => performance.now() - startedAt));
await publishToAll();
const liveMs = await Promise.all(live);

await leaveAll();
await publishToAll();
const aloneMs: number[] = [];
for (const one of all) aloneMs.push(await one.comeBack());
await leaveAll();

// Those that a script calls are counted under their own names as well.
const rows = [...after]
  .map(([name, calls]) => [name, (calls - (before.get(name) ?? 0)) / sessions] as const)
  .filter(([name, each]) => each > 0 && name !== "info")
  .sort(([, a], [, b]) => b - a);
process.stdout.write(
  [
    `${sessions} sessions, ${missed} messages for each in ${roomsEach} rooms:`,
    show("all resume at once", atOnceMs),
    show("all get them live", liveMs),
    show("resume one by one", aloneMs),
    "Redis commands, per session that resumes:",
    ...rows.map(([name, each]) => `  ${name.padEnd(20)} ${each.toFixed(2)}`),
    "",
  ].join("\n"),
);
await stack.end();
await stores.close();
await redis.close();
