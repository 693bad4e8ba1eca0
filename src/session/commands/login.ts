/**
 * What follows a hello, a call at a time: the credentials, the session, its inbox, the rooms of a
 * session that is resumed, the record; then `welcome`. What an earlier connection has left stays as
 * it is until the record is written.
 */
import type { Answer, Call } from "../../protocol.js";
import type { KeptPosition, KeptRoom, SessionRecord } from "../../store/records.js";
import { deliver } from "../delivery.js";
import { bye, call, frame, to, type SessionEffect, type Step } from "../effect.js";
import { feedAfter, feedAnew, feedFrom, isConfirmed, isThere, type Feed } from "../feed.js";
import type { SessionOptions } from "../options.js";
import { toRecord } from "../record.js";
import { INBOX_QOS } from "../sending.js";
import { INBOX, type Active, type Authenticating } from "../state.js";
import { HELLO_TIMER } from "../timers.js";

export function onLoginAnswer(
  state: Authenticating,
  answer: Answer,
  now: number,
  options: SessionOptions,
): Step {
  const { greeting, previous } = state;
  const room = state.ahead[0];
  if (!answer.ok) {
    // What may no longer be joined is no reason to lose the rest.
    if (answer.code === "FORBIDDEN" && state.step === "room") {
      return nextRoom({ ...state, ahead: state.ahead.slice(1) }, options);
    }
    if (answer.code === "FORBIDDEN" && state.step === "presence topic" && room !== undefined) {
      return enter(state, room);
    }
    return bye(state, answer.code, answer.reason, answer.retryAfterMs);
  }
  switch (answer.name) {
    case "authenticate": {
      const { clientId, username } = greeting;
      return ask(state, "session", { name: "session.take", clientId, username });
    }
    case "session.take": {
      const known = taken(state, answer.value.epoch, answer.value.previous);
      const { state: next, effects } = joinInbox(known, options);
      const early = mayTakeLong(known, options) ? keepalive(known, options) : [];
      return to(next, ...early, ...effects);
    }
    case "log.open":
      return nextRoom(
        answer.value === undefined ? state : withInbox(state, feedFrom(answer.value, 0, 0)),
        options,
      );
    case "subscribe":
      if (state.step === "inbox") return onInbox(state, previous?.inbox, options);
      if (room === undefined) break;
      return state.step === "room" && room[1].presence
        ? ask(state, "presence topic", {
            name: "subscribe",
            topic: options.topics.presence(room[0]),
            qos: 0,
          })
        : enter(state, room);
    case "presence.join":
      if (room === undefined) break;
      return withMoreTime(nextRoom(withRoom(state, room), options), now, options);
    case "session.save":
      return welcome(state, now, options);
    default:
      break;
  }
  return bye(state, "INTERNAL", `${answer.name} was answered during a login`);
}

function ask(state: Authenticating, step: Authenticating["step"], wanted: Call): Step {
  const asked = call(state, wanted);
  return to({ ...asked.state, step }, asked.effect);
}

/** It may have a hundred rooms: it only has to go on. */
function withMoreTime({ state, effects }: Step, now: number, options: SessionOptions): Step {
  return to(state, ...effects, {
    kind: "timer.set",
    name: HELLO_TIMER,
    at: now + options.helloTimeoutMs,
  });
}

/** Then the client's keepalive counts from now on, unless it is shorter than what a hello may take. */
function mayTakeLong({ greeting, previous }: Authenticating, options: SessionOptions): boolean {
  const seconds = keepaliveSeconds(greeting, options);
  return previous !== undefined && seconds * 1_000 > options.helloTimeoutMs;
}

function keepaliveSeconds(
  { keepaliveSeconds: seconds }: Authenticating["greeting"],
  { idleKeepaliveSeconds }: SessionOptions,
): number {
  return seconds || idleKeepaliveSeconds;
}

function keepalive(
  { greeting }: Authenticating,
  options: SessionOptions,
): readonly SessionEffect[] {
  return [{ kind: "keepalive", seconds: keepaliveSeconds(greeting, options) }];
}

function taken(
  state: Authenticating,
  epoch: number,
  previous: SessionRecord | undefined,
): Authenticating {
  if (!state.greeting.resume || previous === undefined) return { ...state, epoch };
  return { ...state, epoch, previous, ahead: Object.entries(previous.rooms) };
}

/**
 * What the client says it has taken over counts, and so does what it has acknowledged. A `lastSeq`
 * that was never given out is another session's: that of one that has expired, for example.
 */
