/**
 * Load on a running `exproto-gateway dev`, from a process of its own: idle connections, and others
 * that chat in rooms of ten, one line a second each. Bounded in count and time.
 *
 *   npm run bench -- load [idle=2000] [chatting=200] [seconds=60] [port=7993]
 *
 * Prints what was said, heard and missed, and how long a line took. The memory of the gateway is
 * the business of memory.ts.
 */
import { connect, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

const ROOM_SIZE = 10;
const LINE_EVERY_MS = 1000;

const [idle = 2000, chatting = 200, seconds = 60, port = 7993] = process.argv.slice(2).map(Number);

let ended = 0;
let refused = 0;
let said = 0;
let accepted = 0;
let heard = 0;
const latenciesMs: number[] = [];
let running = true;

interface Frames {
  readonly welcome?: object;
  readonly ok?: { readonly ref: number };
  readonly fail?: object;
  readonly bye?: object;
  readonly message?: { readonly text: string };
}

async function open(onFrame: (frame: Frames) => void): Promise<Socket> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  socket.on("error", () => undefined);
  socket.on("close", () => {
    if (running) ended += 1;
  });
  let rest = "";
  socket.setEncoding("utf8");
  socket.on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) onFrame(JSON.parse(line) as Frames);
  });
  await new Promise((resolve) => socket.once("connect", resolve));
  return socket;
}

async function login(name: string, onFrame: (frame: Frames) => void): Promise<Socket> {
  let welcomed = (): void => undefined;
  const welcome = new Promise<void>((resolve) => (welcomed = resolve));
  const socket = await open((frame) => {
    if (frame.welcome !== undefined) welcomed();
    if (frame.fail !== undefined || frame.bye !== undefined) refused += 1;
    onFrame(frame);
  });
  socket.write(
    `${JSON.stringify({ hello: { clientId: name, username: name, keepalive: 600 } })}\n`,
  );
  await welcome;
  return socket;
}

async function chatter(index: number): Promise<Socket> {
  const socket = await login(`chatter-${index}`, ({ ok, message }) => {
    if (ok !== undefined && ok.ref > 1) accepted += 1;
    if (message === undefined) return;
    heard += 1;
    latenciesMs.push(performance.now() - Number(message.text.split(" ")[0]));
  });
  socket.write(
    `${JSON.stringify({ join: { ref: 1, room: `room-${Math.floor(index / ROOM_SIZE)}` } })}\n`,
  );
  return socket;
}

async function talk(socket: Socket, index: number): Promise<void> {
  await delay(Math.random() * LINE_EVERY_MS);
  for (let ref = 2; running; ref += 1) {
    const text = `${performance.now()} ${"x".repeat(40)}`;
    const room = `room-${Math.floor(index / ROOM_SIZE)}`;
    socket.write(`${JSON.stringify({ say: { ref, room, text } })}\n`);
    said += 1;
    await delay(LINE_EVERY_MS);
  }
}

async function inBatches(
  count: number,
  make: (index: number) => Promise<Socket>,
): Promise<Socket[]> {
  const sockets: Socket[] = [];
  for (let from = 0; from < count; from += 50) {
    const batch = Array.from({ length: Math.min(50, count - from) }, (_, i) => make(from + i));
    sockets.push(...(await Promise.all(batch)));
  }
  return sockets;
}

function quantile(sorted: readonly number[], share: number): string {
  return (sorted[Math.floor(sorted.length * share)] ?? NaN).toFixed(1);
}

const idlers = await inBatches(idle, (index) => login(`idle-${index}`, () => undefined));
const chatters = await inBatches(chatting, chatter);
const talks = chatters.map(talk);
await delay(seconds * 1000);
running = false;
await Promise.all(talks);
await delay(1000);
for (const socket of [...idlers, ...chatters]) socket.destroy();

latenciesMs.sort((a, b) => a - b);
process.stdout.write(
  [
    `connections  ${idle} idle, ${chatting} chatting, ${seconds} s`,
    `ended early  ${ended}`,
    `refused      ${refused}`,
    `said         ${said}, accepted ${accepted}`,
    `heard        ${heard} of ${said * (Math.min(ROOM_SIZE, chatting) - 1)}`,
    `latency      p50 ${quantile(latenciesMs, 0.5)} ms, p99 ${quantile(latenciesMs, 0.99)} ms`,
    "",
  ].join("\n"),
);
process.exitCode = ended + refused === 0 && said === accepted ? 0 : 1;
