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
  const timer = { kind: "timer.set", name: KEEP_TIMER, at: now + options.keepIntervalMs } as const;
  return { state: { ...state, isKeepDue: true }, effects: [...effects, timer] };
}

export function keep(state: Active): Step {
  return {
    state: { ...state, isKeepDue: false },
    effects: [{ kind: "session.keep", record: toRecord(state, state.rooms) }],
  };
}
