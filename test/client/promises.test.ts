/** What the client promises its app, whatever the network and the server go through. */
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { ROOM } from "./support/simulated-server.js";
import { Simulation, type Action } from "./support/simulation.js";

const count = fc.integer({ min: 1, max: 12 });
type Plain = Exclude<Action, { count: number } | { ms: number } | { code: string }>["do"];
const always = (name: Plain, weight: number) => ({
  weight,
  arbitrary: fc.constant<Action>({ do: name }),
});
interface Choice {
  readonly weight: number;
  readonly arbitrary: fc.Arbitrary<Action>;
}

const usual: readonly Choice[] = [
  { weight: 8, arbitrary: fc.record({ do: fc.constant("upstream" as const), count }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant("downstream" as const), count }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant("take" as const), count }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("wait" as const),
      ms: fc.integer({ min: 1, max: 5_000 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("refuse" as const),
      code: fc.constantFrom("UNAVAILABLE" as const, "RATE_LIMITED" as const),
      isLogged: fc.boolean(),
    }),
  },
  always("publish", 6),
  always("say", 3),
  always("cut", 2),
  always("save", 2),
  always("crash", 1),
];

function walks(...more: readonly Choice[]): fc.Arbitrary<readonly Action[]> {
  const action = fc.oneof(...usual, ...more);
  return fc.array(action, { minLength: 1, maxLength: 150, size: "max" });
}

function live(actions: readonly Action[]): Simulation {
  const simulation = new Simulation();
  for (const action of actions) simulation.run(action);
  simulation.settle();
  return simulation;
}

function expectOnceInOrder({ taken }: Simulation): void {
  const offsets = taken.map(({ offset }) => offset);
  expect(offsets).toEqual([...new Set(offsets)].sort((a, b) => a - b));
}

function expectSaidOnce({ said, answers, server }: Simulation): void {
  const published = server.log.filter(({ text }) => text.startsWith("said-"));
  expect(published.map(({ text }) => text)).toEqual([...said.values()]);
  for (const [call, text] of said) {
    const { id, offset } = server.log.find((entry) => entry.text === text)!;
    expect(answers.get(call)).toEqual([{ id, offset }]);
  }
}

describe("over any number of connections and restarts of the server", () => {
  test("each message comes once, in order, none is missing", () => {
    fc.assert(
      fc.property(walks(), (actions) => {
        const simulation = live(actions);
        expectOnceInOrder(simulation);
        const [first] = simulation.taken;
        const all = simulation.server.log.slice((first?.offset ?? Infinity) - 1);
        expect(simulation.taken.map(({ id }) => id)).toEqual(all.map(({ id }) => id));
        expect(simulation.told.filter(({ type }) => type === "gap")).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  test("everything said is published once, in order, and answered once", () => {
    fc.assert(
      fc.property(walks(), (actions) => expectSaidOnce(live(actions))),
      { numRuns: 300 },
    );
  });
});

test("an app that begins anew with its saved state misses nothing and gets nothing twice", () => {
  fc.assert(
    fc.property(walks(always("restart", 2)), (actions) => {
      const simulation = live(actions);
      expectOnceInOrder(simulation);
      const [first] = simulation.taken;
      const all = simulation.server.log.slice((first?.offset ?? Infinity) - 1);
      expect(simulation.taken.map(({ id }) => id)).toEqual(all.map(({ id }) => id));
    }),
    { numRuns: 300 },
  );
});

test("a session that expired is told as a gap, its room is joined again, nothing comes twice", () => {
  fc.assert(
    fc.property(walks(always("expire", 2)), (actions) => {
      const simulation = live(actions);
      expectOnceInOrder(simulation);
      expectSaidOnce(simulation);
      const { taken, told, server } = simulation;
      const [first] = taken;
      const isMissing = taken.length < server.log.slice((first?.offset ?? Infinity) - 1).length;
      const gaps = told.filter(({ type }) => type === "gap");
      if (isMissing) expect(gaps).toContainEqual(expect.objectContaining({ room: ROOM }));
      server.publish("after all");
      simulation.run({ do: "publish" });
      simulation.settle();
      expect(taken.slice(-2).map(({ text }) => text)).toContain("after all");
    }),
    { numRuns: 300 },
  );
});

const few = fc.nat({ max: 5 });
const again: readonly Action[] = [
  { do: "wait", ms: 5_000 },
  ...Array.from({ length: 3 }, () => [
    { do: "upstream" as const, count: 10 },
    { do: "downstream" as const, count: 10 },
  ]).flat(),
];
/** Some messages are said, fewer come, even fewer are taken over, and then something happens. */
const round = fc
  .record({
    said: few,
    come: few,
    taken: few,
    then: fc.array(fc.constantFrom("restart" as const, "expire" as const, "cut" as const), {
      maxLength: 3,
    }),
  })
  .map(({ said, come, taken, then }): readonly Action[] => [
    ...Array.from({ length: said }, (): Action => ({ do: "publish" })),
    { do: "downstream", count: come },
    { do: "take", count: taken },
    ...then.map((what): Action => ({ do: what })),
    ...again,
  ]);

test("a hole is told from its start, though the app has restarted and its session expired", () => {
  fc.assert(
    fc.property(fc.array(round, { minLength: 2, maxLength: 8 }), (rounds) => {
      const simulation = live([...again, ...rounds.flat()]);
      expectOnceInOrder(simulation);
      const { taken, told, server } = simulation;
      const starts = told.flatMap((event) =>
        event.type === "gap" && event.room === ROOM ? [event.from] : [],
      );
      for (const [index, { offset }] of taken.entries()) {
        const next = taken[index + 1]?.offset ?? server.log.length + 1;
        if (next > offset + 1) expect(starts).toContain(offset + 1);
      }
    }),
    { numRuns: 300 },
  );
});
