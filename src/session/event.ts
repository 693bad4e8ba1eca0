import type { Inbound } from "../codec/frame.js";
import type { ProtocolEvent } from "../protocol.js";

/** What happens to a session: a protocol's events, with the bytes cut into frames. */
export type SessionEvent =
  | Exclude<ProtocolEvent, { kind: "bytes" }>
  /** That many bytes have come, whatever they turn out to be. */
  | { readonly kind: "received"; readonly bytes: number }
  | { readonly kind: "frame"; readonly frame: Inbound }
  /** The client can't acknowledge: what was sent to it counts as taken over. */
  | { readonly kind: "takenOver"; readonly seq: number }
  /** More has come than is carried out. */
  | { readonly kind: "backlogged"; readonly bytes: number };
