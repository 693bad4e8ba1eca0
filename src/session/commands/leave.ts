/** leave: the record first, since it alone can refuse; then the broker, then the presence list. */
import type { ClientFrameOf } from "../../codec/frame.js";
import type { Answer } from "../../protocol.js";
import { displace } from "../sending.js";
import { ask, call, fail, ok, to, type Step } from "../effect.js";
import type { SessionOptions } from "../options.js";
import { toRecord, withoutRoom } from "../record.js";
import type { Active, PendingLeave } from "../state.js";
import { notJoined } from "./not-joined.js";

export function onLeave(state: Active, { ref, room }: ClientFrameOf<"leave">): Step {
  const before = state.rooms.get(room);
  if (before === undefined) return to(state, notJoined(ref, room));
  return ask(
    state,
    { command: "leave", ref, room, before, step: "save" },
    { name: "session.save", record: toRecord(state, withoutRoom(state.rooms, room)) },
  );
}

export function onLeaveAnswer(
  state: Active,
  pending: PendingLeave,
  answer: Answer,
  { topics }: SessionOptions,
): Step {
  const { room, ref, before } = pending;
  if (!answer.ok) {
    const failed = fail(ref, answer.code, answer.reason, answer.retryAfterMs);
    const still: Active = { ...state, pending: undefined };
    if (pending.step === "save") return to(still, failed);
    // The room is still joined: so the record has to say again.
    const kept = call(still, { name: "session.save", record: toRecord(state) });
    return to(kept.state, kept.effect, failed);
  }
  switch (pending.step) {
    case "save":
      return ask(
        state,
        { ...pending, step: "unsubscribe" },
        { name: "unsubscribe", topic: topics.room(room) },
      );
    case "unsubscribe":
      return before.presence
        ? ask(
            state,
            { ...pending, step: "presence topic" },
            { name: "unsubscribe", topic: topics.presence(room) },
          )
        : left(state, pending);
    case "presence topic":
      return left(state, pending);
  }
}

function left(state: Active, { room, ref }: PendingLeave): Step {
  const feeds = new Map(state.feeds);
  feeds.delete(room);
  // Else a resume would go back to them, once the room is joined again.
  const unacked = displace(state.unacked, room, 0);
  return to(
    { ...state, pending: undefined, rooms: withoutRoom(state.rooms, room), feeds, unacked },
    { kind: "presence.leave", rooms: [room] },
    ...ok(ref),
  );
}
