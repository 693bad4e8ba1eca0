/** A real PostgreSQL of the test's own: on a free port, in a directory of its own. */
import { execFile, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { chown, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";
import { eventually } from "./eventually.js";

export interface PostgresServer {
  readonly port: number;
  /** As a superuser, of the database "postgres". */
  readonly url: string;
  /** Makes a database of this name, empty; gives its URL. */
  createDatabase(name: string): Promise<string>;
  /** Runs a statement as a superuser, in the database "postgres". */
  query(text: string): Promise<readonly Record<string, unknown>[]>;
  /** Ends it with SIGKILL, its connections' processes with it. */
  kill(): Promise<void>;
  /** Starts it on the same port, killed before if need be; waits until it answers. */
  restart(): Promise<void>;
  /** Hangs it: no connection gets an answer. */
  pause(): void;
  resume(): void;
  /** Ends it and removes what it wrote. */
  close(): Promise<void>;
}

const HOST = "127.0.0.1";
const SUPERUSER = "postgres";
/** The superuser's. */
export const PASSWORD = "s3cret-word";
const DEBIAN = "/usr/lib/postgresql";
const MISSING = "PostgreSQL is not installed: apt-get install postgresql";

const run = promisify(execFile);

/** The newest of Debian's versions, none of which is in the PATH; else the one in the PATH. */
function findBinaries(): string {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN).sort((a, b) => +b - +a) : [];
  const folders = [
    ...versions.map((version) => join(DEBIAN, version, "bin")),
    ...(process.env.PATH ?? "").split(delimiter),
  ];
  const found = folders.find(
    (folder) => existsSync(join(folder, "postgres")) && existsSync(join(folder, "initdb")),
  );
  if (found === undefined) throw new Error(MISSING);
  return found;
}

interface User {
  readonly uid: number;
  readonly gid: number;
}

/** It refuses to run as root; Debian's package brings a user for it. */
function ownUser(): User | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const lines = readFileSync("/etc/passwd", "utf8").split("\n");
  const [, , uid, gid] = lines.find((line) => /^(postgres|nobody):/.test(line))?.split(":") ?? [];
  if (uid === undefined || gid === undefined) {
    throw new Error("PostgreSQL does not run as root, and there is no user postgres or nobody");
  }
  return { uid: Number(uid), gid: Number(gid) };
}

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

/** The server, and the process of each connection. */
function processesOf(child: ChildProcess): readonly number[] {
  if (child.pid === undefined || hasEnded(child)) return [];
  const { pid } = child;
  const list = `/proc/${pid}/task/${pid}/children`;
  // Elsewhere than on Linux they find out by themselves that the server is gone.
  const children = existsSync(list) ? readFileSync(list, "utf8") : "";
  return [pid, ...children.split(" ").filter(Boolean).map(Number)];
}

function signal(pids: readonly number[], name: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, name);
    } catch {
      // It has ended meanwhile.
    }
  }
}

export async function startPostgresServer(): Promise<PostgresServer> {
  const binaries = findBinaries();
  const user = ownUser();
  const root = await mkdtemp(join(tmpdir(), "postgres-"));
  if (user !== undefined) await chown(root, user.uid, user.gid);
  const data = join(root, "data");
  const port = await freePort();
  const spawnOptions = { cwd: root, ...user };
  const url = (database: string) =>
    `postgres://${SUPERUSER}:${PASSWORD}@${HOST}:${port}/${database}`;

  const passwordFile = join(root, "password");
  await writeFile(passwordFile, PASSWORD);
  if (user !== undefined) await chown(passwordFile, user.uid, user.gid);
  await run(
    join(binaries, "initdb"),
    [
      ...["-D", data, "-U", SUPERUSER, "--auth=scram-sha-256", `--pwfile=${passwordFile}`],
      ...["--encoding=UTF8", "--locale=C", "--no-sync"],
    ],
    spawnOptions,
  );

  async function query(text: string): Promise<readonly Record<string, unknown>[]> {
    const client = new pg.Client({ connectionString: url("postgres") });
    client.on("error", () => undefined);
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(text)).rows;
    } finally {
      await client.end();
    }
  }

  async function launch(): Promise<ChildProcess> {
    const settings = [
      `listen_addresses=${HOST}`,
      `unix_socket_directories=`,
      // Of no use against SIGKILL, which the page cache outlives.
      "fsync=off",
      "max_connections=40",
    ].flatMap((setting) => ["-c", setting]);
    const args = ["-D", data, "-p", String(port), ...settings];
    const started = spawn(join(binaries, "postgres"), args, {
      ...spawnOptions,
      stdio: ["ignore", "ignore", "pipe"],
    });
    let output = "";
    started.stderr.setEncoding("utf8").on("data", (text: string) => {
      output = (output + text).slice(-4_000);
    });
    await once(started, "spawn");
    await eventually("PostgreSQL answers", async () => {
      if (hasEnded(started)) throw new Error(`PostgreSQL ended at once:\n${output}`);
      await query("SELECT 1");
      return true;
    });
    return started;
  }

  let child = await launch();

  async function kill(): Promise<void> {
    if (hasEnded(child)) return;
    const exited = once(child, "exit");
    signal(processesOf(child), "SIGKILL");
    await exited;
  }

  async function quit(): Promise<void> {
    if (hasEnded(child)) return;
    const exited = once(child, "exit");
    signal(processesOf(child), "SIGCONT");
    // At once, but it gives its shared memory back.
    child.kill("SIGQUIT");
    await exited;
  }

  return {
    port,
    url: url("postgres"),
    async createDatabase(name) {
      await query(`CREATE DATABASE "${name}"`);
      return url(name);
    },
    query,
    kill,
    async restart() {
      await kill();
      child = await launch();
    },
    pause: () => signal(processesOf(child), "SIGSTOP"),
    resume: () => signal(processesOf(child), "SIGCONT"),
    async close() {
      await quit();
      await rm(root, { recursive: true, force: true });
    },
  };
}
