/**
 * Serves the client from the logs at its own pace: one page at a time, no more than the window of
 * unacknowledged messages lets through, the rooms taking turns.
 */
import type { Answer } from "../protocol.js";
import type { LogEntry, LogPosition, RoomOptions } from "../store/records.js";
import { call, frame, type SessionEffect, type Step } from "./effect.js";
import {
  doubt,
  hasToldCaughtUp,
  isBehind,
  isConfirmed,
  isThere,
  meetHead,
  passed,
  sentAs,
  skipTo,
  type Feed,
} from "./feed.js";
import { keepSoon } from "./keep.js";
import type { SessionOptions } from "./options.js";
import { joinedIn, roomOf, Sending } from "./sending.js";
import { INBOX, type Active } from "./state.js";
import { CATCH_UP_TIMER, SERVE_TIMER, SLOW_TIMER } from "./timers.js";

const MAX_PAGE = 256;
const RETRY_MS = 1_000;

/**
 * What follows a change of the feeds, from `before` to `state`: asks for the next page where there
 * is one to send and room to send it in, watches for a client that does not keep up, and has the
 * session kept.
 */
export function catchUp(
  before: Active,
  state: Active,
  done: readonly SessionEffect[],
  now: number,
  options: SessionOptions,
  // Half a window at a time: a read for every acknowledgement would cost the store too much.
  leastSpace = options.ackWindow / 2,
): Step {
  const effects = [...done];
  let next = state;
  const space = options.ackWindow - state.unacked.length;
  let isBlocked = false;
  for (const [room, feed] of state.feeds) {
    if (!isBehind(feed)) continue;
    const isCounted = (joinedIn(state, room)?.qos ?? 0) > 0;
    const worthwhile = Math.min(feed.known - feed.sent, leastSpace);
    const isWithoutRoom = state.isPressed || (!feed.isStale && space < worthwhile);
    if (isCounted && isWithoutRoom) {
      isBlocked = true;
      continue;
    }
    if (next.reading !== undefined || state.isPressed) continue;
    const asked = call(next, {
      name: "log.read",
      topic:
        room === INBOX ? options.topics.user(state.greeting.username) : options.topics.room(room),
      after: { epoch: feed.epoch, offset: feed.sent },
      limit: isCounted ? Math.max(1, Math.min(space, MAX_PAGE)) : MAX_PAGE,
      isFresh: feed.isStale,
    });
    effects.push(asked.effect);
    next = { ...asked.state, reading: { room, call: asked.state.lastCall } };
  }
  if (isBlocked !== before.isBlocked) {
    effects.push(
      isBlocked
        ? { kind: "timer.set", name: SLOW_TIMER, at: now + options.slowConsumerMs }
        : { kind: "timer.clear", name: SLOW_TIMER },
    );
    next = { ...next, isBlocked };
    // It may be a client that acknowledges more than half a window at a time.
    if (isBlocked && space > 0) {
      effects.push({ kind: "timer.set", name: SERVE_TIMER, at: now + RETRY_MS });
    }
  }
  return keepSoon(before, next, effects, now, options);
}

/** The answer to `state.reading`. */
export function onPage(
  state: Active,
  room: string,
  answer: Answer,
  now: number,
  options: SessionOptions,
): Step {
  const idle: Active = { ...state, reading: undefined };
  const sending = new Sending(idle, options);
  const feed = sending.feed(room);
  const joined = joinedIn(idle, room);
  // Left meanwhile.
  if (feed === undefined || joined === undefined) return catchUp(state, idle, [], now, options);
  if (!answer.ok && answer.code === "UNSUPPORTED") {
    sending.endFeed(room);
    sending.tell(frame("caughtUp", { room, complete: false, from: 0, to: 0 }));
  } else if (!answer.ok || answer.name !== "log.read") {
    return later(sending, room, feed, now);
  } else {
    const { head, entries } = answer.value;
    const met = meetHead(feed, head, joined.qos > 0);
    // What an older log has lost can't be sent again.
    if (met.epoch !== feed.epoch) sending.forgetUnacked(room, met.sent);
    const sent = sendPage(sending, state, room, joined, met, entries);
    if (entries.length === 0 && isStuck(feed, sent)) {
      return later(sending, room, doubt(sent), now);
    }
    putLast(sending, room, tellCaughtUp(sending, room, sent));
  }
  const { state: next, effects } = sending.finish();
  return catchUp(state, next, effects, now, options);
}

/** A page without entries has brought it nowhere: to ask again at once would bring the same. */
function isStuck(before: Feed, { epoch, sent, known, isStale }: Feed): boolean {
  if (epoch !== before.epoch || sent !== before.sent) return false;
  return before.isStale ? isStale : known > sent;
}

