import { Buffer } from "node:buffer";
import { describe, expect, test } from "@jest/globals";
import {
  ndjson,
  openNdjsonClient,
  openProtobufClient,
  protobuf,
  type FrameCodec,
} from "../../src/codec/index.js";
import { chunkings } from "../support/chunkings.js";
import {
  clientVectors,
  fromHex,
  preamble,
  serverVectors,
  toHex,
  type Vector,
} from "../support/vectors.js";

const options = { maxFrameBytes: 1024 };
const line = ({ json }: Vector<unknown>) => Buffer.from(`${json}\n`);
const message = ({ protobuf: hex }: Vector<unknown>) => fromHex(hex);

interface Direction {
  readonly name: string;
  readonly vectors: readonly Vector<{ readonly type: string }>[];
  readonly opening: Uint8Array;
  readonly bytesOf: (vector: Vector<unknown>) => Uint8Array;
  readonly receiver: () => Pick<FrameCodec<unknown, never>, "push" | "pendingBytes">;
  /** Encodes one of the vectors; the first one comes with the opening. */
  readonly sender: () => (vector: number) => Uint8Array;
}

const directions: readonly Direction[] = [
  {
    name: "protobuf, from the client",
    vectors: clientVectors,
    opening: fromHex(preamble),
    bytesOf: message,
    receiver: () => protobuf.open(options),
    sender: () => {
      const client = openProtobufClient(options);
      return (vector) => client.encode(clientVectors[vector]!.frame);
    },
  },
  {
    name: "protobuf, from the server",
    vectors: serverVectors,
    opening: Buffer.alloc(0),
    bytesOf: message,
    receiver: () => openProtobufClient(options),
    sender: () => {
      const server = protobuf.open(options);
      return (vector) => server.encode(serverVectors[vector]!.frame);
    },
  },
  {
    name: "ndjson, from the client",
    vectors: clientVectors,
    opening: Buffer.alloc(0),
    bytesOf: line,
    receiver: () => ndjson.open(options),
    sender: () => {
      const client = openNdjsonClient(options);
      return (vector) => client.encode(clientVectors[vector]!.frame);
    },
  },
  {
    name: "ndjson, from the server",
    vectors: serverVectors,
    opening: Buffer.alloc(0),
    bytesOf: line,
    receiver: () => openNdjsonClient(options),
    sender: () => {
      const server = ndjson.open(options);
      return (vector) => server.encode(serverVectors[vector]!.frame);
    },
  },
];

describe.each(directions)("$name", ({ vectors, opening, bytesOf, receiver, sender }) => {
  const rows = vectors.map((vector, index) => ({ ...vector, index, bytes: bytesOf(vector) }));

  test.each(rows)("encodes $name", ({ index, bytes }) => {
    const encoded = sender()(index);
    expect(toHex(encoded)).toBe(toHex(Buffer.concat([opening, bytes])));
  });

  test("says the opening once", () => {
    const encode = sender();
    encode(0);
    expect(toHex(encode(0))).toBe(toHex(rows[0]!.bytes));
  });

  describe.each(chunkings)("cut %s", (_name, cut) => {
    test.each(rows)("decodes $name", ({ frame, bytes }) => {
      const codec = receiver();
      const stream = Buffer.concat([opening, bytes]);
      expect(cut(stream).flatMap((chunk) => codec.push(chunk))).toEqual([frame]);
      expect(codec.pendingBytes).toBe(0);
    });

    test("decodes all of them in one stream", () => {
      const codec = receiver();
      const stream = Buffer.concat([opening, ...rows.map(({ bytes }) => bytes)]);
      const frames = cut(stream).flatMap((chunk) => codec.push(chunk));
      expect(frames).toEqual(rows.map(({ frame }) => frame));
      expect(codec.pendingBytes).toBe(0);
    });
  });

  test("shares no memory with the chunk", () => {
    const codec = receiver();
    const chunk = Buffer.concat([opening, ...rows.map(({ bytes }) => bytes)]);
    const frames = codec.push(chunk);
    chunk.fill(0xee);
    expect(frames).toEqual(rows.map(({ frame }) => frame));
  });
});
