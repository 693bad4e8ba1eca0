/**
 * Sessions that were away come back all at once, on a real Redis: how long each takes until it has
 * what it missed, and what it costs Redis. Host, gateway and clients share this process.
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

function hello(line: Line, index: number, resume: boolean): void {
  const clientId = `away-${index}`;
  line.send({
    type: "hello",
    clientId,
    username: clientId,
    password: "",
    keepalive: 60,
    resume,
    lastSeq: 0,
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

/** In ms, until all that was missed is there. */
async function comeBack(port: number, index: number): Promise<readonly [number, Line]> {
  const startedAt = performance.now();
  let heard = 0;
  let lastSeq = 0;
  const line = await new Promise<Line>((resolve) => {
    const opened = open(port, (frame, own) => {
      if (frame.type !== "message") return;
      // A hole or a repetition would make the number worthless.
      if (frame.seq !== lastSeq + 1) throw new Error(`seq ${frame.seq} behind ${lastSeq}`);
      heard += 1;
      lastSeq = frame.seq;
      if (heard % ACK_EVERY === 0) own.send({ type: "ack", seq: lastSeq });
      if (heard === missed) resolve(own);
    });
    hello(opened, index, true);
  });
  return [performance.now() - startedAt, line];
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

for (const index of indices) await leaveSession(chat, index);
await eventually("all are away", () => stack.host.stats().connections === 0);
const publisher = await connectAsync(`mqtt://127.0.0.1:${mqtt}`);
for (const room of new Set(indices.flatMap(roomsOf))) {
  for (let i = 0; i < missed / roomsEach; i += 1) {
    await publisher.publishAsync(`chat/room/${room}`, `missed ${i} ${"x".repeat(40)}`, { qos: 1 });
  }
}
await publisher.endAsync();

const before = await commandCounts(redis);
const back = await Promise.all(indices.map((index) => comeBack(chat, index)));
const after = await commandCounts(redis);
for (const [, { socket }] of back) socket.destroy();
const timesMs = back.map(([tookMs]) => tookMs).sort((a, b) => a - b);

// Those that a script calls are counted under their own names as well.
const rows = [...after]
  .map(([name, calls]) => [name, (calls - (before.get(name) ?? 0)) / sessions] as const)
  .filter(([name, each]) => each > 0 && name !== "info")
  .sort(([, a], [, b]) => b - a);
process.stdout.write(
  [
    `sessions       ${sessions}, ${missed} missed by each in ${roomsEach} rooms`,
    `caught up      p50 ${quantile(timesMs, 0.5)} ms, p99 ${quantile(timesMs, 0.99)} ms`,
    "Redis commands, per session:",
    ...rows.map(([name, each]) => `  ${name.padEnd(20)} ${each.toFixed(2)}`),
    "",
  ].join("\n"),
);
await stack.end();
await stores.close();
await redis.close();
