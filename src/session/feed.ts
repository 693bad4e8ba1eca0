/**
 * A feed: how far one log was sent to the client. The log is the order: what the broker delivers
 * only tells that an entry is there, and is sent at once where it is the next one; everything else
 * (a hole, a replay, what the client was too slow for) is read from the log.
 *
 *   1 … sent │ sent+1 … known │ …
 *    is over │    to be read  │ not known of
 */
import { intactUpTo } from "../store/records.js";
import type {
  Hole,
  KeptHole,
  KeptPosition,
  LogHead,
  LogPosition,
  Unlogged,
} from "../store/records.js";

export interface Feed {
  readonly epoch: number;
  /** Everything up to here was sent, or is not for this session. */
  readonly sent: number;
  /** The highest offset that is known to be there. */
  readonly known: number;
  /** The log's head has to be seen before anything more is sent. */
  readonly isStale: boolean;
  /** The last that was heard of while it was stale. */
  readonly news: LogPosition | undefined;
  /** Entries up to here are replays. */
  readonly replayTo: number;
  /** Up to here the session's own messages are shown whatever `echo` says: they are history. */
  readonly ownTo: number;
  /** Entries of qos 0 up to here may have been sent to an earlier connection: never again. */
  readonly spentTo: number;
  /** `caughtUp` is to be sent once `replayTo` is reached. */
  readonly owesCaughtUp: boolean;
  /** Still to be told. */
  readonly hole: Hole | undefined;
  /** The last that was told, until it is certain that the client has got it. */
  readonly told: KeptHole | undefined;
  /** Ids of what was sent before it had a place in the log. */
  readonly unlogged: readonly Unlogged[];
  /** Ids of what passed last with its place in the log: the broker may deliver it without one yet. */
  readonly recent: readonly string[];
  /**
   * The id of the last message that was held back until it has its place in the log: what has none
   * either must not pass it.
   */
  readonly waitsFor: string | undefined;
}

const empty = {
  isStale: false,
  news: undefined,
  ownTo: 0,
  spentTo: 0,
  owesCaughtUp: false,
  hole: undefined,
  told: undefined,
  unlogged: [],
  recent: [],
  waitsFor: undefined,
} as const;

/** From now on, with the `history` last entries first. */
export function feedFrom(head: LogHead, history: number, known: number): Feed {
  return {
    ...empty,
    epoch: head.epoch,
    sent: Math.max(head.first - 1, head.last - history),
    known: Math.max(head.last, known),
    replayTo: head.last,
    ownTo: head.last,
  };
}

/** As an earlier connection has left it. `taken` is how far its client has got. */
export function feedAfter(at: KeptPosition, taken: number, isFinal: boolean): Feed {
  return {
    ...empty,
    hole: at.hole && { from: at.hole.from, to: at.hole.to },
    unlogged: at.unlogged ?? [],
    epoch: at.epoch,
    sent: taken,
    known: taken,
    isStale: true,
    replayTo: Infinity,
    spentTo: isFinal ? at.offset : Infinity,
    owesCaughtUp: true,
  };
}

/** For a room that had no log when its session was left. */
export const feedAnew: Feed = feedAfter({ epoch: 0, offset: 0 }, 0, true);

export function isBehind(feed: Feed): boolean {
  return feed.isStale || feed.known > feed.sent;
}

/** Entries that are skipped are not missed: they were wanted at most once, or never. */
export function skipTo(feed: Feed, offset: number): Feed {
  return { ...feed, sent: offset, known: Math.max(feed.known, offset) };
}

/** The message has its place now: it can't come again. */
export function without(unlogged: Feed["unlogged"], found: Unlogged | undefined): Feed["unlogged"] {
  return found === undefined ? unlogged : unlogged.filter((other) => other !== found);
}

/** More are not remembered: so many may pass while the broker's copy is looked up in the log. */
const MAX_RECENT = 64;

/** The message has passed with its place in the log. */
export function passed(feed: Feed, id: string, earlier: Unlogged | undefined): Feed {
  return {
    ...feed,
    unlogged: without(feed.unlogged, earlier),
    recent: [...feed.recent, id].slice(-MAX_RECENT),
    waitsFor: id === feed.waitsFor ? undefined : feed.waitsFor,
  };
}

