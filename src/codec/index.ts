/**
 * The codec: bytes ⇄ frames, for every encoding of the chat protocol.
 *
 * Pure: what lives here has no promise, timer, clock, logger, I/O or environment. It knows no
 * session, broker or gRPC: frame.ts has the frames, encoding.ts the contract of an encoding,
 * detect.ts the list of the encodings.
 */
export { encodingNamed, encodings, openCodec, type DetectingCodec } from "./detect.js";
export { openProtobufClient, protobuf } from "./delimited.js";
export type {
  ClientCodec,
  Codec,
  CodecOptions,
  Encoding,
  EncodingName,
  FrameCodec,
} from "./encoding.js";
export type {
  BrokenFrame,
  ClientFrame,
  ClientFrameOf,
  ClientFrameType,
  Inbound,
  InvalidFrame,
  LocalFrame,
  ServerFrame,
  ServerFrameOf,
  ServerFrameType,
} from "./frame.js";
export { ndjson, openNdjsonClient } from "./ndjson.js";
export { text } from "./text.js";
