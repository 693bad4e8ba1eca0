/**
 * What is promised, held against what clients heard on the wire: random talk over a broker that
 * loses, doubles and delays what it delivers, a store that is away for a while, a gateway that
 * crashes, and clients that hang up, come back, and acknowledge when they like.
 */
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { defaultChatOptions } from "../../src/chat.js";
import { createPromiseModel, type Op } from "../support/promise-model.js";

const who = fc.nat(2);
const room = fc.nat(2);
const qos = fc.nat(2);

const talk: fc.Arbitrary<Op> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      op: fc.constant("say" as const),
      who,
      room,
      qos,
      isKeyed: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ op: fc.constant("retry" as const), who, nth: fc.nat(3) }) },
  { weight: 6, arbitrary: fc.record({ op: fc.constant("publish" as const), room, qos }) },
);
const faults: fc.Arbitrary<Op> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      op: fc.constant("fate" as const),
      fate: fc.constantFrom("pass" as const, "lose" as const, "double" as const, "delay" as const),
    }),
  },
  { weight: 2, arbitrary: fc.constant<Op>({ op: "release" }) },
  {
    weight: 4,
    arbitrary: fc.constantFrom<Op>(
      { op: "store away" },
      { op: "store back" },
      { op: "store slow", latencyMs: 0 },
      { op: "store slow", latencyMs: 3 },
    ),
  },
);
const comings: fc.Arbitrary<Op> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ op: fc.constant("hang up" as const), who }) },
  {
    weight: 6,
    arbitrary: fc.record({
      op: fc.constant("resume" as const),
      who,
      tells: fc.constantFrom("exactly" as const, "less" as const, "nothing" as const),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      op: fc.constant("join" as const),
      who,
      room,
      qos,
      history: fc.constantFrom(0, 0, 3),
    }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("leave" as const), who, room }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant("ack" as const), who, count: fc.nat(6) }) },
  { weight: 1, arbitrary: fc.constant<Op>({ op: "crash" }) },
  {
    weight: 3,
    arbitrary: fc.record({
      op: fc.constant("wait" as const),
      ms: fc.constantFrom(1, 100, 600, 3_000, 31_000),
    }),
  },
);
const losses: fc.Arbitrary<Op> = fc.record({
  op: fc.constant("lose tail" as const),
  count: fc.nat(4),
});
const days = (lossWeight: number) =>
  fc.array(
    fc.oneof(
      { weight: 15, arbitrary: talk },
      { weight: 6, arbitrary: faults },
      { weight: 12, arbitrary: comings },
      { weight: lossWeight, arbitrary: losses },
    ),
    { minLength: 10, maxLength: 60, size: "max" },
  );

const ACK_WINDOW = 4;
/** PROMISE_RUNS=20000 searches for what the few runs of every day do not find. */
const NUM_RUNS = Number(process.env.PROMISE_RUNS ?? 100);
const TIMEOUT_MS = 60_000 + 100 * NUM_RUNS;
const chat = {
  ackWindow: ACK_WINDOW,
  rate: { ...defaultChatOptions.rate, framesPerSecond: 10_000, frameBurst: 10_000 },
};

async function live(all: readonly Op[]): Promise<void> {
  const model = await createPromiseModel({ chat });
  for (const op of all) await model.run(op);
  const broken = await model.end();
  expect(broken).toEqual([]);
}

describe("whatever happens on the way", () => {
  test(
    "what is promised is kept",
    async () => {
      await fc.assert(fc.asyncProperty(days(0), live), { numRuns: NUM_RUNS });
    },
    TIMEOUT_MS,
  );

  test(
    "and what a log has lost is told",
    async () => {
      // The same runs each time: the model does not know every excuse for what is under way at a loss.
      const seed = process.env.PROMISE_RUNS === undefined ? { seed: 1 } : {};
      await fc.assert(fc.asyncProperty(days(1), live), { numRuns: NUM_RUNS, ...seed });
    },
    TIMEOUT_MS,
  );
});
