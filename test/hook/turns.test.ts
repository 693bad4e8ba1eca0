import { beforeEach, expect, test } from "@jest/globals";
import { GatewayError } from "../../src/errors.js";
import { createTurns, type Turns } from "../../src/hook/turns.js";
import { silentLogger } from "../../src/logger.js";
import { createFakeClock, settled, type FakeClock } from "../support/fake-clock.js";

let clock: FakeClock;
let turns: Turns;
let done: string[];

beforeEach(() => {
  clock = createFakeClock();
  turns = createTurns({ clock, logger: silentLogger, maxWaiting: 5 });
  done = [];
});

/** Work that is done when it is told to. */
function held(name: string): { readonly work: () => Promise<void>; end(): Promise<void> } {
  let end = (): void => undefined;
  const gate = new Promise<void>((resolve) => (end = resolve));
  return {
    async work() {
      done.push(`${name} begins`);
      await gate;
      done.push(`${name} ends`);
    },
    async end() {
      end();
      await settled();
    },
  };
}

const note = (name: string) => () => {
  done.push(name);
  return Promise.resolve();
};

test("what is of one member is done in order, over its groups", async () => {
  const first = held("first");
  turns.take("n1", "m1", first.work);
  turns.take("n2", "m1", note("second"));
  turns.take("n1", "m2", note("other"));
  await settled();
  expect(done).toEqual(["first begins", "other"]);
  await first.end();
  expect(done).toEqual(["first begins", "other", "first ends", "second"]);
});

test("what is of a whole group waits for its members, and they for it", async () => {
  const first = held("first");
  const whole = held("whole");
  turns.take("n1", "m1", first.work);
  turns.takeWhole("n1", whole.work);
  turns.take("n1", "m2", note("later"));
  turns.take("n2", "m3", note("elsewhere"));
  await settled();
  expect(done).toEqual(["first begins", "elsewhere"]);
  await first.end();
  expect(done.slice(2)).toEqual(["first ends", "whole begins"]);
  await whole.end();
  expect(done.slice(4)).toEqual(["whole ends", "later"]);
});

test("what the store can't do is done again until it can, before what comes after it", async () => {
  let failures = 2;
  turns.take("n1", "m1", () => {
    failures -= 1;
    if (failures >= 0) throw new GatewayError("UNAVAILABLE", "the store is away");
    return note("first")();
  });
  turns.take("n1", "m1", note("second"));
  turns.take("n1", "m2", note("other"));
  await settled();
  expect(done).toEqual(["other"]);
  await clock.advance(2_000);
  expect(done).toEqual(["other", "first", "second"]);
  await turns.drained();
  expect(clock.armed).toBe(0);
});

test("a bug is not tried again, and stops nobody", async () => {
  turns.take("n1", "m1", () => Promise.reject(new Error("a bug")));
  turns.take("n1", "m1", note("second"));
  await turns.drained();
  expect(done).toEqual(["second"]);
  expect(clock.armed).toBe(0);
});

test("no more waits than may", async () => {
  const first = held("first");
  turns.take("n1", "m1", first.work);
  for (let i = 2; i <= 7; i += 1) turns.take("n1", "m1", note(String(i)));
  await first.end();
  await turns.drained();
  expect(done).toEqual(["first begins", "first ends", "2", "3", "4", "5"]);
  turns.take("n1", "m1", note("again"));
  await turns.drained();
  expect(done.at(-1)).toBe("again");
});

test("how much of a member waits is known", async () => {
  const first = held("first");
  const second = held("second");
  turns.take("n1", "m1", first.work);
  turns.take("n2", "m1", second.work);
  turns.take("n1", "m2", note("other"));
  await settled();
  expect([turns.waitingOf("m1"), turns.waitingOf("m2")]).toEqual([2, 0]);
  await first.end();
  expect(turns.waitingOf("m1")).toBe(1);
  await second.end();
  expect(turns.waitingOf("m1")).toBe(0);
});

const away = () => Promise.reject(new GatewayError("UNAVAILABLE", "the store is away"));

test("when it stops, what it has is done and nothing more is taken", async () => {
  const first = held("first");
  let isAway = true;
  turns.take("n1", "m1", first.work);
  turns.take("n1", "m1", note("second"));
  turns.take("n1", "m2", () => (isAway ? away() : note("other")()));
  await settled();
  isAway = false;
  const stopping = turns.stop();
  turns.take("n1", "m3", note("third"));
  await first.end();
  await stopping;
  expect(done).toEqual(["first begins", "other", "first ends", "second"]);
  expect(clock.armed).toBe(0);
});

test("when it stops while the store is away, all that is not under way is given up", async () => {
  const first = held("first");
  turns.take("n1", "m1", first.work);
  turns.take("n1", "m1", note("second"));
  turns.take("n1", "m2", away);
  await settled();
  const stopping = turns.stop();
  await first.end();
  await stopping;
  expect(done).toEqual(["first begins", "first ends"]);
  expect(clock.armed).toBe(0);
});
