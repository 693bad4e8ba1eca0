import { fail, type SessionEffect } from "../effect.js";
import { isRoomName, roomNameRule } from "../topics.js";

/** Why a command for a room that is not joined is refused. */
export function notJoined(ref: number, room: string): SessionEffect {
  return isRoomName(room)
    ? fail(ref, "NOT_JOINED", `join ${room} first`)
    : fail(ref, "BAD_ROOM", roomNameRule);
}
