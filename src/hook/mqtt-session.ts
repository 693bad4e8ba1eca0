/**
 * What is known of an MQTT client's session, from one hook to the next: a pure step. A hook can be
 * lost, can be of an older connection than the last (its news overtaken by those of the newer one),
 * and resuming is told before the client is connected, or after. What holds:
 *
 * - `node` and `peer` name the connection that the record is of. One that another connection speaks
 *   of is over, whether that was told or not; what an older connection still says of its end is not
 *   heard. EMQX 4.x tells no port, so that there the connections of one host are not told apart.
 * - A client that connects is in no room until its session is told to go on: `before` keeps the
 *   rooms until then, and at the latest until it disconnects.
 * - A client without a room has no record.
 * - A record has no more than MAX_ROOMS rooms: further ones that are subscribed do not count.
 */
import type { MqttClientRecord } from "../store/records.js";
import type { HookClient } from "./hook-listener.js";

export type MqttEvent =
  | { readonly kind: "connected" | "disconnected" | "resumed" | "ended" }
  | { readonly kind: "subscribed" | "unsubscribed"; readonly room: string };

/** It is read and written as a whole with each event; chat clients may have far fewer. */
const MAX_ROOMS = 1_000;

type Known = MqttClientRecord | undefined;

export function stepMqttClient(
  record: Known,
  client: HookClient,
  event: MqttEvent,
  now: number,
): Known {
  switch (event.kind) {
    case "connected":
      return record && tidy(onConnected(record, client));
    case "resumed":
      return record && tidy(onResumed(record, client, now));
    case "disconnected":
      if (record === undefined || !isOf(record, client)) return record;
      return tidy({ ...record, phase: "away", before: [] });
    case "ended":
      if (record === undefined || isOf(record, client)) return undefined;
      return tidy({ ...record, before: [] });
    case "subscribed":
      return onSubscribed(record, client, event.room, now);
    case "unsubscribed":
      return record && tidy(without(record, event.room));
  }
}

/** The rooms that the client is a member of. */
export function memberRooms(record: Known): MqttClientRecord["rooms"] {
  return record === undefined || record.phase === "away" ? [] : record.rooms;
}

function isOf({ node, peer }: MqttClientRecord, client: HookClient): boolean {
  return node === client.node && peer === client.peer;
}

function onConnected(record: MqttClientRecord, client: HookClient): MqttClientRecord {
  if (isOf(record, client)) {
    if (record.phase === "resuming") return { ...record, phase: "connected" };
    if (record.phase === "connected" && namesConnection(client)) return record;
  }
  return begin(client, [...record.rooms.map(([room]) => room), ...record.before]);
}

/** Whether no other connection can bear the same name. */
function namesConnection({ peer }: HookClient): boolean {
  return !peer.endsWith(":0");
}

function begin(client: HookClient, before: readonly string[]): MqttClientRecord {
  const { protocol, clientId, username, node, peer } = client;
  return {
    ...{ protocol, clientId, username, node, peer },
    phase: "connected",
    rooms: [],
    before: [...new Set(before)].slice(0, MAX_ROOMS),
  };
}

function onResumed(record: MqttClientRecord, client: HookClient, now: number): MqttClientRecord {
  const { rooms, before, phase } = record;
  const kept = phase === "away" ? rooms.map(([room]) => [room, now] as const) : rooms;
  const again = before
    .filter((room) => !kept.some(([one]) => one === room))
    .map((room) => [room, now] as const);
  const isConnected = phase === "connected" && isOf(record, client);
  return {
    ...begin(client, []),
    phase: isConnected ? "connected" : "resuming",
    rooms: [...kept, ...again].slice(0, MAX_ROOMS),
  };
}

/** A client that was not told to be connected is so all the same. */
function onSubscribed(
  record: Known,
  client: HookClient,
  room: string,
  now: number,
): MqttClientRecord {
  const isKnown = record !== undefined && record.phase !== "away" && isOf(record, client);
  const known = isKnown ? record : record && onConnected(record, client);
  const { rooms, before, ...rest } = known ?? begin(client, []);
  const isAdded = rooms.length < MAX_ROOMS && !rooms.some(([one]) => one === room);
  return {
    ...rest,
    rooms: isAdded ? [...rooms, [room, now]] : rooms,
    before: before.filter((one) => one !== room),
  };
}

function without(record: MqttClientRecord, room: string): MqttClientRecord {
  return {
    ...record,
    rooms: record.rooms.filter(([one]) => one !== room),
    before: record.before.filter((one) => one !== room),
  };
}

function tidy(record: MqttClientRecord): Known {
  return record.rooms.length === 0 && record.before.length === 0 ? undefined : record;
}
