/** The feed's own rules, as tables. */
import { describe, expect, test } from "@jest/globals";
import {
  doubt,
  feedAfter,
  feedAnew,
  feedFrom,
  isBehind,
  isThere,
  meetHead,
  passed,
  skipTo,
  without,
  type Feed,
} from "../../src/session/feed.js";
import type { LogHead } from "../../src/store/index.js";

const EPOCH = 10;

function head(last: number, more: Partial<LogHead> = {}): LogHead {
  return { epoch: EPOCH, first: 1, last, epochs: [{ epoch: EPOCH, since: 1 }], ...more };
}

/** A newer epoch, whose entries below `since` are the older one's. */
function newer(last: number, since: number, more: Partial<LogHead> = {}): LogHead {
  const epochs = [
    { epoch: EPOCH, since: 1 },
    { epoch: 20, since },
  ];
  return head(last, { epoch: 20, epochs, ...more });
}

const live: Feed = feedFrom(head(5), 0, 0);
const resumed: Feed = feedAfter({ epoch: EPOCH, offset: 5 }, 3, true);

describe("a feed from now on", () => {
  test.each([
    { what: "nothing before", of: head(5), history: 0, known: 0, sent: 5, isBehind: false },
    { what: "the last ones", of: head(5), history: 2, known: 0, sent: 3, isBehind: true },
    { what: "no more than there is", of: head(5), history: 9, known: 0, sent: 0, isBehind: true },
    {
      what: "what the log has",
      of: head(5, { first: 4 }),
      history: 9,
      known: 0,
      sent: 3,
      isBehind: true,
    },
    { what: "nothing of nothing", of: head(0), history: 9, known: 0, sent: 0, isBehind: false },
    { what: "what came meanwhile", of: head(5), history: 0, known: 7, sent: 5, isBehind: true },
  ])("sends $what", ({ of, history, known, sent, isBehind: behind }) => {
    const feed = feedFrom(of, history, known);
    expect(feed).toMatchObject({ sent, isStale: false, owesCaughtUp: false });
    expect(isBehind(feed)).toBe(behind);
  });
});

describe("what is heard of", () => {
  test.each([
    { what: "the next one", offset: 6, known: 6 },
    { what: "one far ahead", offset: 9, known: 9 },
    { what: "one that is over", offset: 4, known: 5 },
  ])("$what is known", ({ offset, known }) => {
    expect(isThere(live, { epoch: EPOCH, offset })).toMatchObject({ known, isStale: false });
  });

  test("of another epoch, or while the head is not seen, is news: the newest counts", () => {
    let feed = isThere(live, { epoch: 20, offset: 3 });
    expect(feed).toMatchObject({ isStale: true, news: { epoch: 20, offset: 3 }, known: 5 });
    feed = isThere(feed, { epoch: EPOCH, offset: 9 });
    feed = isThere(feed, { epoch: 20, offset: 2 });
    expect(feed.news).toEqual({ epoch: 20, offset: 3 });
    expect(isThere(feed, { epoch: 20, offset: 4 }).news).toEqual({ epoch: 20, offset: 4 });
  });

  test("skipping never takes back what is known", () => {
    expect(skipTo({ ...live, known: 9 }, 6)).toMatchObject({ sent: 6, known: 9 });
    expect(skipTo(live, 6)).toMatchObject({ sent: 6, known: 6 });
  });

  test("what was not in the log is looked for anew", () => {
    const doubted = doubt({ ...live, known: 9 });
    expect(doubted).toMatchObject({ sent: 5, isStale: true });
    expect(isBehind(meetHead(doubted, head(5), true))).toBe(false);
  });

  test("what has passed with its place is remembered for a while, and no longer waited for", () => {
    const waiting: Feed = { ...live, waitsFor: "a" };
    expect(passed(waiting, "b", undefined)).toMatchObject({ waitsFor: "a", recent: ["b"] });
    expect(passed(waiting, "a", undefined)).toMatchObject({ waitsFor: undefined, recent: ["a"] });
    let feed = live;
    for (let i = 1; i <= 100; i++) feed = passed(feed, String(i), undefined);
    expect(feed.recent).toHaveLength(64);
    expect(feed.recent.at(-1)).toBe("100");
  });

  test("an id that has its place is forgotten", () => {
    const [a, b] = [
      { id: "a", seq: 1 },
      { id: "b", seq: 2 },
    ] as const;
    expect(without([a, b], a)).toEqual([b]);
    const ids = [a, b];
    expect(without(ids, undefined)).toBe(ids);
  });
});

