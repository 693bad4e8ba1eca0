/** Tells the encodings apart by the first byte of a connection that is not a blank. */
import { protobuf } from "./delimited.js";
import type { Codec, CodecOptions, Encoding } from "./encoding.js";
import { broken } from "./framer.js";
import { ndjson } from "./ndjson.js";
import { text } from "./text.js";

/** Asked in this order. Another encoding is another file, and its value here. */
export const encodings: readonly Encoding[] = [protobuf, ndjson, text];

export function encodingNamed(name: string): Encoding | undefined {
  return encodings.find((encoding) => encoding.name === name);
}

export interface DetectingCodec extends Codec {
  /** `undefined` until the first byte has told; `encode` gives no bytes until then. */
  readonly encoding: Encoding | undefined;
}

const BLANKS: readonly (number | undefined)[] = [0x20, 0x09, 0x0d, 0x0a];
const NOTHING = new Uint8Array(0);

type State =
  | { readonly phase: "undecided" }
  | { readonly phase: "decided"; readonly encoding: Encoding; readonly codec: Codec }
  /** What opened the connection is no encoding; a person may read why. */
  | { readonly phase: "refused"; readonly encoding: Encoding; readonly codec: Codec };

/** The codec of a new connection. */
export function openCodec(options: CodecOptions): DetectingCodec {
  let { maxFrameBytes } = options;
  let state: State = { phase: "undecided" };

  function decide(firstByte: number): State {
    const encoding = encodings.find((candidate) => candidate.opensWith(firstByte));
    return encoding === undefined
      ? { phase: "refused", encoding: text, codec: text.open({ maxFrameBytes }) }
      : { phase: "decided", encoding, codec: encoding.open({ maxFrameBytes }) };
  }

  return {
    get encoding() {
      return state.phase === "undecided" ? undefined : state.encoding;
    },
    get pendingBytes() {
      return state.phase === "decided" ? state.codec.pendingBytes : 0;
    },
    get maxFrameBytes() {
      return maxFrameBytes;
    },
    set maxFrameBytes(bytes) {
      maxFrameBytes = bytes;
      if (state.phase === "decided") state.codec.maxFrameBytes = bytes;
    },
    push(chunk) {
      if (state.phase === "decided") return state.codec.push(chunk);
      if (state.phase === "refused") return [];
      const start = chunk.findIndex((byte) => !BLANKS.includes(byte));
      const firstByte = chunk[start];
      if (firstByte === undefined) return [];
      state = decide(firstByte);
      if (state.phase === "decided") return state.codec.push(chunk.subarray(start));
      const hex = firstByte.toString(16).padStart(2, "0");
      return [
        broken(
          "BAD_FRAME",
          `no encoding begins with the byte ${hex}: send 00 for protobuf, { for ndjson, or a line of text`,
        ),
      ];
    },
    encode: (frame) => (state.phase === "undecided" ? NOTHING : state.codec.encode(frame)),
  };
}