/** Behind the others: they take turns. */
function putLast(sending: Sending, room: string, feed: Feed): void {
  sending.endFeed(room);
  sending.setFeed(room, feed);
}

/** The others don't wait for a log that can't be read, but for the moment. */
function later(sending: Sending, room: string, feed: Feed, now: number): Step {
  putLast(sending, room, feed);
  const { state, effects } = sending.finish();
  const timer = { kind: "timer.set", name: CATCH_UP_TIMER, at: now + RETRY_MS } as const;
  return { state: { ...state, reading: "later" }, effects: [...effects, timer] };
}

/** Sends what follows `feed.sent` without a hole, as far as the window goes. */
function sendPage(
  sending: Sending,
  state: Active,
  room: string,
  joined: RoomOptions,
  feed: Feed,
  entries: readonly LogEntry[],
): Feed {
  let next = feed;
  for (const entry of entries) {
    if (entry.offset <= next.sent) continue;
    if (entry.offset !== next.sent + 1) break;
    const qos = Math.min(entry.qos, joined.qos);
    const earlier = sentAs(feed, entry.id);
    if (earlier !== undefined) {
      sending.place(room, earlier.seq, entry.offset);
    } else if (isWanted(state, joined, feed, entry, qos)) {
      if (qos > 0 && sending.isWindowFull) break;
      sending.send(room, entry, qos, entry.offset, entry.offset <= feed.replayTo);
    }
    next = passed(skipTo(next, entry.offset), entry.id, earlier);
  }
  return next;
}

function isWanted(
  { greeting }: Active,
  joined: RoomOptions,
  feed: Feed,
  entry: LogEntry,
  qos: number,
): boolean {
  if (qos === 0 && entry.offset <= feed.spentTo) return false;
  const isOwn =
    entry.from === greeting.clientId && (entry.protocol === "exproto" || entry.protocol === "");
  return joined.echo || !isOwn || entry.offset <= feed.ownTo;
}

function tellCaughtUp(sending: Sending, room: string, feed: Feed): Feed {
  if (!feed.owesCaughtUp || feed.isStale || feed.sent < feed.replayTo) return feed;
  const { hole } = feed;
  // An inbox has no room to name: only what is missing from it is told.
  if (room !== INBOX || hole !== undefined) {
    const { from, to } = hole ?? { from: 0, to: 0 };
    sending.tell(frame("caughtUp", { room, complete: hole === undefined, from, to }));
  }
  return hasToldCaughtUp(feed, sending.lastSeq);
}

/** An entry was appended that the broker has delivered before. */
export function onLogged(
  state: Active,
  topic: string,
  position: LogPosition,
  now: number,
  options: SessionOptions,
): Step {
  const room = roomOf(state, topic, options);
  const feed = room === undefined ? undefined : state.feeds.get(room);
  if (room === undefined || feed === undefined) return { state, effects: [] };
  const feeds = new Map(state.feeds).set(room, isThere(feed, position));
  return catchUp(state, { ...state, feeds }, [], now, options);
}

/** The log could not be read; that was a while ago. */
export function retry(state: Active, now: number, options: SessionOptions): Step {
  if (state.reading !== "later") return { state, effects: [] };
  return catchUp(state, { ...state, reading: undefined }, [], now, options);
}

/** A client that is waited for may itself be waiting for more. */
export function serve(state: Active, now: number, options: SessionOptions): Step {
  return catchUp(state, state, [], now, options, 1);
}

/** The client has taken over what was sent up to `seq`. */
export function take(state: Active, seq: number, now: number, options: SessionOptions): Step {
  if (seq <= state.ackedSeq) return { state, effects: [] };
  const first = state.unacked.findIndex((sent) => sent.seq > seq);
  const unacked = first < 0 ? [] : state.unacked.slice(first);
  // A client that makes progress is not slow: its time begins again.
  const feeds = confirmTold(state.feeds, seq);
  const patient: Active = { ...state, isBlocked: false };
  const effects: SessionEffect[] = state.isBlocked
    ? [{ kind: "timer.clear", name: SLOW_TIMER }]
    : [];
  return catchUp(patient, { ...patient, ackedSeq: seq, unacked, feeds }, effects, now, options);
}

function confirmTold(feeds: Active["feeds"], seq: number): Active["feeds"] {
  const isAny = [...feeds.values()].some(({ told }) => told && isConfirmed(told, seq));
  if (!isAny) return feeds;
  return new Map(
    [...feeds].map(([room, feed]) => [
      room,
      feed.told && isConfirmed(feed.told, seq) ? { ...feed, told: undefined } : feed,
    ]),
  );
}
