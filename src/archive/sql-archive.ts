/** The archive in SQL, the same on every driver. */
import { readFileSync } from "node:fs";
import { z } from "zod";
import type { LogPosition } from "../store/index.js";
import type { Archive, ArchiveRange } from "./archive.js";
import { toBatches } from "./batches.js";
import type { BatchLimits } from "./batches.js";
import { toGatewayError } from "./failure.js";
import { insertStatement, selectList, toColumns, toEntry, toTopic } from "./rows.js";
import type { SqlDriver, SqlValue } from "./sql-driver.js";
import { encodeIndexed } from "./sql-text.js";

const schema = readFileSync(new URL("./schema.sql", import.meta.url), "utf8");
const isSchemaThere = "SELECT to_regclass('exproto_messages_by_time') IS NOT NULL AS there";

const END: LogPosition = { epoch: Number.MAX_SAFE_INTEGER, offset: Number.MAX_SAFE_INTEGER };

/**
 * A page: the rows on one side of a place, as many as the limits allow. The sizes are summed up before
 * the payloads are fetched.
 */
function pageStatement(comparison: "<" | ">", direction: "ASC" | "DESC"): string {
  return `
    SELECT ${selectList} FROM (
      SELECT page.*,
        sum(octet_length(payload)) OVER walk AS bytes,
        row_number() OVER walk AS nth
      FROM (
        SELECT * FROM exproto_messages
        WHERE topic = $1 AND (log_epoch, log_offset) ${comparison} ($2::bigint, $3::bigint)
        ORDER BY log_epoch ${direction}, log_offset ${direction}
        LIMIT $4::bigint
      ) page
      WINDOW walk AS (ORDER BY log_epoch ${direction}, log_offset ${direction})
    ) sized
    WHERE bytes <= $5::bigint OR nth = 1
    ORDER BY log_epoch ${direction}, log_offset ${direction}`;
}

const newerStatement = pageStatement(">", "ASC");
const olderStatement = pageStatement("<", "DESC");

const placeStatement = `
  SELECT log_epoch::float8 AS epoch, log_offset::float8 AS offset
  FROM exproto_messages WHERE topic = $1 AND message_id = $2`;

/** Goes from topic to topic in the index; SELECT DISTINCT would read each entry. */
const topicsStatement = `
  WITH RECURSIVE found AS (
    (SELECT topic, long_topic FROM exproto_messages ORDER BY topic LIMIT 1)
    UNION ALL
    SELECT next.topic, next.long_topic FROM found CROSS JOIN LATERAL (
      SELECT topic, long_topic FROM exproto_messages
      WHERE topic > found.topic ORDER BY topic LIMIT 1
    ) next
  )
  SELECT topic, long_topic FROM found`;

const countStatement = "SELECT count(*)::float8 AS count FROM exproto_messages WHERE topic = $1";

const position = z.object({ epoch: z.int(), offset: z.int() });
const counted = z.tuple([z.object({ count: z.int() })]);
const there = z.tuple([z.object({ there: z.boolean() })]);

export function createSqlArchive(driver: SqlDriver, limits: BatchLimits): Archive {
  let prepared: Promise<void> | undefined;

  async function prepare(): Promise<void> {
    // Asked first: where a table is there, a role without the right to create one will do.
    const [schemaIs] = there.parse(await driver.query(isSchemaThere, []));
    if (!schemaIs.there) await driver.script(schema);
  }

  /** A bug in reading the rows, too, is told as one. */
  async function query<T>(
    text: string,
    values: readonly SqlValue[],
    read: (rows: readonly unknown[]) => T,
  ): Promise<T> {
    try {
      await (prepared ??= prepare());
      return read(await driver.query(text, values));
    } catch (error) {
      // It may come back as another database, or as an older state of this one.
      prepared = undefined;
      throw toGatewayError(error);
    }
  }

  const page = (statement: string, topic: string, from: LogPosition, range: ArchiveRange) =>
    query(
      statement,
      [encodeIndexed(topic).key, from.epoch, from.offset, range.limit, range.maxBytes],
      (rows) => rows.map(toEntry),
    );

  async function placeOf(topic: string, id: string): Promise<LogPosition | undefined> {
    const values = [encodeIndexed(topic).key, encodeIndexed(id).key];
    return query(placeStatement, values, ([row]) =>
      row === undefined ? undefined : position.parse(row),
    );
  }

  const toCount = (rows: readonly unknown[]) => counted.parse(rows)[0].count;

  return {
    async write(entries) {
      let added = 0;
      for (const batch of toBatches(entries, limits)) {
        added += await query(insertStatement, toColumns(batch), toCount);
      }
      return added;
    },

    read: (topic, range) => page(newerStatement, topic, range.after, range),

    async readBack(topic, { before = END, ...range }) {
      const from = typeof before === "string" ? await placeOf(topic, before) : before;
      if (from === undefined) return { entries: [], isKnown: false };
      return { entries: await page(olderStatement, topic, from, range), isKnown: true };
    },

    topics: () => query(topicsStatement, [], (rows) => rows.map(toTopic)),

    count: (topic) => query(countStatement, [encodeIndexed(topic).key], toCount),

    async ready() {
      try {
        return await query("SELECT 1", [], () => true);
      } catch {
        return false;
      }
    },

    close: () => driver.close(),
  };
}
