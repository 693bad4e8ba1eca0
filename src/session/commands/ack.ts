/** ack: cumulative; an older one than the last changes nothing. */
import type { ClientFrameOf } from "../../codec/frame.js";
import { fail, to, type Step } from "../effect.js";
import type { Active } from "../state.js";

export function onAck(state: Active, { seq }: ClientFrameOf<"ack">): Step {
  if (seq > state.seq) {
    return to(state, fail(0, "BAD_REQUEST", `ack ${seq}, but the last message is ${state.seq}`));
  }
  return to({ ...state, ackedSeq: Math.max(state.ackedSeq, seq) });
}
