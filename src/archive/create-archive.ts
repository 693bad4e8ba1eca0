import type { Archive } from "./archive.js";
import type { BatchLimits } from "./batches.js";
import { createPgliteDriver } from "./pglite-driver.js";
import type { PgliteOptions } from "./pglite-driver.js";
import { createPostgresDriver } from "./postgres-driver.js";
import type { PostgresOptions } from "./postgres-driver.js";
import { createSqlArchive } from "./sql-archive.js";

/** Where the archive is: a PostgreSQL by its URL, or a PGlite by its directory. */
export type ArchivePlace = PostgresOptions | PgliteOptions;

/** A statement's. It needs several times the bytes of memory while it is under way. */
const postgresLimits: BatchLimits = { maxRows: 1_000, maxBytes: 4 * 1024 * 1024 };
/** PGlite runs on the thread of the gateway, which stands still meanwhile: 60 ms a MiB, measured. */
const pgliteLimits: BatchLimits = { maxRows: 500, maxBytes: 512 * 1024 };

/**
 * Comes up whether the database is there or not: it is connected, and given its tables, at the first
 * call. Throws RangeError, without a password in it, when the URL can't be used.
 */
export function createArchive(place: ArchivePlace): Archive {
  return "url" in place
    ? createSqlArchive(createPostgresDriver(place), postgresLimits)
    : createSqlArchive(createPgliteDriver(place), pgliteLimits);
}
