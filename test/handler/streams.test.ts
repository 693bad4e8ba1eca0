import { beforeEach, describe, expect, test } from "@jest/globals";
import { defaultHandlerLimits, type Door, type DoorEvent } from "../../src/handler/index.js";
import { createStreamRepair, type StreamRepair } from "../../src/handler/streams.js";
import { silentLogger } from "../../src/logger.js";
import type { InboundStream } from "../../src/rpc/server.js";
import type { EmptySuccess } from "../../src/rpc/generated/exproto.js";
import { createFakeClock, type FakeClock } from "../support/fake-clock.js";

const peer = { host: "h", port: 1, socket: "tcp" } as const;
const events = {
  created: { kind: "created", peer },
  hello: { kind: "bytes", bytes: Buffer.from("hello") },
  more: { kind: "bytes", bytes: Buffer.from("more") },
  messages: {
    kind: "messages",
    messages: [{ id: "1", topic: "t", payload: Buffer.alloc(6), qos: 0, from: "f", timestamp: 1 }],
  },
  closed: { kind: "closed", reason: "r" },
} as const satisfies Record<string, DoorEvent>;

let clock: FakeClock;
let repair: StreamRepair;
/** What reached the door. */
let seen: string[];
let known: Set<string>;
let over: Set<string>;
let tellOver: (conn: string) => void;

/** One stream of one method, as EMQX opens it; gives what to do with it. */
function stream() {
  let listener: (message: Message) => void = () => undefined;
  let ended: () => void = () => undefined;
  const state = { finished: false };
  const inbound: InboundStream<Message, EmptySuccess> = {
    onMessage: (on) => (listener = on),
    onEnd: (on) => (ended = on),
    finish: () => (state.finished = true),
  };
  repair.accept(inbound, ({ event }) => events[event]);
  return {
    state,
    brings: (event: keyof typeof events) => listener({ conn: "c", event }),
    breaks: () => ended(),
  };
}

interface Message {
  readonly conn: string;
  readonly event: keyof typeof events;
}

beforeEach(() => {
  clock = createFakeClock();
  seen = [];
  known = new Set();
  over = new Set();
  const door: Door = {
    apply(conn, event) {
      seen.push(event.kind === "bytes" ? Buffer.from(event.bytes).toString() : event.kind);
      if (event.kind === "created") known.add(conn);
      if (event.kind === "closed") {
        known.delete(conn);
        over.add(conn);
      }
    },
    knows: (conn) => known.has(conn),
    isOver: (conn) => over.has(conn),
    orphan: () => void seen.push("orphan"),
    onOver: (listener) => (tellOver = listener),
  };
  const limits = { ...defaultHandlerLimits, maxEarlyBytes: 10 };
  repair = createStreamRepair(door, { clock, limits, logger: silentLogger });
});

describe("the streams of a connection", () => {
  test.each([
    ["created hello more closed"],
    ["hello created more closed"],
    ["hello more created closed"],
    ["hello closed created more"],
    ["closed hello more created"],
    ["closed created hello more"],
    ["created closed hello more"],
    ["hello created closed more"],
  ])("put right: %s", async (order) => {
    const methods = { created: stream(), bytes: stream(), closed: stream() };
    for (const event of order.split(" ") as (keyof typeof events)[]) {
      const method = event === "created" || event === "closed" ? event : "bytes";
      methods[method].brings(event);
    }
    await clock.advance(defaultHandlerLimits.closedGraceMs);
    expect(seen).toEqual(["created", "hello", "more", "closed"]);
    expect(Object.values(methods).map(({ state }) => state.finished)).toEqual([true, true, true]);
    expect(clock.armed).toBe(0);
  });

  test("are not ended before the grace after closed is over", async () => {
    const bytes = stream();
    stream().brings("created");
    stream().brings("closed");
    await clock.advance(defaultHandlerLimits.closedGraceMs - 1);
    bytes.brings("hello");
    expect(bytes.state.finished).toBe(false);
    expect(seen).toEqual(["created", "hello"]);
  });

  test("of a connection that is over are ended at once, and say nothing", async () => {
    stream().brings("created");
    stream().brings("closed");
    await clock.advance(1_000);
    const late = stream();
    late.brings("hello");
    expect(late.state.finished).toBe(true);
    expect(seen).toEqual(["created", "closed"]);
    expect(clock.armed).toBe(0);
  });
});

describe("bytes without created", () => {
  test("are an orphan's after a while", async () => {
    const bytes = stream();
    bytes.brings("hello");
    await clock.advance(defaultHandlerLimits.createdGraceMs - 1);
    expect(seen).toEqual([]);
    await clock.advance(1);
    expect(seen).toEqual(["orphan"]);
    expect(bytes.state.finished).toBe(true);
  });

  test("are an orphan's at once when they are too many", () => {
    const bytes = stream();
    bytes.brings("hello");
    bytes.brings("hello");
    expect(seen).toEqual([]);
    bytes.brings("hello");
    expect(seen).toEqual(["orphan"]);
    expect(clock.armed).toBe(0);
  });

  test("count together with messages", () => {
    stream().brings("messages");
    expect(seen).toEqual([]);
    stream().brings("hello");
    expect(seen).toEqual(["orphan"]);
  });

  test("and closed are nobody's: nothing is left to close", async () => {
    stream().brings("hello");
    stream().brings("closed");
    await clock.advance(defaultHandlerLimits.createdGraceMs);
    expect(seen).toEqual([]);
    expect(clock.armed).toBe(0);
  });
});

test("the streams of a connection that ended without EMQX's word are ended after the grace", async () => {
  const created = stream();
  created.brings("created");
  tellOver("c");
  expect(created.state.finished).toBe(false);
  await clock.advance(defaultHandlerLimits.closedGraceMs);
  expect(created.state.finished).toBe(true);
  expect(clock.armed).toBe(0);
});

test("a stream that breaks takes nothing with it", () => {
  const bytes = stream();
  stream().brings("created");
  bytes.brings("hello");
  bytes.breaks();
  stream().brings("more");
  expect(seen).toEqual(["created", "hello", "more"]);
});
