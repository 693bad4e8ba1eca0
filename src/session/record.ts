import type { KeptPosition, KeptRoom, RoomOptions, SessionRecord } from "../store/records.js";
import { unconfirmed, type Feed } from "./feed.js";
import { INBOX, type Active } from "./state.js";

/** The session as it is kept, with `rooms` in place of its own. */
export function toRecord(
  state: Active,
  rooms: ReadonlyMap<string, RoomOptions> = state.rooms,
  feeds: ReadonlyMap<string, Feed> = state.feeds,
): SessionRecord {
  const inbox = feeds.get(INBOX);
  return {
    session: state.session,
    clientId: state.greeting.clientId,
    username: state.greeting.username,
    epoch: state.epoch,
    rooms: keepRooms(rooms, feeds),
    ...(inbox && { inbox: positionOf(inbox) }),
    seq: state.seq,
    ackedSeq: state.ackedSeq,
    unacked: state.unacked.filter(({ offset }) => offset > 0),
    isFinal: false,
    expirySeconds: state.greeting.expirySeconds,
  };
}

/**
 * As its connection leaves it. What of qos 0 was sent is what is in each log up to where that was
 * sent, unless an earlier connection had got further.
 */
export function toFinalRecord(state: Active): SessionRecord {
  const isFinal = [...state.feeds.values()].every(({ sent, spentTo }) => spentTo <= sent);
  return { ...toRecord(state), isFinal };
}

export function keepRooms(
  rooms: ReadonlyMap<string, RoomOptions>,
  feeds: ReadonlyMap<string, Feed>,
): Readonly<Record<string, KeptRoom>> {
  return Object.fromEntries(
    [...rooms].map(([room, options]) => {
      const feed = feeds.get(room);
      return [room, feed === undefined ? options : { ...options, at: positionOf(feed) }];
    }),
  );
}

export function positionOf(feed: Feed): KeptPosition {
  const { epoch, sent, unlogged } = feed;
  const hole = unconfirmed(feed);
  return {
    epoch,
    offset: sent,
    ...(unlogged.length > 0 && { unlogged }),
    ...(hole && { hole }),
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
