/**
 * What an idle connection costs the gateway in memory: clients that have said hello and joined a
 * room, over the unary service (the streaming one adds up to five gRPC streams a connection), with
 * stores in memory. Prints heap and external bytes per connection.
 *
 *   npm run bench -- memory [connections=20000]
 */
import { createChatProtocol, defaultChatOptions } from "../../src/chat.js";
import { systemClock } from "../../src/clock.js";
import {
  createDoor,
  createPresenceTracker,
  createPublications,
  createRegistry,
  defaultHandlerLimits,
} from "../../src/handler/index.js";
import type { ConnectionAdapter } from "../../src/adapter/index.js";
import { silentLogger } from "../../src/logger.js";
import { createMemoryPresenceStore, createMemorySessionStore } from "../../src/store/index.js";

const [count = 20_000] = process.argv.slice(2).map(Number);

const done = () => Promise.resolve();
const adapter: ConnectionAdapter = {
  send: done,
  close: done,
  startTimer: done,
  authenticate: done,
  subscribe: done,
  unsubscribe: done,
  publish: done,
  rawPublish: done,
  end: () => undefined,
};

const clock = systemClock;
const logger = silentLogger;
const presence = createPresenceTracker({
  store: createMemoryPresenceStore({ clock }),
  gateway: "bench",
  leaseMs: 60_000,
  clock,
  logger,
  announce: () => undefined,
});
const registry = createRegistry({
  protocol: createChatProtocol(defaultChatOptions),
  adapter,
  sessions: createMemorySessionStore({ clock }),
  presence,
  publications: createPublications(clock),
  log: undefined,
  counters: { droppedMessages: 0 },
  clock,
  logger,
  limits: defaultHandlerLimits,
});
const door = createDoor(registry, logger);

function used(): number {
  globalThis.gc?.();
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  return heapUsed + external + arrayBuffers;
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

await presence.start();
const before = used();
for (let i = 0; i < count; i += 1) {
  const conn = `g1hkAA5lbXF4QDEyNy4wLjAuMQAAAsMAAAAAAAAA${i}==`;
  const peer = { host: "127.0.0.1", port: i, socket: "tcp" } as const;
  door.apply(conn, { kind: "created", peer });
  const hello = { hello: { clientId: `client-${i}`, username: `user-${i}` } };
  const join = { join: { room: `room-${i % 100}` } };
  const bytes = Buffer.from(`${JSON.stringify(hello)}\n${JSON.stringify(join)}\n`);
  door.apply(conn, { kind: "bytes", bytes });
  if (i % 100 === 0) await settled();
}
await settled();
const perConnection = (used() - before) / count;
process.stdout.write(
  `${registry.size} connections, ${(perConnection / 1024).toFixed(1)} KiB each (memory stores included)\n`,
);
process.exit(0);
