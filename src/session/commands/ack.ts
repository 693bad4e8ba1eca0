/** ack: cumulative; an older one than the last changes nothing. */
import type { ClientFrameOf } from "../../codec/frame.js";
import { take } from "../catch-up.js";
import { fail, to, type Step } from "../effect.js";
import type { SessionOptions } from "../options.js";
import type { Active } from "../state.js";

export function onAck(
  state: Active,
  { seq }: ClientFrameOf<"ack">,
  now: number,
  options: SessionOptions,
): Step {
  if (seq > state.seq) {
    return to(state, fail(0, "BAD_REQUEST", `ack ${seq}, but the last message is ${state.seq}`));
  }
  return take(state, seq, now, options);
}
