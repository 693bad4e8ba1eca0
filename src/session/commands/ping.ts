import type { ClientFrameOf } from "../../codec/frame.js";
import { fail, frame, to, type Step } from "../effect.js";
import { MAX_NONCE_LENGTH } from "../options.js";
import type { Active } from "../state.js";

export function onPing(state: Active, { nonce }: ClientFrameOf<"ping">): Step {
  if (nonce.length > MAX_NONCE_LENGTH) {
    return to(state, fail(0, "BAD_REQUEST", `a nonce is at most ${MAX_NONCE_LENGTH} characters`));
  }
  return to(state, frame("pong", { nonce }));
}
