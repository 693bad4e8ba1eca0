/** How records are written in Redis, and read back: what can't be read is undefined, never a throw. */
import { z } from "zod";
import type { Member, MqttClientRecord, SessionRecord } from "../records.js";

const position = z.object({
  epoch: z.int(),
  offset: z.int(),
  unlogged: z.array(z.object({ id: z.string(), seq: z.int() })).exactOptional(),
  hole: z.object({ from: z.int(), to: z.int(), toldAt: z.int() }).exactOptional(),
});

const keptRoom = z.object({
  qos: z.int(),
  presence: z.boolean(),
  echo: z.boolean(),
  at: position.exactOptional(),
});

const sessionRecord = z.object({
  session: z.string(),
  clientId: z.string(),
  username: z.string(),
  epoch: z.int(),
  // Pairs: as a key of an object, a room called __proto__ would be lost.
  rooms: z.array(z.tuple([z.string(), keptRoom])),
  inbox: position.exactOptional(),
  seq: z.int(),
  ackedSeq: z.int(),
  // Tuples: there may be hundreds.
  unacked: z.array(z.tuple([z.int(), z.string(), z.int()])),
  isFinal: z.boolean(),
  expirySeconds: z.int(),
});

export interface StoredEntry extends Member {
  /** The gateway's generation when it joined: lua/presence-claim.lua. */
  readonly generation: number;
}

const storedEntry = z.object({
  protocol: z.string().exactOptional(),
  clientId: z.string(),
  username: z.string(),
  since: z.number(),
  generation: z.int(),
});

const mqttClient = z.object({
  protocol: z.string(),
  clientId: z.string(),
  username: z.string(),
  node: z.string(),
  peer: z.string(),
  phase: z.enum(["connected", "resuming", "away"]),
  rooms: z.array(z.tuple([z.string(), z.number()])),
  before: z.array(z.string()),
});

const pair = z.tuple([z.string(), z.string()]);

function parseJson<T>(schema: z.ZodType<T>, text: string): T | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  return schema.safeParse(value).data;
}

export function formatRecord(record: SessionRecord): string {
  return JSON.stringify({
    ...record,
    rooms: Object.entries(record.rooms),
    unacked: record.unacked.map(({ seq, room, offset }) => [seq, room, offset]),
  });
}

export function parseRecord(text: string): SessionRecord | undefined {
  const stored = parseJson(sessionRecord, text);
  return (
    stored && {
      ...stored,
      rooms: Object.fromEntries(stored.rooms),
      unacked: stored.unacked.map(([seq, room, offset]) => ({ seq, room, offset })),
    }
  );
}

export function formatEntry({
  protocol,
  clientId,
  username,
  since,
  generation,
}: StoredEntry): string {
  return JSON.stringify({ protocol, clientId, username, since, generation });
}

export function parseEntry(text: string): StoredEntry | undefined {
  return parseJson(storedEntry, text);
}

/** One text for one record: what was read is written as the same text again. */
export function formatMqttClient(record: MqttClientRecord): string {
  const { protocol, clientId, username, node, peer, phase, rooms, before } = record;
  return JSON.stringify({ protocol, clientId, username, node, peer, phase, rooms, before });
}

export function parseMqttClient(text: string): MqttClientRecord | undefined {
  return parseJson(mqttClient, text);
}

/** A name in a hash that is made of two: [gateway, instance] or [room, instance]. */
export function formatPair(first: string, second: string): string {
  return JSON.stringify([first, second]);
}

export function parsePair(text: string): readonly [string, string] | undefined {
  return parseJson(pair, text);
}
