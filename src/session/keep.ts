/** Has the session kept while it goes on: soon after a change, not at every one. */
import type { SessionEffect, Step } from "./effect.js";
import type { SessionOptions } from "./options.js";
import { toRecord } from "./record.js";
import type { Active } from "./state.js";
import { KEEP_TIMER } from "./timers.js";

export function keepSoon(
  before: Active,
  state: Active,
  effects: readonly SessionEffect[],
  now: number,
  options: SessionOptions,
): Step {
  const isChanged = state.ackedSeq !== before.ackedSeq || state.seq !== before.seq;
  if (state.isKeepDue || !isChanged) return { state, effects };
  return { state: { ...state, isKeepDue: true }, effects: [...effects, timer(now, options)] };
}

function timer(now: number, { keepIntervalMs }: SessionOptions): SessionEffect {
  return { kind: "timer.set", name: KEEP_TIMER, at: now + keepIntervalMs };
}

export function keep(state: Active, now: number, options: SessionOptions): Step {
  const command = state.pending?.command;
  // It writes a record of its own, which knows of the room that comes or goes.
  if (command === "join" || command === "leave") return { state, effects: [timer(now, options)] };
  return {
    state: { ...state, isKeepDue: false },
    effects: [{ kind: "session.keep", record: toRecord(state, state.rooms) }],
  };
}
