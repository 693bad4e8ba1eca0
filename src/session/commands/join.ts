/**
 * join: the room's topic, then its presence topic, then the presence list, then its log, then the
 * record. When a step fails, the ones before it are undone, so that `fail` means that nothing was changed.
 */
import type { ClientFrameOf } from "../../codec/frame.js";
import type { Answer, Call } from "../../protocol.js";
import { catchUp } from "../catch-up.js";
import { ask, call, fail, ok, to, type SessionEffect, type Step } from "../effect.js";
import { feedFrom, type Feed } from "../feed.js";
import { MAX_HISTORY, type SessionOptions } from "../options.js";
import { toRecord, withRoom } from "../record.js";
import type { Active, PendingJoin } from "../state.js";
import { isRoomName, roomNameRule } from "../topics.js";

const DEFAULT_QOS = 1;

export function onJoin(
  state: Active,
  { ref, room, qos = DEFAULT_QOS, presence, echo, history }: ClientFrameOf<"join">,
  options: SessionOptions,
): Step {
  if (!isRoomName(room)) return to(state, fail(ref, "BAD_ROOM", roomNameRule));
  if (qos > 2) return to(state, fail(ref, "BAD_REQUEST", "qos is 0, 1 or 2"));
  if (history > MAX_HISTORY) {
    return to(state, fail(ref, "BAD_REQUEST", `history is at most ${MAX_HISTORY}`));
  }
  const before = state.rooms.get(room);
  if (before === undefined && state.rooms.size >= options.maxRooms) {
    const reason = `at most ${options.maxRooms} rooms; leave one first`;
    return to(state, fail(ref, "TOO_MANY_ROOMS", reason));
  }
  return ask(
    state,
    {
      command: "join",
      ref,
      room,
      options: { qos, presence, echo },
      before,
      // Who changes options has heard the room already.
      history: before === undefined ? history : 0,
      feed: undefined,
      known: 0,
      unlogged: [],
      step: "subscribe",
    },
    { name: "subscribe", topic: options.topics.room(room), qos },
  );
}

export function onJoinAnswer(
  state: Active,
  pending: PendingJoin,
  answer: Answer,
  now: number,
  options: SessionOptions,
): Step {
  if (!answer.ok) {
    const undone = undo(state, pending, options);
    return to(
      undone.state,
      ...undone.effects,
      fail(pending.ref, answer.code, answer.reason, answer.retryAfterMs),
    );
  }
  switch (pending.step) {
    case "subscribe": {
      const had = pending.before?.presence ?? false;
      if (had === pending.options.presence) return enter(state, pending);
      const topic = options.topics.presence(pending.room);
      return ask(
        state,
        { ...pending, step: "presence topic" },
        had ? { name: "unsubscribe", topic } : { name: "subscribe", topic, qos: 0 },
      );
    }
    case "presence topic":
      return enter(state, pending);
    case "presence":
      return ask(
        state,
        { ...pending, step: "log" },
        { name: "log.open", topic: options.topics.room(pending.room) },
      );
    case "log": {
      const head = answer.name === "log.open" ? answer.value : undefined;
      const { history, known, unlogged } = pending;
      const feed = head && { ...feedFrom(head, history, known), unlogged };
      return save(state, { ...pending, feed });
    }
    case "save": {
      const feeds = withFeed(state, pending);
      const next: Active = {
        ...state,
        pending: undefined,
        rooms: withRoom(state.rooms, pending.room, pending.options),
        feeds,
      };
      const answered = ok(pending.ref, { recoverable: feeds.has(pending.room) });
      return catchUp(state, next, answered, now, options);
    }
  }
}

function withFeed(state: Active, { room, feed }: PendingJoin): ReadonlyMap<string, Feed> {
  return feed === undefined ? state.feeds : new Map(state.feeds).set(room, feed);
}

function enter(state: Active, pending: PendingJoin): Step {
  if (pending.before !== undefined) return save(state, pending);
  const { clientId, username } = state.greeting;
  return ask(
    state,
    { ...pending, step: "presence" },
    { name: "presence.join", room: pending.room, member: { clientId, username, since: 0 } },
  );
}

function save(state: Active, pending: PendingJoin): Step {
  const rooms = withRoom(state.rooms, pending.room, pending.options);
  return ask(
    state,
    { ...pending, step: "save" },
    { name: "session.save", record: toRecord(state, rooms, withFeed(state, pending)) },
  );
}

/** Takes back what the steps up to the failed one have done. */
function undo(state: Active, pending: PendingJoin, options: SessionOptions): Step {
  const { room, before, step } = pending;
  const effects: SessionEffect[] = [];
  let next: Active = { ...state, pending: undefined };
  const take = (wanted: Call) => {
    const asked = call(next, wanted);
    next = asked.state;
    effects.push(asked.effect);
  };
  const roomTopic = options.topics.room(room);
  const presenceTopic = options.topics.presence(room);
  if (before !== undefined) {
    take({ name: "subscribe", topic: roomTopic, qos: before.qos });
    if (step !== "subscribe" && before.presence !== pending.options.presence) {
      take(
        before.presence
          ? { name: "subscribe", topic: presenceTopic, qos: 0 }
          : { name: "unsubscribe", topic: presenceTopic },
      );
    }
    return to(next, ...effects);
  }
  // What EMQX did not answer it may have done all the same.
  take({ name: "unsubscribe", topic: roomTopic });
  if (step !== "subscribe" && pending.options.presence) {
    take({ name: "unsubscribe", topic: presenceTopic });
  }
  if (step === "presence" || step === "log" || step === "save") {
    effects.push({ kind: "presence.leave", rooms: [room] });
  }
  return to(next, ...effects);
}
