import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import pg from "pg";
import { createArchive } from "../../src/archive/index.js";
import type { Archive } from "../../src/archive/index.js";
import { eventually } from "../support/eventually.js";
import { PASSWORD, startPostgresServer } from "../support/postgres-server.js";
import type { PostgresServer } from "../support/postgres-server.js";
import { archiveContract } from "./archive.contract.js";
import { logEntries, logEntry } from "./entries.js";

/** As in schema.sql: every version must take the same. */
const SCHEMA_LOCK = "7310586172104411";

let server: PostgresServer;
const open: Archive[] = [];

beforeAll(async () => {
  server = await startPostgresServer();
});
afterAll(async () => {
  for (const archive of open) await archive.close();
  await server.close();
});

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  return client;
}

const newDatabase = () => server.createDatabase(randomUUID());

function openArchive(url: string, options: { readonly statementTimeoutMs?: number } = {}): Archive {
  const archive = createArchive({ url, connectTimeoutMs: 1_000, ...options });
  open.push(archive);
  return archive;
}

function expectNoPassword(error: unknown): void {
  const { message, stack, cause } = error as Error;
  const shown = [message, stack, (cause as Error).message, (cause as Error).stack];
  expect(shown.join("\n")).not.toContain(PASSWORD);
  expect(JSON.stringify(error)).not.toContain(PASSWORD);
}

describe("an archive in PostgreSQL", () => {
  archiveContract(async () => createArchive({ url: await newDatabase() }));
});

test("of many processes one makes the tables, and the others wait for it", async () => {
  const url = await newDatabase();
  const first = await connect(url);
  await first.query(`BEGIN; SELECT pg_advisory_xact_lock(${SCHEMA_LOCK})`);
  const archives = Array.from({ length: 4 }, () => openArchive(url));
  const written = archives.map((archive, i) => archive.write([logEntry(i + 1)]));
  await eventually("all others wait", async () => {
    const waiting = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
    return (await first.query(waiting)).rows.length === archives.length;
  });
  await first.end();
  await expect(Promise.all(written)).resolves.toEqual(archives.map(() => 1));
});

describe("a database that is away", () => {
  test("is UNAVAILABLE, and serves again once it is back, with what it had", async () => {
    const archive = openArchive(await newDatabase());
    await archive.write(logEntries(3));
    await server.kill();
    const error: unknown = await archive.write(logEntries(4)).catch((cause: unknown) => cause);
    expect(error).toMatchObject({ code: "UNAVAILABLE" });
    expectNoPassword(error);
    await expect(archive.ready()).resolves.toBe(false);
    await server.restart();
    await expect(archive.ready()).resolves.toBe(true);
    await expect(archive.write(logEntries(4))).resolves.toBe(1);
    await expect(archive.count("chat/room/lobby")).resolves.toBe(4);
  });

  test("is waited for as long as a statement may take, when it hangs", async () => {
    const archive = openArchive(await newDatabase(), { statementTimeoutMs: 50 });
    await archive.write(logEntries(1));
    server.pause();
    await expect(archive.count("chat/room/lobby")).rejects.toMatchObject({ code: "UNAVAILABLE" });
    server.resume();
    await expect(archive.count("chat/room/lobby")).resolves.toBe(1);
  });

  test("when it locks the table for too long", async () => {
    const name = randomUUID();
    const url = await server.createDatabase(name);
    const archive = openArchive(url, { statementTimeoutMs: 200 });
    await archive.write(logEntries(1));
    const other = await connect(url);
    await other.query("BEGIN; LOCK TABLE exproto_messages");
    await expect(archive.write(logEntries(2))).rejects.toMatchObject({ code: "UNAVAILABLE" });
    await other.end();
    await expect(archive.write(logEntries(2))).resolves.toBe(1);
  });

  test.each([
    ["a wrong password", (url: string) => url.replace(PASSWORD, `${PASSWORD}x`)],
    ["no such database", (url: string) => `${url}x`],
    ["no such host", (url: string) => url.replace("127.0.0.1", "nowhere.invalid")],
    ["nobody listens", (url: string) => url.replace(/:\d+\//, ":1/")],
  ])("for %s", async (_name, spoil) => {
    const archive = openArchive(spoil(await newDatabase()));
    const error: unknown = await archive.topics().catch((cause: unknown) => cause);
    expect(error).toMatchObject({ code: "UNAVAILABLE" });
    expectNoPassword(error);
  });
});

test("a table that is gone is made again", async () => {
  const url = await newDatabase();
  const archive = openArchive(url);
  await archive.write(logEntries(2));
  const other = await connect(url);
  await other.query("DROP TABLE exproto_messages");
  await other.end();
  await expect(archive.write(logEntries(2))).rejects.toMatchObject({ code: "UNAVAILABLE" });
  await expect(archive.write(logEntries(2))).resolves.toBe(2);
});

test("a role that may not create tables uses those that are there", async () => {
  const url = await newDatabase();
  await openArchive(url).write(logEntries(1));
  const other = await connect(url);
  await other.query("CREATE ROLE writer LOGIN PASSWORD 'w'");
  await other.query("REVOKE CREATE ON SCHEMA public FROM PUBLIC");
  await other.query("GRANT SELECT, INSERT ON exproto_messages TO writer");
  await other.end();
  const archive = openArchive(url.replace(/\/\/[^@]+@/, "//writer:w@"));
  await expect(archive.write(logEntries(2))).resolves.toBe(1);
});

test("after it was closed nothing is served, and closing again is harmless", async () => {
  const archive = createArchive({ url: await newDatabase() });
  await archive.write(logEntries(1));
  await archive.close();
  await archive.close();
  await expect(archive.topics()).rejects.toMatchObject({ code: "UNAVAILABLE" });
  await expect(archive.ready()).resolves.toBe(false);
});

test.each([
  "",
  "no url",
  "mysql://u:s3cret-word@h/d",
  "postgres://u:s3cret-word%@h/d",
  "postgres://u:s3cret-word@h:99999/d",
])("the URL %j can't be used, and is not shown", (url) => {
  let error: unknown;
  try {
    createArchive({ url });
  } catch (cause) {
    error = cause;
  }
  expect(error).toBeInstanceOf(RangeError);
  expect((error as Error).message).not.toContain(PASSWORD);
});
