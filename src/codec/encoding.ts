/**
 * The port of an encoding.
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
import type { BrokenFrame, ClientFrame, Inbound, InvalidFrame, ServerFrame } from "./frame.js";

export type EncodingName = "protobuf" | "ndjson" | "text";

/** One end of a connection: `In` comes out of the bytes, `Out` goes into them. */
export interface FrameCodec<In, Out> {
  push(chunk: Uint8Array): In[];
  /** May be empty: text mode does not show every frame. */
  encode(frame: Out): Uint8Array;
  /** Bytes held for a frame that is not complete. */
  readonly pendingBytes: number;
  /** Applies to every frame that is not complete yet. */
  maxFrameBytes: number;
}

/** The server's end. */
export type Codec = FrameCodec<Inbound, ServerFrame>;

/** The client's end. */
export type ClientCodec = FrameCodec<ServerFrame | InvalidFrame | BrokenFrame, ClientFrame>;

export interface CodecOptions {
  readonly maxFrameBytes: number;
}

export interface Encoding {
  readonly name: EncodingName;
  /** The client has no way to acknowledge: what was sent counts as taken over. */
  readonly selfAcknowledging: boolean;
  /** Whether a connection whose first byte, after blanks, is this one speaks the encoding. */
  opensWith(firstByte: number): boolean;
  open(options: CodecOptions): Codec;
}
