import { Buffer } from "node:buffer";
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import {
  ndjson,
  openCodec,
  openNdjsonClient,
  openProtobufClient,
  protobuf,
  type ClientCodec,
  type ClientFrame,
  type Codec,
  type CodecOptions,
  type Inbound,
} from "../../src/codec/index.js";
import { cutAt } from "../support/chunkings.js";
import { preamble, fromHex } from "../support/vectors.js";
import { clientFrame, cuts, damage, damages, serverFrame } from "./arbitraries.js";

const options: CodecOptions = { maxFrameBytes: 64 * 1024 };
/** Preamble or length; a line's CR. */
const HEADER_BYTES = 4;

interface Ends {
  readonly server: () => Codec;
  readonly client: () => ClientCodec;
}

const structured: readonly (readonly [string, Ends])[] = [
  ["protobuf", { server: () => protobuf.open(options), client: () => openProtobufClient(options) }],
  ["ndjson", { server: () => ndjson.open(options), client: () => openNdjsonClient(options) }],
];

describe.each(structured)("%s", (_name, { server, client }) => {
  test("brings any client frames to the server, however the stream is cut", () => {
    fc.assert(
      fc.property(fc.array(clientFrame, { maxLength: 6 }), cuts, (frames, places) => {
        const sender = client();
        const stream = Buffer.concat(frames.map((frame) => sender.encode(frame)));
        const receiver = server();
        const received = cutAt(stream, places).flatMap((chunk) => receiver.push(chunk));
        expect(received).toEqual(frames);
        expect(receiver.pendingBytes).toBe(0);
      }),
    );
  });

  test("brings any server frames to the client, however the stream is cut", () => {
    fc.assert(
      fc.property(fc.array(serverFrame, { maxLength: 6 }), cuts, (frames, places) => {
        const sender = server();
        const stream = Buffer.concat(frames.map((frame) => sender.encode(frame)));
        const receiver = client();
        const received = cutAt(stream, places).flatMap((chunk) => receiver.push(chunk));
        expect(received).toEqual(frames);
        expect(receiver.pendingBytes).toBe(0);
      }),
    );
  });
});

test("both encodings say the same", () => {
  fc.assert(
    fc.property(clientFrame, (frame) => {
      const [a, b] = structured.map(([, { server, client }]) =>
        server().push(client().encode(frame)),
      );
      expect(a).toEqual(b);
    }),
  );
});

/** Pushes the chunks, and checks what has to hold after each of them. */
function pushAll(chunks: readonly Uint8Array[], maxFrameBytes: number): Inbound[] {
  const codec = openCodec({ maxFrameBytes });
  const inbound: Inbound[] = [];
  for (const chunk of chunks) {
    const before = inbound.length;
    const broken = inbound.at(-1)?.type === "broken";
    inbound.push(...codec.push(chunk));
    expect(codec.pendingBytes).toBeLessThanOrEqual(maxFrameBytes + HEADER_BYTES + chunk.length);
    if (broken) {
      expect(inbound).toHaveLength(before);
      expect(codec.pendingBytes).toBe(0);
    }
  }
  return inbound;
}

function expectTheSameHoweverCut(
  stream: Uint8Array,
  places: readonly number[],
  maxFrameBytes: number,
): void {
  const whole = pushAll([stream], maxFrameBytes);
  expect(pushAll(cutAt(stream, places), maxFrameBytes)).toEqual(whole);
  expect(whole.slice(0, -1).map(({ type }) => type)).not.toContain("broken");
  for (const frame of whole) {
    if (frame.type === "invalid") expect(frame.reason.length).toBeLessThan(200);
  }
}

const maxFrameBytes = fc.integer({ min: 1, max: 200 });

const openings = fc.constantFrom<Uint8Array>(
  fromHex(preamble),
  Buffer.from("{"),
  Buffer.from("/"),
  Buffer.from(" \n"),
);

const lines = fc.array(
  fc.constantFrom(
    "/login alice",
    "/join lobby",
    "/join dev 2",
    "hi",
    "//x",
    "/leave",
    "/say lobby a  b ",
    "/msg bob psst",
    "/who",
    "/history 5",
    "/nope",
    "/ping",
    "/help",
    "grüße",
    "",
  ),
  { maxLength: 8 },
);

const streams: readonly (readonly [string, fc.Arbitrary<Uint8Array>])[] = [
  [
    "protobuf",
    fc.array(clientFrame, { minLength: 1, maxLength: 4 }).map((frames) => {
      const client = openProtobufClient(options);
      return Buffer.concat(frames.map((frame: ClientFrame) => client.encode(frame)));
    }),
  ],
  [
    "ndjson",
    fc.array(clientFrame, { minLength: 1, maxLength: 4 }).map((frames) => {
      const client = openNdjsonClient(options);
      return Buffer.concat(frames.map((frame: ClientFrame) => client.encode(frame)));
    }),
  ],
  ["text", lines.map((all) => Buffer.from(all.map((line) => `${line}\n`).join("")))],
];

describe("any bytes give the same however they are cut, and never throw:", () => {
  test("random ones", () => {
    fc.assert(
      fc.property(
        openings,
        fc.uint8Array({ maxLength: 300 }),
        cuts,
        maxFrameBytes,
        (opening, bytes, places, max) =>
          expectTheSameHoweverCut(Buffer.concat([opening, bytes]), places, max),
      ),
      { numRuns: 500 },
    );
  });

  test.each(streams)("a %s stream", (_name, stream) => {
    fc.assert(
      fc.property(stream, cuts, (bytes, places) => expectTheSameHoweverCut(bytes, places, 65_536)),
    );
  });

  test.each(streams)("a damaged %s stream", (_name, stream) => {
    fc.assert(
      fc.property(stream, damages, cuts, maxFrameBytes, (bytes, all, places, max) =>
        expectTheSameHoweverCut(damage(bytes, all), places, max),
      ),
      { numRuns: 500 },
    );
  });
});
