/**
 * PGlite: PostgreSQL in this process, for trying things out and for a single small gateway. It takes
 * some hundred MB of memory and, the first time, seconds to start: so it is loaded at the first call.
 */
import { existsSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { PGlite } from "@electric-sql/pglite";
import { lockDirectory } from "./directory-lock.js";
import { away, sqlState, toGatewayError } from "./failure.js";
import type { SqlDriver } from "./sql-driver.js";

export interface PgliteOptions {
  /** Made when it is not there; one process at a time. Undefined: in memory, gone with this process. */
  readonly directory: string | undefined;
}

interface Opened {
  readonly db: PGlite;
  readonly release: () => Promise<void>;
}

/** A directory of a start that was killed half way never works: a new one is moved to its place whole. */
async function initialize(pglite: typeof PGlite, directory: string): Promise<void> {
  const unfinished = `${directory}.new`;
  await rm(unfinished, { recursive: true, force: true });
  await (await pglite.create({ dataDir: unfinished })).close();
  await rename(unfinished, directory);
}

async function open(directory: string | undefined): Promise<Opened> {
  const { PGlite: pglite } = await import("@electric-sql/pglite");
  if (directory === undefined) {
    return { db: await pglite.create(), release: () => Promise.resolve() };
  }
  const release = await lockDirectory(directory);
  try {
    if (!existsSync(join(directory, "PG_VERSION"))) await initialize(pglite, directory);
    return { db: await pglite.create({ dataDir: directory }), release };
  } catch (error) {
    await release();
    throw error;
  }
}

async function closeOpened({ db, release }: Opened): Promise<void> {
  try {
    await db.close();
  } finally {
    await release();
  }
}

export function createPgliteDriver({ directory }: PgliteOptions): SqlDriver {
  let opened: Promise<Opened> | undefined;
  let closed: Promise<void> | undefined;

  /** Without an answer of SQL it is PGlite itself that broke: the next call opens it anew. */
  function discard(broken: Promise<Opened>): void {
    if (opened !== broken) return;
    opened = undefined;
    broken.then(closeOpened).catch(() => undefined);
  }

  async function use<T>(task: (db: PGlite) => Promise<T>): Promise<T> {
    if (closed !== undefined) throw away(new Error("the archive was closed"));
    const current = (opened ??= open(directory));
    try {
      return await task((await current).db);
    } catch (error) {
      if (sqlState(error) === undefined) discard(current);
      throw toGatewayError(error);
    }
  }

  return {
    query: (text, values) => use(async (db) => (await db.query(text, [...values])).rows),
    script: (text) =>
      use(async (db) => {
        await db.exec(text);
      }),
    close() {
      closed ??= (async () => {
        // What did not open, or does not close, has been told to whoever called.
        await opened?.then(closeOpened).catch(() => undefined);
      })();
      return closed;
    },
  };
}
