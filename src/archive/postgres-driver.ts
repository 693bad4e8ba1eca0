/** PostgreSQL: a bounded pool, in which a broken connection is replaced by the next call. */
import pg from "pg";
import { toGatewayError } from "./failure.js";
import { checkPostgresUrl } from "./postgres-address.js";
import type { SqlDriver } from "./sql-driver.js";

export interface PostgresOptions {
  /** `postgres[ql]://[user:password@]host[:port]/database[?sslmode=…]` */
  readonly url: string;
  /** Connections, at most. Default 4. */
  readonly maxConnections?: number;
  /** How long connecting may take, and waiting for a connection of the pool. Default 5000. */
  readonly connectTimeoutMs?: number;
  /** How long a statement may take. Default 10000. */
  readonly statementTimeoutMs?: number;
}

/** What the client waits beyond the server's own limit: only a dead path takes so long. */
const REPLY_GRACE_MS = 1_000;

/** Connects at the first call. Throws RangeError when the URL can't be used. */
export function createPostgresDriver(options: PostgresOptions): SqlDriver {
  const { url, maxConnections = 4 } = options;
  const { connectTimeoutMs = 5_000, statementTimeoutMs = 10_000 } = options;
  checkPostgresUrl(url);
  const pool = new pg.Pool({
    connectionString: url,
    max: maxConnections,
    connectionTimeoutMillis: connectTimeoutMs,
    statement_timeout: statementTimeoutMs,
    query_timeout: statementTimeoutMs + REPLY_GRACE_MS,
    keepAlive: true,
    application_name: "exproto-gateway",
  });
  // Of a connection that nobody uses just then; it is out of the pool already.
  pool.on("error", () => undefined);
  let closed: Promise<void> | undefined;

  return {
    async query(text, values) {
      try {
        return (await pool.query<Record<string, unknown>>(text, [...values])).rows;
      } catch (error) {
        throw toGatewayError(error);
      }
    },

    async script(text) {
      try {
        await pool.query(text);
      } catch (error) {
        throw toGatewayError(error);
      }
    },

    close: () => (closed ??= pool.end()),
  };
}