function takenSeq({ greeting: { lastSeq }, previous }: Authenticating): number {
  if (previous === undefined) return 0;
  const isForeign = previous.isFinal && lastSeq > previous.seq;
  return isForeign ? previous.ackedSeq : Math.max(lastSeq, previous.ackedSeq);
}

/** Where the earlier connection's client stands in a log that was sent up to `at`. */
function resumedFeed(state: Authenticating, room: string, at: KeptPosition | undefined): Feed {
  const { previous } = state;
  if (previous === undefined || at === undefined) return feedAnew;
  const last = takenSeq(state);
  const open = previous.unacked.filter((sent) => sent.room === room && sent.seq > last);
  const taken = Math.min(at.offset, ...open.map(({ offset }) => offset - 1));
  // What the client has not taken over is to come again once it has its place.
  const unlogged = (at.unlogged ?? []).filter(({ seq }) => seq <= last);
  const { hole, ...position } = at;
  const isKnown = hole === undefined || isConfirmed(hole, last);
  return feedAfter({ ...position, unlogged, ...(!isKnown && { hole }) }, taken, previous.isFinal);
}

function joinInbox(state: Authenticating, options: SessionOptions): Step {
  const { username } = state.greeting;
  if (username === "") return nextRoom(state, options);
  const topic = options.topics.user(username);
  return ask(state, "inbox", { name: "subscribe", topic, qos: INBOX_QOS });
}

/** Where a resumed inbox stands is known: its log is read from there. */
function onInbox(
  state: Authenticating,
  at: KeptPosition | undefined,
  options: SessionOptions,
): Step {
  if (at !== undefined) {
    return nextRoom(withInbox(state, resumedFeed(state, INBOX, at)), options);
  }
  const topic = options.topics.user(state.greeting.username);
  return ask(state, "inbox log", { name: "log.open", topic });
}

function withInbox(state: Authenticating, feed: Feed): Authenticating {
  return { ...state, feeds: new Map(state.feeds).set(INBOX, feed) };
}

type Room = readonly [string, KeptRoom];

function nextRoom(state: Authenticating, options: SessionOptions): Step {
  const room = state.ahead[0];
  if (room === undefined) {
    const record = toRecord(activate(state));
    return ask(state, "save", { name: "session.save", record });
  }
  const [name, { qos }] = room;
  return ask(state, "room", { name: "subscribe", topic: options.topics.room(name), qos });
}

function enter(state: Authenticating, [room]: Room): Step {
  const { clientId, username } = state.greeting;
  return ask(state, "presence", {
    name: "presence.join",
    room,
    member: { clientId, username, since: 0 },
  });
}

function withRoom(state: Authenticating, [room, kept]: Room): Authenticating {
  const { qos, presence, echo, at } = kept;
  return {
    ...state,
    ahead: state.ahead.slice(1),
    rooms: new Map(state.rooms).set(room, { qos, presence, echo }),
    feeds: new Map(state.feeds).set(room, resumedFeed(state, room, at)),
  };
}

/** Numbers go on where the client says it is: all that it has not taken over is sent again. */
function activate(state: Authenticating): Active {
  const { greeting, epoch, instance, bucket, lastCall, previous, rooms, inboxNews } = state;
  const inbox = state.feeds.get(INBOX);
  const feeds =
    inbox === undefined || inboxNews === undefined
      ? state.feeds
      : new Map(state.feeds).set(INBOX, isThere(inbox, inboxNews));
  const seq = previous === undefined ? 0 : Math.max(greeting.lastSeq, takenSeq(state));
  return {
    phase: "active",
    instance,
    session: previous?.session ?? instance,
    bucket,
    lastCall,
    greeting,
    epoch,
    rooms,
    feeds,
    seq,
    ackedSeq: seq,
    unacked: [],
    pending: undefined,
    awaited: 0,
    reading: undefined,
    isPressed: false,
    keeping: undefined,
    isBlocked: false,
  };
}

function welcome(state: Authenticating, now: number, options: SessionOptions): Step {
  const { greeting, previous } = state;
  const active = activate(state);
  const greeted: readonly SessionEffect[] = [
    { kind: "timer.clear", name: HELLO_TIMER },
    ...(mayTakeLong(state, options) ? [] : keepalive(state, options)),
    frame("welcome", {
      clientId: greeting.clientId,
      session: active.session,
      resumed: previous !== undefined,
      rooms: [...active.rooms.keys()],
      keepalive: greeting.keepaliveSeconds,
      maxFrameBytes: options.maxFrameBytes,
      server: options.server,
    }),
  ];
  const held = deliver(active, state.held, now, options);
  return to(held.state, ...greeted, ...held.effects);
}
