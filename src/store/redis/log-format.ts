/** The replies of the logs' scripts, as plain data. */
import { GatewayError } from "../../errors.js";
import type { LogEntry, LogHead } from "../records.js";

/** Values an entry takes in a reply: its offset and its fields, as lua/log.lua says. */
const WIDTH = 9;

export function parseHead(
  reply: readonly [epoch: number, first: number, last: number, epochs: Buffer],
): LogHead {
  const [epoch, first, last, text] = reply;
  const epochs = text
    .toString()
    .split(" ")
    .map((pair) => {
      const [begun, since] = pair.split(":").map(Number);
      return { epoch: begun ?? 0, since: since ?? 0 };
    });
  return { epoch, first, last, epochs };
}

function parseEntry(topic: string, values: readonly Buffer[], at: number): LogEntry {
  const bytes = (index: number): Buffer => {
    const value = values[at + index];
    if (value === undefined) throw GatewayError.from(new Error("an entry is cut short"));
    return value;
  };
  const text = (index: number): string => bytes(index).toString();
  const number = (index: number): number => Number(bytes(index).toString("latin1"));
  return {
    offset: number(0),
    id: text(1),
    topic,
    from: text(2),
    username: text(3),
    protocol: text(4),
    qos: number(5),
    timestamp: number(6),
    epoch: number(7),
    payload: bytes(8),
  };
}

export function parseEntries(topic: string, values: readonly Buffer[]): readonly LogEntry[] {
  return Array.from({ length: values.length / WIDTH }, (_, i) =>
    parseEntry(topic, values, i * WIDTH),
  );
}
