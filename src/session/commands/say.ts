/** say: to a room that is joined, or to a user's inbox. */
import type { ClientFrameOf } from "../../codec/frame.js";
import type { Answer } from "../../protocol.js";
import { ask, fail, ok, to, type Step } from "../effect.js";
import { MAX_KEY_LENGTH, type SessionOptions } from "../options.js";
import type { Active, Pending } from "../state.js";
import { isUsername, usernameRule } from "../topics.js";
import { notJoined } from "./not-joined.js";

const DEFAULT_QOS = 1;

export function onSay(
  state: Active,
  { ref, room, user, text, data, qos = DEFAULT_QOS, key }: ClientFrameOf<"say">,
  { topics }: SessionOptions,
): Step {
  const refuse = (reason: string) => to(state, fail(ref, "BAD_REQUEST", reason));
  if ((room === undefined) === (user === undefined)) return refuse("say to a room or to a user");
  if ((text === undefined) === (data === undefined)) return refuse("say a text or data");
  if (qos > 2) return refuse("qos is 0, 1 or 2");
  if (Array.from(key).length > MAX_KEY_LENGTH) {
    return refuse(`a key is at most ${MAX_KEY_LENGTH} characters`);
  }
  if (room !== undefined && !state.rooms.has(room)) return to(state, notJoined(ref, room));
  if (user !== undefined && !isUsername(user)) return refuse(usernameRule);
  return ask(
    state,
    { command: "say", ref },
    {
      name: "publish",
      topic: room !== undefined ? topics.room(room) : topics.user(user ?? ""),
      qos,
      payload: data ?? Buffer.from(text ?? ""),
      key,
    },
  );
}

export function onSayAnswer(
  state: Active,
  { ref }: Extract<Pending, { command: "say" }>,
  answer: Answer,
): Step {
  const next: Active = { ...state, pending: undefined };
  if (!answer.ok) return to(next, fail(ref, answer.code, answer.reason, answer.retryAfterMs));
  const published = answer.name === "publish" ? answer.value : undefined;
  return to(next, ...ok(ref, published && { published }));
}
