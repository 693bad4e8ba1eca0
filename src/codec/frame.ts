/**
 * The chat frames as values: proto/chat.proto, with `type` naming the frame. 64-bit fields are
 * numbers (exact up to 2^53 - 1; a greater one on the wire is a bad frame). A field at its proto3
 * default is present with that value; fields declared `optional` are undefined when not set.
 */
import type * as pb from "../rpc/generated/chat.js";
import type { ErrorCode } from "../errors.js";

/** `{ $case, value }` as generated, flattened. */
type Flat<F> = F extends { $case: infer Type; value: infer Fields }
  ? { type: Type } & Fields
  : never;

export type ClientFrame = Flat<NonNullable<pb.ClientFrame["frame"]>>;
export type ServerFrame = Flat<NonNullable<pb.ServerFrame["frame"]>>;

export type ClientFrameType = ClientFrame["type"];
export type ServerFrameType = ServerFrame["type"];

export type ClientFrameOf<T extends ClientFrameType> = Extract<ClientFrame, { type: T }>;
export type ServerFrameOf<T extends ServerFrameType> = Extract<ServerFrame, { type: T }>;

/** Well framed, but not a command: answered with `fail`, and the connection goes on. */
export interface InvalidFrame {
  readonly type: "invalid";
  /** 0 where it could not be told. */
  readonly ref: number;
  readonly code: Extract<ErrorCode, "UNSUPPORTED" | "BAD_REQUEST">;
  readonly reason: string;
}

/** A request that the encoding answers by itself (text mode's /help). */
export interface LocalFrame {
  readonly type: "local";
  readonly answer: Uint8Array;
}

/** The stream can't be understood from here on: always the last thing a codec gives. */
export interface BrokenFrame {
  readonly type: "broken";
  readonly code: Extract<ErrorCode, "BAD_FRAME" | "FRAME_TOO_LARGE" | "UNSUPPORTED">;
  readonly reason: string;
}

export type Inbound = ClientFrame | InvalidFrame | LocalFrame | BrokenFrame;
