/** Log entries as rows of exproto_messages, and back. */
import { z } from "zod";
import type { LogEntry } from "../store/index.js";
import type { SqlValue } from "./sql-driver.js";
import { decodeIndexed, decodeText, encodeIndexed, encodeText } from "./sql-text.js";

const MAX_INTEGER = 2 ** 31 - 1;

/** A number that the column takes. Those of a sound entry stay as they are. */
function toInteger(value: number, max: number): number {
  return Number.isNaN(value) ? 0 : Math.max(-max, Math.min(Math.trunc(value), max));
}

function toBigint(value: number): number {
  return toInteger(value, Number.MAX_SAFE_INTEGER);
}

interface Column {
  readonly name: string;
  readonly type: string;
  /** From what is sent, `sent`, to the column's value; absent where it is that. */
  readonly from?: (sent: string) => string;
  readonly of: (entry: LogEntry) => string | number | null;
}

/** Payloads travel in hex, to and fro: PGlite takes six times as long for bytea. */
function toHex({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString("hex");
}

function fromHex(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, "hex"));
}

const columns: readonly Column[] = [
  { name: "topic", type: "text", of: ({ topic }) => encodeIndexed(topic).key },
  { name: "log_epoch", type: "bigint", of: ({ epoch }) => toBigint(epoch) },
  { name: "log_offset", type: "bigint", of: ({ offset }) => toBigint(offset) },
  { name: "message_id", type: "text", of: ({ id }) => encodeIndexed(id).key },
  { name: "publisher", type: "text", of: ({ from }) => encodeText(from) },
  { name: "username", type: "text", of: ({ username }) => encodeText(username) },
  { name: "protocol", type: "text", of: ({ protocol }) => encodeText(protocol) },
  { name: "qos", type: "integer", of: ({ qos }) => toInteger(qos, MAX_INTEGER) },
  { name: "timestamp_ms", type: "bigint", of: ({ timestamp }) => toBigint(timestamp) },
  {
    name: "payload",
    type: "text",
    from: (sent) => `decode(${sent}, 'hex')`,
    of: ({ payload }) => toHex(payload),
  },
  { name: "long_topic", type: "text", of: ({ topic }) => encodeIndexed(topic).long },
  { name: "long_id", type: "text", of: ({ id }) => encodeIndexed(id).long },
];

const names = columns.map(({ name }) => name).join(", ");

/** Takes one array a column, and gives one row: how many were new. */
export const insertStatement = `
  WITH added AS (
    INSERT INTO exproto_messages (${names})
    SELECT ${columns.map(({ name, from = String }) => from(name)).join(", ")}
    FROM unnest(${columns.map(({ type }, i) => `$${i + 1}::${type}[]`).join(", ")}) AS sent (${names})
    ON CONFLICT DO NOTHING
    RETURNING 1
  )
  SELECT count(*)::float8 AS count FROM added`;

export function toColumns(entries: readonly LogEntry[]): readonly SqlValue[] {
  return columns.map(({ of }) => entries.map(of));
}

/** Of exproto_messages; bigint as float8, which both drivers read as a number, without loss to 2^53. */
export const selectList = `topic, long_topic, message_id, long_id, publisher, username, protocol, qos,
  log_epoch::float8 AS epoch, log_offset::float8 AS position, timestamp_ms::float8 AS at,
  encode(payload, 'hex') AS hex`;

const row = z.object({
  topic: z.string(),
  long_topic: z.string().nullable(),
  message_id: z.string(),
  long_id: z.string().nullable(),
  publisher: z.string(),
  username: z.string(),
  protocol: z.string(),
  qos: z.int(),
  epoch: z.int(),
  position: z.int(),
  at: z.int(),
  hex: z.string(),
});

export function toEntry(value: unknown): LogEntry {
  const read = row.parse(value);
  return {
    id: decodeIndexed({ key: read.message_id, long: read.long_id }),
    topic: decodeIndexed({ key: read.topic, long: read.long_topic }),
    from: decodeText(read.publisher),
    username: decodeText(read.username),
    protocol: decodeText(read.protocol),
    qos: read.qos,
    payload: fromHex(read.hex),
    timestamp: read.at,
    epoch: read.epoch,
    offset: read.position,
  };
}

const topicRow = z.object({ topic: z.string(), long_topic: z.string().nullable() });

export function toTopic(value: unknown): string {
  const { topic, long_topic } = topicRow.parse(value);
  return decodeIndexed({ key: topic, long: long_topic });
}
