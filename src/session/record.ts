import type { RoomOptions, SessionRecord } from "../store/records.js";
import type { Active } from "./state.js";

/** The session as it is kept, with `rooms` in place of its own. */
export function toRecord(state: Active, rooms: ReadonlyMap<string, RoomOptions>): SessionRecord {
  return {
    session: state.instance,
    clientId: state.greeting.clientId,
    username: state.greeting.username,
    epoch: state.epoch,
    rooms: Object.fromEntries(rooms),
    seq: state.seq,
    ackedSeq: state.ackedSeq,
    expirySeconds: state.greeting.expirySeconds,
  };
}

export function withRoom(
  rooms: ReadonlyMap<string, RoomOptions>,
  room: string,
  options: RoomOptions,
): ReadonlyMap<string, RoomOptions> {
  return new Map(rooms).set(room, options);
}

export function withoutRoom(
  rooms: ReadonlyMap<string, RoomOptions>,
  room: string,
): ReadonlyMap<string, RoomOptions> {
  const rest = new Map(rooms);
  rest.delete(room);
  return rest;
}
