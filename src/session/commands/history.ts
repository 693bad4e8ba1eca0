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
  { maxFrameBytes }: SessionOptions,
): Step {
  const next: Active = { ...state, pending: undefined };
  if (!answer.ok) return to(next, fail(ref, answer.code, answer.reason, answer.retryAfterMs));
  const history = answer.name === "log.history" ? answer.value : undefined;
  if (history === undefined) {
    return to(next, fail(ref, "UNAVAILABLE", "this gateway keeps no room log", 0));
  }
  const all = history.entries.map((entry) => toMessage(entry, room));
  const messages = all.slice(0, fitting(all, maxFrameBytes));
  const more = history.more || messages.length < all.length;
  return to(next, frame("page", { ref, room, messages, more }));
}

type Message = ReturnType<typeof toMessage>;

/** Beside the fields that are counted: numbers, names of fields. More than any encoding needs. */
const OVERHEAD_BYTES = 200;

/** How many of the messages one frame may have: one that is too long alone is sent all the same. */
function fitting(messages: readonly Message[], maxFrameBytes: number): number {
  let bytes = OVERHEAD_BYTES;
  const over = messages.findIndex((message, index) => {
    bytes += sizeOf(message);
    return index > 0 && bytes > maxFrameBytes;
  });
  return over === -1 ? messages.length : over;
}

/** As JSON, the longest of the encodings. */
function sizeOf({ room, id, from, username, ...content }: Message): number {
  const { text = "", data } = content;
  const dataBytes = Math.ceil((data?.length ?? 0) / 3) * 4;
  const fields = JSON.stringify([room, id, from, username, text]);
  return OVERHEAD_BYTES + Buffer.byteLength(fields) + dataBytes;
}

function toMessage(entry: LogEntry, room: string) {
  const { qos, offset } = entry;
  return { seq: 0, room, ...describe(entry), qos, offset, replay: true };
}
