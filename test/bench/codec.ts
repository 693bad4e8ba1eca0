/**
 * How fast the encodings are, on one core, in both directions. Prints a table.
 *
 *   npm run bench -- codec
 */
import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import type { ClientCodec, ClientFrame, Encoding, ServerFrame } from "../../src/codec/index.js";
import {
  ndjson,
  openNdjsonClient,
  openProtobufClient,
  protobuf,
  text,
} from "../../src/codec/index.js";

const MAX_FRAME_BYTES = 64 * 1024;
/** As EMQX cuts what a client sends in a hurry. */
const CHUNK_BYTES = 4096;
const ROUND_MS = 300;
const ROUNDS = 3;

const smallSay: ClientFrame = { type: "say", ref: 7, room: "lobby", text: "hello there", key: "" };
const bigSay: ClientFrame = { ...smallSay, text: "x".repeat(60_000) };
const bigUmlauts: ClientFrame = { ...smallSay, text: "aäbö".repeat(10_000) };
const bigData: ClientFrame = {
  type: "say",
  ref: 7,
  room: "lobby",
  data: randomBytes(40_000),
  key: "",
};

const smallMessage: ServerFrame = {
  type: "message",
  seq: 7,
  room: "lobby",
  id: "000660E443F1D93DF440000002C30001",
  from: "alice-k2",
  username: "alice",
  text: "hello there",
  qos: 1,
  ts: 1_795_383_368_997,
  offset: 12,
  replay: false,
};
const bigMessage: ServerFrame = { ...smallMessage, text: "x".repeat(60_000) };

const sayings: Readonly<Record<string, ClientFrame>> = {
  "small say": smallSay,
  "60 KB say": bigSay,
  "60 KB say, umlauts": bigUmlauts,
  "40 KB data": bigData,
};
const messages: Readonly<Record<string, ServerFrame>> = {
  "small message": smallMessage,
  "60 KB message": bigMessage,
};

interface Speed {
  readonly framesPerSecond: number;
  readonly megabytesPerSecond: number;
}

/** The best of some rounds of `work`, which does so many frames and bytes at a time. */
function measure(frames: number, bytes: number, work: () => void): Speed {
  let bestMs = Infinity;
  for (let round = 0; round < ROUNDS; round += 1) {
    const start = performance.now();
    let times = 0;
    while (performance.now() - start < ROUND_MS) {
      work();
      times += 1;
    }
    bestMs = Math.min(bestMs, (performance.now() - start) / times);
  }
  return {
    framesPerSecond: Math.round((frames / bestMs) * 1_000),
    megabytesPerSecond: Math.round(bytes / bestMs / 1_000),
  };
}

function measureDecoding(encoding: Encoding, one: Uint8Array, opening: Uint8Array): Speed {
  const count = Math.max(4, Math.floor(256_000 / one.length));
  const stream = Buffer.concat(Array.from({ length: count }, () => one));
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < stream.length; at += CHUNK_BYTES) {
    chunks.push(new Uint8Array(stream.subarray(at, at + CHUNK_BYTES)));
  }
  const codec = encoding.open({ maxFrameBytes: 2 * MAX_FRAME_BYTES });
  codec.push(opening);
  return measure(count, stream.length, () => {
    let got = 0;
    for (const chunk of chunks) got += codec.push(chunk).length;
    if (got !== count) throw new Error(`${got} of ${count} frames`);
  });
}

function measureEncoding(encoding: Encoding, frame: ServerFrame): Speed {
  const codec = encoding.open({ maxFrameBytes: MAX_FRAME_BYTES });
  const bytes = codec.encode(frame).length;
  const count = bytes > 1_000 ? 10 : 1_000;
  return measure(count, bytes * count, () => {
    for (let i = 0; i < count; i += 1) codec.encode(frame);
  });
}

const results: Record<string, Speed> = {};
const clients: readonly (readonly [Encoding, ClientCodec])[] = [
  [protobuf, openProtobufClient({ maxFrameBytes: MAX_FRAME_BYTES })],
  [ndjson, openNdjsonClient({ maxFrameBytes: MAX_FRAME_BYTES })],
];
const hello: ClientFrame = {
  type: "hello",
  clientId: "a",
  username: "",
  password: "",
  resume: false,
  lastSeq: 0,
  agent: "",
};
for (const [encoding, client] of clients) {
  const opening = client.encode(hello);
  for (const [name, frame] of Object.entries(sayings)) {
    results[`${encoding.name} in, ${name}`] = measureDecoding(
      encoding,
      client.encode(frame),
      opening,
    );
  }
}
for (const [name, line] of [
  ["small say", "/say lobby hello there\n"],
  ["60 KB say", `/say lobby ${"x".repeat(60_000)}\n`],
] as const) {
  results[`text in, ${name}`] = measureDecoding(
    text,
    Buffer.from(line),
    Buffer.from("/login alice\n"),
  );
}
for (const encoding of [protobuf, ndjson, text]) {
  for (const [name, frame] of Object.entries(messages)) {
    results[`${encoding.name} out, ${name}`] = measureEncoding(encoding, frame);
  }
}

const rows = Object.entries(results).map(
  ([name, { framesPerSecond, megabytesPerSecond }]) =>
    `${name.padEnd(32)}${framesPerSecond.toLocaleString("en").padStart(12)} frames/s` +
    `${String(megabytesPerSecond).padStart(8)} MB/s\n`,
);
process.stdout.write(rows.join(""));
