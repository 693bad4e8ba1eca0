/** Has the session kept while it goes on: soon after a change, not at every one. */
import type { Answer } from "../protocol.js";
import { bye, call, type SessionEffect, type Step } from "./effect.js";
import type { SessionOptions } from "./options.js";
import { toRecord } from "./record.js";
import type { Active } from "./state.js";
import { KEEP_TIMER } from "./timers.js";

/** After a save that failed. */
const RETRY_MS = 1_000;

export function keepSoon(
  before: Active,
  state: Active,
  effects: readonly SessionEffect[],
  now: number,
  options: SessionOptions,
): Step {
  const isChanged = state.ackedSeq !== before.ackedSeq || state.seq !== before.seq;
  if (!isChanged || state.keeping === "due") return { state, effects };
  if (state.keeping !== undefined) {
    return { state: { ...state, keeping: { ...state.keeping, isOutdated: true } }, effects };
  }
  const due = keepAt(state, now + options.keepIntervalMs);
  return { state: due.state, effects: [...effects, ...due.effects] };
}

function keepAt(state: Active, at: number): Step {
  return {
    state: { ...state, keeping: "due" },
    effects: [{ kind: "timer.set", name: KEEP_TIMER, at }],
  };
}

export function keep(state: Active, now: number, options: SessionOptions): Step {
  const command = state.pending?.command;
  // It writes a record of its own, which knows of the room that comes or goes.
  if (command === "join" || command === "leave") return keepAt(state, now + options.keepIntervalMs);
  const asked = call(state, { name: "session.save", record: toRecord(state) });
  return {
    state: { ...asked.state, keeping: { call: asked.state.lastCall, isOutdated: false } },
    effects: [asked.effect],
  };
}

/** The answer to the save that `state.keeping` waits for. */
export function onKept(
  state: Active,
  isOutdated: boolean,
  answer: Answer,
  now: number,
  options: SessionOptions,
): Step {
  if (!answer.ok) {
    return answer.code === "TAKEN_OVER"
      ? bye(state, answer.code, answer.reason)
      : keepAt(state, now + RETRY_MS);
  }
  return isOutdated
    ? keepAt(state, now + options.keepIntervalMs)
    : { state: { ...state, keeping: undefined }, effects: [] };
}
