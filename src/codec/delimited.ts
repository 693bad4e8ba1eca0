/**
 * The protobuf encoding: the preamble 00 43 48 01 from the client, once; then, both ways, frames of
 * an unsigned LEB128 length and a ClientFrame or ServerFrame message.
 *
 * The messages are read and written by generated code. Their envelope, one oneof, is read here: it
 * has to tell an unknown frame from a damaged one, and generated code does not notice a message
 * that ends before or behind the length it announces.
 */
import { Buffer } from "node:buffer";
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import * as pb from "../rpc/generated/chat.js";
import { createByteQueue } from "./byte-queue.js";
import type { ClientCodec, CodecOptions, Encoding, FrameCodec } from "./encoding.js";
import type { BrokenFrame, ClientFrame, InvalidFrame, ServerFrame } from "./frame.js";
import { broken, createFramedCodec, tooLarge, type Framer } from "./framer.js";
import { decodeUtf8 } from "./unicode.js";

const VERSION = 1;
/** NUL, "C", "H", and the version. */
const PREAMBLE = Uint8Array.of(0x00, 0x43, 0x48, VERSION);
const VERSION_INDEX = PREAMBLE.length - 1;
const NO_PREAMBLE = new Uint8Array(0);
/** 2^28 - 1 bytes is as much as a length can say. */
const MAX_LENGTH_BYTES = 4;

export const protobuf: Encoding = {
  name: "protobuf",
  selfAcknowledging: false,
  opensWith: (firstByte) => firstByte === PREAMBLE[0],
  open: (options) =>
    createDelimitedCodec(options, {
      incoming: clientMessages,
      outgoing: serverMessages,
      expects: PREAMBLE,
      sends: NO_PREAMBLE,
    }),
};

/** The client's end: its first frame goes out behind the preamble. */
export function openProtobufClient(options: CodecOptions): ClientCodec {
  return createDelimitedCodec(options, {
    incoming: serverMessages,
    outgoing: clientMessages,
    expects: NO_PREAMBLE,
    sends: PREAMBLE,
  });
}

type AnyFrame = { readonly type: string };

/** One alternative of the oneof. */
interface Arm<F extends AnyFrame> {
  readonly field: number;
  /** Reads a message of `length` bytes. */
  decode(reader: BinaryReader, length: number): F;
  encode(frame: F, writer: BinaryWriter): void;
}

/** The oneof: every frame of `F` has its arm. */
type Arms<F extends AnyFrame> = {
  readonly [T in F["type"]]: Arm<Extract<F, { readonly type: T }>>;
};

function arm<T extends string, M extends object>(
  type: T,
  field: number,
  message: Pick<pb.MessageFns<M>, "decode" | "encode">,
): Arm<{ type: T } & M> {
  return {
    field,
    decode: (reader, length) => ({ type, ...message.decode(reader, length) }),
    encode: (frame, writer) => void message.encode(frame, writer),
  };
}

const clientMessages: Arms<ClientFrame> = {
  hello: arm("hello", 1, pb.Hello),
  join: arm("join", 2, pb.Join),
  leave: arm("leave", 3, pb.Leave),
  say: arm("say", 4, pb.Say),
  ack: arm("ack", 5, pb.Ack),
  history: arm("history", 6, pb.History),
  who: arm("who", 7, pb.Who),
  ping: arm("ping", 8, pb.Ping),
  bye: arm("bye", 9, pb.Goodbye),
};

const serverMessages: Arms<ServerFrame> = {
  welcome: arm("welcome", 1, pb.Welcome),
  ok: arm("ok", 2, pb.Ok),
  fail: arm("fail", 3, pb.Fail),
  message: arm("message", 4, pb.Message),
  presence: arm("presence", 5, pb.Presence),
  members: arm("members", 6, pb.Members),
  page: arm("page", 7, pb.Page),
  caughtUp: arm("caughtUp", 8, pb.CaughtUp),
  pong: arm("pong", 9, pb.Pong),
  bye: arm("bye", 10, pb.Bye),
};

interface Direction<In extends AnyFrame, Out extends AnyFrame> {
  readonly incoming: Arms<In>;
  readonly outgoing: Arms<Out>;
  readonly expects: Uint8Array;
  readonly sends: Uint8Array;
}

