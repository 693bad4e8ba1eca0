/** Random walks: whatever comes in whatever order, the session keeps its word. */
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { createChatProtocol, defaultChatOptions } from "../../src/chat.js";
import type { Effect, ProtocolEvent } from "../../src/protocol.js";

const room = fc.constantFrom("lobby", "den", "a/b");
const frame = fc.oneof(
  fc.record({
    hello: fc.record({
      clientId: fc.constantFrom("a1", "", "?"),
      username: fc.constantFrom("", "alice"),
    }),
  }),
  fc.record({
    join: fc.record({ ref: fc.nat(9), room, presence: fc.boolean(), echo: fc.boolean() }),
  }),
  fc.record({ leave: fc.record({ ref: fc.nat(9), room }) }),
  fc.record({ say: fc.record({ ref: fc.nat(9), room, text: fc.string() }) }),
  fc.record({ who: fc.record({ ref: fc.nat(9), room }) }),
  fc.record({ ack: fc.record({ seq: fc.nat(3) }) }),
  fc.constant({ ping: {} }),
  fc.constant({ dance: {} }),
);

/** "answer" answers the oldest call that waits, well or badly. */
type Move = ProtocolEvent | { readonly kind: "answer next"; readonly ok: boolean };

const move: fc.Arbitrary<Move> = fc.oneof(
  {
    weight: 8,
    arbitrary: frame.map((one): Move => ({
      kind: "bytes",
      bytes: Buffer.from(`${JSON.stringify(one)}\n`),
    })),
  },
  { weight: 8, arbitrary: fc.boolean().map((ok): Move => ({ kind: "answer next", ok })) },
  {
    weight: 2,
    arbitrary: fc
      .record({ topic: fc.constantFrom("chat/room/lobby", "chat/user/alice", "x") })
      .map(({ topic }): Move => ({
        kind: "messages",
        messages: [{ id: "1", topic, payload: Buffer.from("x"), qos: 1, from: "b1", timestamp: 1 }],
      })),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom<Move>(
      { kind: "timer", name: "hello" },
      { kind: "keepalive.expired" },
      { kind: "congested", pendingBytes: 1 },
      { kind: "superseded" },
      { kind: "shutdown", retryAfterMs: 1 },
      { kind: "crashed" },
      { kind: "bytes", bytes: Buffer.from("{broken\n") },
    ),
  },
);

const head = { epoch: 1, first: 1, last: 0, epochs: [{ epoch: 1, since: 1 }] };

function answer(effect: Extract<Effect, { kind: "call" }>, ok: boolean): ProtocolEvent {
  const { id, call } = effect;
  const { name } = call;
  if (!ok) {
    return { kind: "answer", id, ok, name, code: "UNAVAILABLE", reason: "away", retryAfterMs: 1 };
  }
  switch (name) {
    case "session.take":
      return { kind: "answer", id, ok, name, value: { epoch: 1 } };
    case "log.read":
      return { kind: "answer", id, ok, name, value: { head, entries: [] } };
    case "presence.list":
      return { kind: "answer", id, ok, name, value: [] };
    case "log.open":
      return { kind: "answer", id, ok, name, value: head };
    default:
      return { kind: "answer", id, ok, name, value: undefined };
  }
}

/** What an outsider can tell of a session by its effects. */
function createObserver() {
  const timers = new Set<string>();
  const present = new Set<string>();
  const calls: Extract<Effect, { kind: "call" }>[] = [];
  let closed = false;
  let owned = false;
  return {
    timers,
    present,
    calls,
    get closed() {
      return closed;
    },
    get owned() {
      return owned;
    },
    sees(effect: Effect) {
      // Nothing goes to a client that was told goodbye.
      if (closed)
        expect(["presence.leave", "session.release", "session.drop"]).toContain(effect.kind);
      switch (effect.kind) {
        case "close":
          closed = true;
          break;
        case "timer.set":
          timers.add(effect.name);
          break;
        case "timer.clear":
          timers.delete(effect.name);
          break;
        case "presence.leave":
          for (const left of effect.rooms) present.delete(left);
          break;
        case "session.release":
        case "session.drop":
          expect(owned).toBe(true);
          owned = false;
          break;
        case "call":
          calls.push(effect);
          break;
        default:
      }
    },
    answered({ call }: Extract<Effect, { kind: "call" }>, ok: boolean) {
      if (ok && call.name === "session.take" && !closed) owned = true;
      if (ok && call.name === "presence.join" && !closed) present.add(call.room);
    },
  };
}

describe("any walk", () => {
  test("ends with nothing left behind, and says nothing after goodbye", () => {
    fc.assert(
      fc.property(fc.array(move, { maxLength: 60 }), (moves) => {
        const link = {
          conn: "c",
          instance: "i",
          peer: { host: "", port: 0, socket: "tcp" },
        } as const;
        const connection = createChatProtocol(defaultChatOptions).accept(link);
        const observer = createObserver();
        const handle = (event: ProtocolEvent) => {
          for (const effect of connection.handle(event, 1_000)) observer.sees(effect);
        };
        const next = (ok: boolean) => {
          const call = observer.calls.shift();
          if (call === undefined) return;
          observer.answered(call, ok);
          handle(answer(call, ok));
        };
        handle({ kind: "opened" });
        const hello = Buffer.from('{"hello":{"clientId":"a1","username":"alice"}}\n');
        handle({ kind: "bytes", bytes: hello });
        for (const one of moves) {
          if (one.kind === "answer next") next(one.ok);
          else handle(one);
        }
        while (observer.calls.length > 0) next(true);
        handle({ kind: "closed", reason: "" });
        expect([...observer.present]).toEqual([]);
        expect(observer.owned).toBe(false);
        expect(connection.pendingBytes).toBe(0);
      }),
      { numRuns: 1000 },
    );
  });
});