/** Whether a message was sent before it had its place. */
export function sentAs({ unlogged }: Feed, id: string): Unlogged | undefined {
  return unlogged.find((sent) => sent.id === id);
}

/** A message was delivered, or appended late: it is there. */
export function isThere(feed: Feed, position: LogPosition): Feed {
  if (feed.isStale || position.epoch !== feed.epoch) {
    return { ...feed, isStale: true, news: later(feed.news, position) };
  }
  return position.offset > feed.known ? { ...feed, known: position.offset } : feed;
}

export function later(one: LogPosition | undefined, other: LogPosition): LogPosition {
  if (one === undefined || one.epoch < other.epoch) return other;
  return one.epoch === other.epoch && one.offset < other.offset ? other : one;
}

/**
 * What the log's head tells: a loss, a hole, how far a replay goes. It may be older than what was
 * heard of, or even sent, while it was on its way.
 */
export function meetHead(feed: Feed, head: LogHead, wantsReplay: boolean): Feed {
  if (head.epoch < feed.epoch) return { ...feed, isStale: true };
  const resumes = feed.replayTo === Infinity;
  const isOtherLog = feed.epoch !== head.epoch;
  const { news } = feed;
  let { sent, hole, ownTo, spentTo } = feed;
  if (feed.epoch === 0) {
    sent = head.last;
    hole = { from: 0, to: 0 };
  } else if (isOtherLog) {
    const kept = intactUpTo(head, feed.epoch);
    sent = Math.min(sent, kept);
    hole = join(hole, { from: kept + 1, to: 0 });
    // What is behind it now is not what was counted so before.
    ownTo = Math.min(ownTo, kept);
    if (spentTo !== Infinity) spentTo = Math.min(spentTo, kept);
  } else if (resumes && sent > head.last) {
    // Can't be, unless the log was tampered with: better told than waited for.
    hole = { from: head.last + 1, to: sent };
    sent = head.last;
  }
  if (resumes && !wantsReplay && sent < head.last) {
    hole = join(hole, { from: sent + 1, to: head.last });
    sent = head.last;
  }
  // Of another log that is for the next page to tell: the archive may have what this head has not.
  if (sent + 1 < head.first && !isOtherLog) {
    hole = join(hole, { from: sent + 1, to: head.first - 1 });
    sent = head.first - 1;
  }
  const replayTo = resumes || isOtherLog ? head.last : feed.replayTo;
  return {
    ...feed,
    epoch: head.epoch,
    sent,
    known: Math.max(
      head.last,
      isOtherLog ? 0 : feed.known,
      news?.epoch === head.epoch ? news.offset : 0,
    ),
    isStale: news !== undefined && news.epoch > head.epoch,
    news: undefined,
    replayTo,
    ownTo,
    spentTo: Math.min(spentTo, replayTo),
    owesCaughtUp: feed.owesCaughtUp || hole !== undefined,
    hole,
  };
}

/** `toldAt`: the seq given out last. */
export function hasToldCaughtUp(feed: Feed, toldAt: number): Feed {
  const { hole, told } = feed;
  return {
    ...feed,
    owesCaughtUp: false,
    hole: undefined,
    told: hole === undefined ? told : { ...join(told, hole), toldAt },
  };
}

/** What the client may not know of. */
export function unconfirmed({ hole, told }: Feed): KeptHole | undefined {
  return hole === undefined ? told : { ...join(told, hole), toldAt: 0 };
}

/** Whether a client that has taken over all up to `seq` was told of it. */
export function isConfirmed({ toldAt }: KeptHole, seq: number): boolean {
  return toldAt > 0 && seq > toldAt;
}

function join(one: Hole | undefined, other: Hole): Hole {
  if (one === undefined) return other;
  const to = one.to === 0 || other.to === 0 ? 0 : Math.max(one.to, other.to);
  return { from: Math.min(one.from, other.from), to };
}

/**
 * After a page that brought nothing: what was heard of is not in the log, as far as could be seen.
 * So its head counts, as it is now.
 */
export function doubt(feed: Feed): Feed {
  return { ...feed, known: feed.sent, isStale: true };
}
