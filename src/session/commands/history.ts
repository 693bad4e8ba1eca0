/** history: needs a room log, and there is none yet. */
import type { ClientFrameOf } from "../../codec/frame.js";
import { fail, to, type Step } from "../effect.js";
import { MAX_HISTORY } from "../options.js";
import type { Active } from "../state.js";
import { notJoined } from "./not-joined.js";

export function onHistory(state: Active, { ref, room, limit }: ClientFrameOf<"history">): Step {
  if (!state.rooms.has(room)) return to(state, notJoined(ref, room));
  if (limit < 1 || limit > MAX_HISTORY) {
    return to(state, fail(ref, "BAD_REQUEST", `limit is 1 to ${MAX_HISTORY}`));
  }
  return to(state, fail(ref, "UNAVAILABLE", "this gateway keeps no room log", 0));
}
