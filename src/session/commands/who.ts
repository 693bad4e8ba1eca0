/** who: the members of a room that is joined. */
import type { ClientFrameOf } from "../../codec/frame.js";
import type { Answer } from "../../protocol.js";
import { ask, fail, frame, to, type Step } from "../effect.js";
import type { Active, Pending } from "../state.js";
import { notJoined } from "./not-joined.js";

export function onWho(state: Active, { ref, room }: ClientFrameOf<"who">): Step {
  if (!state.rooms.has(room)) return to(state, notJoined(ref, room));
  return ask(state, { command: "who", ref, room }, { name: "presence.list", room });
}

export function onWhoAnswer(
  state: Active,
  { ref, room }: Extract<Pending, { command: "who" }>,
  answer: Answer,
): Step {
  const next: Active = { ...state, pending: undefined };
  if (!answer.ok) return to(next, fail(ref, answer.code, answer.reason, answer.retryAfterMs));
  const members = answer.name === "presence.list" ? answer.value : [];
  return to(next, frame("members", { ref, room, members: [...members] }));
}
