/**
 * The port of an encoding, and what tells the encodings apart.
 *
 * A codec belongs to one connection. It parses and reports; it never acts. Its contract:
 *  - `push` gives the frames that the chunk completes. How the stream was cut into chunks never
 *    changes which frames come out of it, nor their order.
 *  - A fault in the framing is the last value, `broken`; the codec ignores every byte after it.
 *    No input makes `push` throw.
 *  - A frame longer than `maxFrameBytes` is broken as soon as its length is known, before its body
 *    is buffered. At most one frame and one chunk are held, and the work is O(bytes).
 *  - What it returns never shares memory with the chunk (gRPC reuses its buffers).
 */
import type { Inbound, ServerFrame } from "./frame.js";

export type EncodingName = "protobuf" | "ndjson" | "text";

export interface Codec {
  push(chunk: Uint8Array): Inbound[];
  /** May be empty: text mode does not show every frame. */
  encode(frame: ServerFrame): Uint8Array;
  /** Bytes held for a frame that is not complete. */
  readonly pendingBytes: number;
  /** Applies to every frame that is not complete yet. */
  maxFrameBytes: number;
}

export interface CodecOptions {
  readonly maxFrameBytes: number;
}

export interface Encoding {
  readonly name: EncodingName;
  /** The client has no way to acknowledge: what was sent counts as taken over. */
  readonly acknowledges: boolean;
  open(options: CodecOptions): Codec;
}
