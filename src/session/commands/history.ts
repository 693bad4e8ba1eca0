/** history: what was said in a room that is joined, newest first. */
import type { ClientFrameOf } from "../../codec/frame.js";
import type { Answer } from "../../protocol.js";
import type { LogEntry } from "../../store/records.js";
import { ask, fail, frame, to, type Step } from "../effect.js";
import { MAX_HISTORY, type SessionOptions } from "../options.js";
import { describe } from "../sending.js";
import type { Active, Pending } from "../state.js";
import { notJoined } from "./not-joined.js";

/** EMQX's message ids: 32 hex digits. */
const MESSAGE_ID = /^[0-9A-Fa-f]{32}$/;

export function onHistory(
  state: Active,
  { ref, room, before, limit }: ClientFrameOf<"history">,
  { topics }: SessionOptions,
): Step {
  if (!state.rooms.has(room)) return to(state, notJoined(ref, room));
  if (limit < 1 || limit > MAX_HISTORY) {
    return to(state, fail(ref, "BAD_REQUEST", `limit is 1 to ${MAX_HISTORY}`));
  }
  if (before !== "" && !MESSAGE_ID.test(before)) {
    return to(state, fail(ref, "BAD_REQUEST", "before is the id of a message: 32 hex digits"));
  }
  return ask(
    state,
    { command: "history", ref, room },
    {
      name: "log.history",
      topic: topics.room(room),
      ...(before !== "" && { before: before.toUpperCase() }),
      limit,
    },
  );
}

export function onHistoryAnswer(
  state: Active,
  { ref, room }: Extract<Pending, { command: "history" }>,
  answer: Answer,
): Step {
  const next: Active = { ...state, pending: undefined };
  if (!answer.ok) return to(next, fail(ref, answer.code, answer.reason, answer.retryAfterMs));
  const history = answer.name === "log.history" ? answer.value : undefined;
  if (history === undefined) {
    return to(next, fail(ref, "UNAVAILABLE", "this gateway keeps no room log", 0));
  }
  const messages = history.entries.map((entry) => toMessage(entry, room));
  return to(next, frame("page", { ref, room, messages, more: history.more }));
}

function toMessage(entry: LogEntry, room: string) {
  const { qos, offset } = entry;
  return { seq: 0, room, ...describe(entry), qos, offset, replay: true };
}
