/**
 * The ndjson encoding: one JSON object a line, the proto3 JSON mapping of a ClientFrame or a
 * ServerFrame, with exactly one key, which names the frame.
 */
import { Buffer } from "node:buffer";
import type { ClientCodec, CodecOptions, Encoding, FrameCodec } from "./encoding.js";
import type { BrokenFrame, ClientFrame, InvalidFrame, ServerFrame } from "./frame.js";
import { broken, createFramedCodec } from "./framer.js";
import { createFrameMapping, isObject, type FrameMapping } from "./json-mapping.js";
import { Mismatch, scalarKind } from "./json-value.js";
import { createLineFramer } from "./lines.js";
import { clientSchema, serverSchema } from "./schema.js";
import { decodeUtf8 } from "./unicode.js";

const clientFrames = createFrameMapping<ClientFrame>(clientSchema);
const serverFrames = createFrameMapping<ServerFrame>(serverSchema);

const OPENING_BRACE = 0x7b;
/** JSON knows these blanks and no others; the line's end is gone. */
const NOT_BLANK = /[^ \t\r]/;

export const ndjson: Encoding = {
  name: "ndjson",
  selfAcknowledging: false,
  opensWith: (firstByte) => firstByte === OPENING_BRACE,
  open: (options) => createNdjsonCodec(options, clientFrames, serverFrames),
};

/** The client's end. */
export function openNdjsonClient(options: CodecOptions): ClientCodec {
  return createNdjsonCodec(options, serverFrames, clientFrames);
}

type AnyFrame = { readonly type: string };

function createNdjsonCodec<In extends AnyFrame, Out extends AnyFrame>(
  { maxFrameBytes }: CodecOptions,
  incoming: FrameMapping<In>,
  outgoing: FrameMapping<Out>,
): FrameCodec<In | InvalidFrame | BrokenFrame, Out> {
  return createFramedCodec<In | InvalidFrame, Out>({
    framer: createLineFramer(),
    maxFrameBytes,
    decode: (line) => decodeLine(line, incoming),
    encode: (frame) => Buffer.from(`${JSON.stringify(outgoing.write(frame))}\n`),
  });
}

function decodeLine<In extends AnyFrame>(
  line: Uint8Array,
  frames: FrameMapping<In>,
): In | InvalidFrame | BrokenFrame | undefined {
  let text: string;
  try {
    text = decodeUtf8(line);
  } catch {
    return broken("BAD_FRAME", "the line is not valid UTF-8");
  }
  if (!NOT_BLANK.test(text)) return undefined;
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return broken("BAD_FRAME", "the line is not valid JSON");
  }
  if (!isObject(json)) return broken("BAD_FRAME", "the line is not a JSON object");
  return decodeFrame(json, frames);
}

function decodeFrame<In extends AnyFrame>(
  json: Readonly<Record<string, unknown>>,
  frames: FrameMapping<In>,
): In | InvalidFrame {
  const keys = Object.keys(json);
  const [key] = keys;
  if (key === undefined || keys.length > 1) {
    return invalid(0, "BAD_REQUEST", `expected one key, the frame's name, got ${keys.length}`);
  }
  const body = json[key];
  const type = frames.typeOf(key);
  if (type === undefined) {
    return invalid(readRef(body), "UNSUPPORTED", `no frame is called ${shorten(key)}`);
  }
  const frame = frames.read(type, body);
  if (!(frame instanceof Mismatch)) return frame;
  return invalid(readRef(body), "BAD_REQUEST", frame.reason);
}

/** 0 where it can't be told. */
function readRef(body: unknown): number {
  const ref = isObject(body) ? scalarKind("uint32").read(body.ref) : 0;
  return typeof ref === "number" ? ref : 0;
}

function invalid(ref: number, code: InvalidFrame["code"], reason: string): InvalidFrame {
  return { type: "invalid", ref, code, reason };
}

const MAX_SHOWN_CHARACTERS = 24;

function shorten(name: string): string {
  return name.length <= MAX_SHOWN_CHARACTERS
    ? JSON.stringify(name)
    : `${JSON.stringify(name.slice(0, MAX_SHOWN_CHARACTERS))}…`;
}
