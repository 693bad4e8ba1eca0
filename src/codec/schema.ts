/**
 * The fields of every frame as data, for the encodings that are not generated. The compiler checks
 * each row against the frame's type: a missing, a superfluous or a wrongly typed field is an error.
 * Which of the number kinds a field has is checked against proto/chat.proto by a test.
 */
import type * as pb from "../rpc/generated/chat.js";
import type { ClientFrame, ServerFrame } from "./frame.js";

export type ScalarKind = "string" | "bytes" | "bool" | "uint32" | "uint64" | "double";

/** An enum by its names; a name's place is its number. */
export interface EnumKind<Name extends string = string> {
  readonly names: readonly Name[];
}

export interface MessageKind<Fields = AnyFields> {
  readonly fields: Fields;
}

export type ValueKind = ScalarKind | EnumKind | MessageKind;

/** A bare kind is a field that is always there, at its proto3 default when it was not given. */
export type Field =
  | ScalarKind
  | EnumKind
  | { readonly optional: ScalarKind }
  | { readonly repeated: ScalarKind | MessageKind };

export type AnyFields = Readonly<Record<string, Field>>;

type KindOf<V> = [V] extends [boolean]
  ? "bool"
  : [V] extends [number]
    ? "uint32" | "uint64" | "double"
    : [V] extends [string]
      ? string extends V
        ? "string"
        : EnumKind<V>
      : [V] extends [Uint8Array]
        ? "bytes"
        : MessageKind<FieldsOf<V>>;

type FieldOf<V> = undefined extends V
  ? { readonly optional: KindOf<NonNullable<V>> }
  : [V] extends [readonly (infer Item)[]]
    ? { readonly repeated: KindOf<Item> }
    : KindOf<V>;

export type FieldsOf<Message> = {
  readonly [Name in Exclude<keyof Message, "type">]-?: FieldOf<Message[Name]>;
};

export type Schema<Frame extends { readonly type: string }> = {
  readonly [Type in Frame["type"]]: FieldsOf<Extract<Frame, { readonly type: Type }>>;
};

const code: EnumKind<pb.Code> = {
  names: [
    "CODE_UNSPECIFIED",
    "BAD_FRAME",
    "FRAME_TOO_LARGE",
    "UNSUPPORTED",
    "BAD_REQUEST",
    "BAD_ROOM",
    "NOT_WELCOMED",
    "ALREADY_WELCOMED",
    "UNAUTHENTICATED",
    "FORBIDDEN",
    "NOT_JOINED",
    "TOO_MANY_ROOMS",
    "RATE_LIMITED",
    "SLOW_CONSUMER",
    "IDLE_TIMEOUT",
    "TAKEN_OVER",
    "UNAVAILABLE",
    "SHUTTING_DOWN",
    "INTERNAL",
  ],
};

const presenceEvent: EnumKind<pb.Presence_Event> = {
  names: ["EVENT_UNSPECIFIED", "JOINED", "LEFT"],
};

const message: FieldsOf<pb.Message> = {
  seq: "uint64",
  room: { optional: "string" },
  user: { optional: "string" },
  id: "string",
  from: "string",
  username: "string",
  text: { optional: "string" },
  data: { optional: "bytes" },
  qos: "uint32",
  ts: "double",
  offset: "uint64",
  replay: "bool",
};

const member: FieldsOf<pb.Member> = { clientId: "string", username: "string", since: "double" };

export const clientSchema: Schema<ClientFrame> = {
  hello: {
    clientId: "string",
    username: "string",
    password: "string",
    keepalive: { optional: "uint32" },
    resume: "bool",
    lastSeq: "uint64",
    sessionExpiry: { optional: "uint32" },
    agent: "string",
  },
  join: {
    ref: "uint32",
    room: "string",
    qos: { optional: "uint32" },
    presence: "bool",
    echo: "bool",
    history: "uint32",
  },
  leave: { ref: "uint32", room: "string" },
  say: {
    ref: "uint32",
    room: { optional: "string" },
    user: { optional: "string" },
    text: { optional: "string" },
    data: { optional: "bytes" },
    qos: { optional: "uint32" },
    key: "string",
  },
  ack: { seq: "uint64" },
  history: { ref: "uint32", room: "string", before: "string", limit: "uint32" },
  who: { ref: "uint32", room: "string" },
  ping: { nonce: "string" },
  bye: {},
};

export const serverSchema: Schema<ServerFrame> = {
  welcome: {
    clientId: "string",
    session: "string",
    resumed: "bool",
    rooms: { repeated: "string" },
    keepalive: "uint32",
    maxFrameBytes: "uint32",
    server: "string",
  },
  ok: { ref: "uint32", id: "string", offset: "uint64", recoverable: "bool" },
  fail: { ref: "uint32", code, reason: "string", retryAfterMs: "uint32" },
  message,
  presence: {
    room: "string",
    clientId: "string",
    username: "string",
    event: presenceEvent,
    ts: "double",
  },
  members: { ref: "uint32", room: "string", members: { repeated: { fields: member } } },
  page: {
    ref: "uint32",
    room: "string",
    messages: { repeated: { fields: message } },
    more: "bool",
  },
  caughtUp: { room: "string", complete: "bool", from: "uint64", to: "uint64" },
  pong: { nonce: "string" },
  bye: { code, reason: "string", retryAfterMs: "uint32" },
};