describe("the head", () => {
  const nothing = { from: 0, to: 0 };
  test.each<{
    readonly what: string;
    readonly feed: Feed;
    readonly head: LogHead;
    readonly wantsReplay?: boolean;
    readonly met: Partial<Feed>;
  }>([
    {
      what: "tells how far a replay goes",
      feed: resumed,
      head: head(8),
      met: { sent: 3, known: 8, replayTo: 8, spentTo: 5, hole: undefined, isStale: false },
    },
    {
      what: "tells that nothing was missed",
      feed: feedAfter({ epoch: EPOCH, offset: 5 }, 5, true),
      head: head(5),
      met: { sent: 5, known: 5, replayTo: 5, owesCaughtUp: true, hole: undefined },
    },
    {
      what: "tells what is spent where the last record was no final one",
      feed: feedAfter({ epoch: EPOCH, offset: 5 }, 3, false),
      head: head(8),
      met: { spentTo: 8 },
    },
    {
      what: "tells of a hole where the log is shorter",
      feed: resumed,
      head: head(9, { first: 7 }),
      met: { sent: 6, hole: { from: 4, to: 6 } },
    },
    {
      what: "tells of a hole where all was dropped",
      feed: resumed,
      head: head(9, { first: 10 }),
      met: { sent: 9, known: 9, hole: { from: 4, to: 9 } },
    },
    {
      what: "skips what is not replayed at qos 0",
      feed: resumed,
      head: head(9),
      wantsReplay: false,
      met: { sent: 9, hole: { from: 4, to: 9 } },
    },
    {
      what: "tells no hole at qos 0 where nothing was missed",
      feed: resumed,
      head: head(3),
      wantsReplay: false,
      met: { sent: 3, hole: undefined },
    },
    {
      what: "of a log that is new to the session tells a loss of unknown size",
      feed: feedAnew,
      head: head(9),
      met: { epoch: EPOCH, sent: 9, hole: nothing },
    },
    {
      what: "of a newer epoch that kept all that was sent tells a loss behind what it kept",
      feed: resumed,
      head: newer(9, 7),
      met: { epoch: 20, sent: 3, replayTo: 9, spentTo: 5, hole: { from: 7, to: 0 } },
    },
    {
      what: "of a newer epoch still knows as one's own history what that has kept",
      feed: feedFrom(head(5), 4, 0),
      head: newer(9, 5),
      met: { epoch: 20, sent: 1, ownTo: 4 },
    },
    {
      what: "of a newer epoch that is shorter, too, leaves it to the next page to tell that",
      feed: resumed,
      head: newer(9, 7, { first: 6 }),
      met: { epoch: 20, sent: 3, known: 9, hole: { from: 7, to: 0 } },
    },
    {
      what: "tells a hole before one of unknown end as one with it",
      feed: { ...live, sent: 3, owesCaughtUp: true, hole: { from: 7, to: 0 } },
      head: head(9, { first: 6 }),
      met: { sent: 5, hole: { from: 4, to: 0 } },
    },
    {
      what: "of a newer epoch that kept less goes on behind what it kept",
      feed: resumed,
      head: newer(9, 2),
      met: { epoch: 20, sent: 1, replayTo: 9, spentTo: 1, hole: { from: 2, to: 0 } },
    },
    {
      what: "of a newer epoch goes by the first one behind the session's",
      feed: resumed,
      head: { ...newer(9, 2), epoch: 30, epochs: [...newer(9, 2).epochs, { epoch: 30, since: 9 }] },
      met: { epoch: 30, sent: 1, hole: { from: 2, to: 0 } },
    },
    {
      what: "of a log that was lost has all of it sent, and counts nothing of it as sent before",
      feed: { ...feedFrom(head(100), 0, 0), spentTo: 50 },
      head: newer(2, 1),
      met: { epoch: 20, sent: 0, known: 2, replayTo: 2, ownTo: 0, spentTo: 0, owesCaughtUp: true },
    },
    {
      what: "that is older than what was sent meanwhile takes nothing back",
      feed: { ...live, sent: 7, known: 8 },
      head: head(6),
      met: { sent: 7, known: 8, hole: undefined, owesCaughtUp: false },
    },
    {
      what: "that is older than what was heard of meanwhile leaves it known",
      feed: isThere(resumed, { epoch: EPOCH, offset: 9 }),
      head: head(8),
      met: { known: 9, replayTo: 8, isStale: false, news: undefined },
    },
    {
      what: "of an older epoch than what was heard of has to be seen again",
      feed: isThere(live, { epoch: 20, offset: 1 }),
      head: head(5),
      met: { epoch: EPOCH, sent: 5, isStale: true },
    },
    {
      what: "of an older epoch than the feed's has to be seen again, and changes nothing",
      feed: { ...live, epoch: 20 },
      head: head(9),
      met: { epoch: 20, sent: 5, known: 5, isStale: true, hole: undefined },
    },
    {
      what: "behind what a session has got tells that",
      feed: resumed,
      head: head(2),
      met: { sent: 2, hole: { from: 3, to: 3 } },
    },
  ])("$what", ({ feed, head: seen, wantsReplay = true, met }) => {
    expect(meetHead(feed, seen, wantsReplay)).toMatchObject(met);
  });

  test("joins a hole that is not told yet with the next", () => {
    const one = meetHead(resumed, head(9, { first: 7 }), true);
    expect(meetHead(one, head(12, { first: 10 }), true)).toMatchObject({
      sent: 9,
      hole: { from: 4, to: 9 },
    });
    expect(meetHead(one, newer(9, 9), true).hole).toEqual({ from: 4, to: 0 });
  });
});
