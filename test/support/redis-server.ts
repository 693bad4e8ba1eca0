/** A real redis-server of the test's own: on a free port, in a directory of its own. */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { eventually } from "./eventually.js";

export interface RedisServerOptions {
  /** Keeps every write in this directory's append-only file. Without: nothing is kept. */
  readonly appendOnlyDir?: string;
  /** When the file is made to be on the disk. Default "always". */
  readonly appendFsync?: "always" | "everysec";
  /** A cluster of this one node, with all slots. */
  readonly cluster?: boolean;
  readonly password?: string;
}

export interface RedisServer {
  readonly port: number;
  readonly url: string;
  /** A client to look into the data with; ended by `close`. */
  readonly admin: Redis;
  /** Ends it in good order. */
  stop(): Promise<void>;
  /** Ends it with SIGKILL. */
  kill(): Promise<void>;
  /** Starts it on the same port, stopped before if need be; waits until it answers. */
  restart(): Promise<void>;
  /** Hangs it: it takes connections and bytes, and answers nothing. */
  pause(): void;
  resume(): void;
  /** Ends it and removes what it wrote. */
  close(): Promise<void>;
}

const HOST = "127.0.0.1";
const MISSING = "redis-server is not installed: apt-get install redis-server";

async function freePort(): Promise<number> {
  const server = createServer().listen(0, HOST);
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port was given");
  return address.port;
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (hasEnded(child)) return;
  const exited = once(child, "exit");
  // A hanging process takes no SIGTERM.
  child.kill("SIGCONT");
  child.kill(signal);
  await exited;
}

async function launch(args: readonly string[]): Promise<ChildProcess> {
  const child = spawn("redis-server", args, { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output = (output + text).slice(-4_000);
  });
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", (cause) => reject(new Error(MISSING, { cause })));
  });
  await eventually("redis-server listens", () => {
    if (hasEnded(child)) throw new Error(`redis-server ended at once:\n${output}`);
    return output.includes("Ready to accept connections");
  });
  return child;
}

export async function startRedisServer(options: RedisServerOptions = {}): Promise<RedisServer> {
  const port = await freePort();
  const ownDir = await mkdtemp(join(tmpdir(), "redis-"));
  const args = [
    ...["--port", String(port), "--bind", HOST, "--save", ""],
    ...["--dir", options.appendOnlyDir ?? ownDir],
    ...(options.appendOnlyDir === undefined
      ? []
      : ["--appendonly", "yes", "--appendfsync", options.appendFsync ?? "always"]),
    ...(options.password === undefined ? [] : ["--requirepass", options.password]),
    ...(options.cluster === true
      ? ["--cluster-enabled", "yes", "--cluster-port", String(await freePort())]
      : []),
    ...(options.cluster === true ? ["--cluster-announce-ip", HOST] : []),
  ];
  let child = await launch(args);
  const admin = new Redis({
    host: HOST,
    port,
    ...(options.password !== undefined && { password: options.password }),
    retryStrategy: () => 20,
    maxRetriesPerRequest: null,
  });
  // It loses its connection whenever a test stops the server.
  admin.on("error", () => undefined);

  if (options.cluster === true) {
    await admin.call("cluster", "addslotsrange", "0", "16383");
    await eventually("the cluster is up", async () =>
      String(await admin.call("cluster", "info")).includes("cluster_state:ok"),
    );
  }

  return {
    port,
    url: `redis://${options.password === undefined ? "" : `:${options.password}@`}${HOST}:${port}`,
    admin,
    stop: () => end(child, "SIGTERM"),
    kill: () => end(child, "SIGKILL"),
    async restart() {
      await end(child, "SIGTERM");
      child = await launch(args);
    },
    pause: () => void child.kill("SIGSTOP"),
    resume: () => void child.kill("SIGCONT"),
    async close() {
      admin.disconnect();
      await end(child, "SIGKILL");
      await rm(ownDir, { recursive: true, force: true });
    },
  };
}
