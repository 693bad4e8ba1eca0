/** Ports that stay the same when what listens on them is killed and started again. */
import { once } from "node:events";
import { createServer } from "node:net";

/** Below those that a system gives to connections, which might take one while nobody listens. */
const FIRST = 20_000;
const COUNT = 10_000;

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
  } catch {
    return false;
  }
  server.close();
  await once(server, "close");
  return true;
}

/** `random` gives 0 up to 1. */
export async function choosePorts(count: number, random: () => number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) {
    const port = FIRST + Math.floor(random() * COUNT);
    if (!ports.includes(port) && (await isFree(port))) ports.push(port);
  }
  return ports;
}