function createDelimitedCodec<In extends AnyFrame, Out extends AnyFrame>(
  { maxFrameBytes }: CodecOptions,
  { incoming, outgoing, expects, sends }: Direction<In, Out>,
): FrameCodec<In | InvalidFrame | BrokenFrame, Out> {
  let unsent = sends;
  return createFramedCodec<In | InvalidFrame, Out>({
    framer: createDelimitedFramer(expects),
    maxFrameBytes,
    decode: createEnvelopeDecoder(Object.values<Arm<In>>(incoming)),
    encode(frame) {
      const writer = new BinaryWriter().raw(unsent);
      unsent = NO_PREAMBLE;
      const arm: Arm<Out> = outgoing[frame.type as Out["type"]];
      writer.fork().tag(arm.field, WireType.LengthDelimited).fork();
      arm.encode(frame, writer);
      return writer.join().join().finish();
    },
  });
}

/** Reads `bytes` fields into memory of their own. Strings have theirs anyway. */
class DetachingReader extends BinaryReader {
  override bytes(): Uint8Array<ArrayBuffer> {
    return Buffer.from(super.bytes());
  }
}

function createEnvelopeDecoder<In extends AnyFrame>(arms: readonly Arm<In>[]) {
  const armOf = new Map(arms.map((arm) => [arm.field, arm]));

  /** @throws when the body is not a message. */
  function decodeEnvelope(body: Uint8Array): In | InvalidFrame {
    const reader = new DetachingReader(body, decodeUtf8);
    let frame: In | undefined;
    let unknown: string | undefined;
    while (reader.pos < reader.len) {
      const [field, wireType] = reader.tag();
      const arm = wireType === WireType.LengthDelimited ? armOf.get(field) : undefined;
      if (arm === undefined) {
        unknown = `field number ${field} and wire type ${wireType}`;
        reader.skip(wireType, field);
        continue;
      }
      const length = reader.uint32();
      const end = reader.pos + length;
      // A later arm takes the place of an earlier one, as in every oneof.
      frame = arm.decode(reader, length);
      if (reader.pos !== end) throw new RangeError("the message does not end where it says");
    }
    return frame ?? unknownFrame(unknown);
  }

  return (body: Uint8Array): In | InvalidFrame | BrokenFrame => {
    try {
      return decodeEnvelope(body);
    } catch (error) {
      const fault = error instanceof Error ? error.message : "unreadable";
      return broken("BAD_FRAME", `the frame's body is not a valid protobuf message: ${fault}`);
    }
  };
}

function unknownFrame(what: string | undefined): InvalidFrame {
  const reason =
    what === undefined
      ? "the frame is empty: it has to hold one command"
      : `version ${VERSION} knows no frame with ${what}`;
  return { type: "invalid", ref: 0, code: "UNSUPPORTED", reason };
}

function createDelimitedFramer(preamble: Uint8Array): Framer {
  const body = createByteQueue();
  let phase: "preamble" | "length" | "body" = preamble.length === 0 ? "length" : "preamble";
  /** Bytes read of the preamble, or of the length. */
  let headerBytes = 0;
  let bodyBytes = 0;

  function readPreamble(byte: number): BrokenFrame | undefined {
    if (byte !== preamble[headerBytes]) {
      return headerBytes === VERSION_INDEX
        ? broken("UNSUPPORTED", `version ${byte} is not known here, version ${VERSION} is`)
        : broken("BAD_FRAME", "the protobuf encoding begins with the bytes 00 43 48 01");
    }
    headerBytes += 1;
    if (headerBytes === preamble.length) expectLength();
    return undefined;
  }

  function readLength(byte: number): BrokenFrame | undefined {
    bodyBytes |= (byte & 0x7f) << (7 * headerBytes);
    headerBytes += 1;
    if (byte < 0x80) phase = "body";
    else if (headerBytes === MAX_LENGTH_BYTES) {
      return broken("BAD_FRAME", `a frame's length takes at most ${MAX_LENGTH_BYTES} bytes`);
    }
    return undefined;
  }

  function expectLength(): void {
    phase = "length";
    headerBytes = 0;
    bodyBytes = 0;
  }

  return {
    get pendingBytes() {
      return headerBytes + body.length;
    },
    *cut(chunk, maxFrameBytes) {
      let position = 0;
      // A body of no bytes is complete without another one.
      while (position < chunk.length || phase === "body") {
        if (phase !== "body") {
          const byte = chunk[position] ?? 0;
          position += 1;
          const fault = phase === "preamble" ? readPreamble(byte) : readLength(byte);
          if (fault !== undefined) {
            yield fault;
            return;
          }
          continue;
        }
        if (bodyBytes > maxFrameBytes) {
          yield tooLarge(maxFrameBytes);
          return;
        }
        const missing = bodyBytes - body.length;
        const piece = chunk.subarray(position, position + missing);
        position += piece.length;
        if (piece.length === bodyBytes) {
          expectLength();
          yield piece;
          continue;
        }
        body.append(piece);
        if (piece.length < missing) return;
        expectLength();
        yield body.take();
      }
    },
  };
}
