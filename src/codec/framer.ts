/**
 * What the encodings have in common: a framer cuts the stream into bodies, an encoding turns each
 * body into a frame. This file joins the two and keeps the contract of encoding.ts about faults.
 */
import type { FrameCodec } from "./encoding.js";
import type { BrokenFrame } from "./frame.js";

export interface Framer {
  /**
   * The bodies that `chunk` completes, in order; a fault in the framing is the last value. A body
   * may be a view of the chunk: it is good until the next one is asked for.
   */
  cut(chunk: Uint8Array, maxFrameBytes: number): Iterable<Uint8Array | BrokenFrame>;
  /** Bytes held for what is not complete. */
  readonly pendingBytes: number;
}

export interface FramedEncoding<In, Out> {
  readonly framer: Framer;
  readonly maxFrameBytes: number;
  /** `undefined` says nothing (a blank line). Keeps no view of `body`. Never throws. */
  decode(body: Uint8Array): In | BrokenFrame | undefined;
  encode(frame: Out): Uint8Array;
}

export function createFramedCodec<In extends { readonly type: string }, Out>(
  encoding: FramedEncoding<In, Out>,
): FrameCodec<In | BrokenFrame, Out> {
  // Gone once the stream is broken, with all that it held.
  let source: Framer | undefined = encoding.framer;
  const codec: FrameCodec<In | BrokenFrame, Out> = {
    maxFrameBytes: encoding.maxFrameBytes,
    get pendingBytes() {
      return source?.pendingBytes ?? 0;
    },
    push(chunk) {
      const frames: (In | BrokenFrame)[] = [];
      if (source === undefined) return frames;
      for (const body of source.cut(chunk, codec.maxFrameBytes)) {
        const frame = body instanceof Uint8Array ? encoding.decode(body) : body;
        if (frame === undefined) continue;
        frames.push(frame);
        if (frame.type === "broken") {
          source = undefined;
          break;
        }
      }
      return frames;
    },
    encode: (frame) => encoding.encode(frame),
  };
  return codec;
}

export function broken(code: BrokenFrame["code"], reason: string): BrokenFrame {
  return { type: "broken", code, reason };
}

export function tooLarge(maxFrameBytes: number): BrokenFrame {
  return broken("FRAME_TOO_LARGE", `a frame may have at most ${maxFrameBytes} bytes`);
}
