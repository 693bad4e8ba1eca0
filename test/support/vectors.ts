/**
 * Every frame in the structured encodings, as bytes to hold both directions against. The protobuf
 * bytes, length first, come from another implementation, fed with the JSON beside them:
 *
 *   npx buf convert proto --type chat.v1.ClientFrame --from -#format=json --to -#format=binpb
 */
import { Buffer } from "node:buffer";
import type { ClientFrame, ServerFrame } from "../../src/codec/index.js";

export interface Vector<Frame> {
  readonly name: string;
  readonly frame: Frame;
  /** Hex: the length, then the message. */
  readonly protobuf: string;
  readonly json: string;
}

/** What the client says before its first frame in protobuf, in hex. */
export const preamble = "00 43 48 01";

export const clientVectors: readonly Vector<ClientFrame>[] = [
  {
    name: "hello, everything given",
    frame: {
      type: "hello",
      clientId: "alice-k2",
      username: "alice",
      password: "s3cret",
      keepalive: 30,
      resume: true,
      lastSeq: 9007199254740991,
      sessionExpiry: 3600,
      agent: "cli/1",
    },
    protobuf:
      "32 0a300a08616c6963652d6b321205616c6963651a06733363726574201e280130ffffffffffffff0f38901c4205636c692f31",
    json: String.raw`{"hello":{"clientId":"alice-k2","username":"alice","password":"s3cret","keepalive":30,"resume":true,"lastSeq":"9007199254740991","sessionExpiry":3600,"agent":"cli/1"}}`,
  },
  {
    name: "hello, everything left out",
    frame: {
      type: "hello",
      clientId: "",
      username: "",
      password: "",
      resume: false,
      lastSeq: 0,
      agent: "",
    },
    protobuf: "02 0a00",
    json: String.raw`{"hello":{}}`,
  },
  {
    name: "hello, optional fields set to 0",
    frame: {
      type: "hello",
      clientId: "",
      username: "",
      password: "",
      keepalive: 0,
      resume: false,
      lastSeq: 0,
      sessionExpiry: 0,
      agent: "",
    },
    protobuf: "06 0a0420003800",
    json: String.raw`{"hello":{"keepalive":0,"sessionExpiry":0}}`,
  },
  {
    name: "join",
    frame: { type: "join", ref: 1, room: "lobby", qos: 2, presence: true, echo: true, history: 20 },
    protobuf: "13 1211080112056c6f6262791802200128013014",
    json: String.raw`{"join":{"ref":1,"room":"lobby","qos":2,"presence":true,"echo":true,"history":20}}`,
  },
  {
    name: "join, qos 0 set",
    frame: {
      type: "join",
      ref: 4294967295,
      room: "zürich",
      qos: 0,
      presence: false,
      echo: false,
      history: 0,
    },
    protobuf: "13 121108ffffffff0f12077ac3bc726963681800",
    json: String.raw`{"join":{"ref":4294967295,"room":"zürich","qos":0}}`,
  },
  {
    name: "leave",
    frame: { type: "leave", ref: 2, room: "lobby" },
    protobuf: "0b 1a09080212056c6f626279",
    json: String.raw`{"leave":{"ref":2,"room":"lobby"}}`,
  },
  {
    name: "say, a text to a room",
    frame: { type: "say", ref: 3, room: "lobby", text: 'grüße 👋 "quoted"\n\ttab', key: "k-1" },
    protobuf:
      "2c 222a080312056c6f626279221a6772c3bcc39f6520f09f918b202271756f746564220a097461623a036b2d31",
    json: String.raw`{"say":{"ref":3,"room":"lobby","text":"grüße 👋 \"quoted\"\n\ttab","key":"k-1"}}`,
  },
  {
    name: "say, an empty text",
    frame: { type: "say", ref: 4, room: "lobby", text: "", key: "" },
    protobuf: "0d 220b080412056c6f6262792200",
    json: String.raw`{"say":{"ref":4,"room":"lobby","text":""}}`,
  },
  {
    name: "say, data to a user",
    frame: {
      type: "say",
      ref: 5,
      user: "bob",
      data: Buffer.from([0, 10, 13, 123, 255]),
      qos: 1,
      key: "",
    },
    protobuf: "12 221008051a03626f622a05000a0d7bff3001",
    json: String.raw`{"say":{"ref":5,"user":"bob","data":"AAoNe/8=","qos":1}}`,
  },
  {
    name: "say, no data",
    frame: { type: "say", ref: 6, user: "bob", data: Buffer.alloc(0), qos: 0, key: "" },
    protobuf: "0d 220b08061a03626f622a003000",
    json: String.raw`{"say":{"ref":6,"user":"bob","data":"","qos":0}}`,
  },
  {
    name: "ack",
    frame: { type: "ack", seq: 4294967296 },
    protobuf: "08 2a06088080808010",
    json: String.raw`{"ack":{"seq":"4294967296"}}`,
  },
  {
    name: "history",
    frame: {
      type: "history",
      ref: 7,
      room: "lobby",
      before: "000660E443F1D93DF440000002C30001",
      limit: 50,
    },
    protobuf:
      "2f 322d080712056c6f6262791a2030303036363045343433463144393344463434303030303030324333303030312032",
    json: String.raw`{"history":{"ref":7,"room":"lobby","before":"000660E443F1D93DF440000002C30001","limit":50}}`,
  },
  {
    name: "who",
    frame: { type: "who", ref: 8, room: "lobby" },
    protobuf: "0b 3a09080812056c6f626279",
    json: String.raw`{"who":{"ref":8,"room":"lobby"}}`,
  },
  {
    name: "ping",
    frame: { type: "ping", nonce: "n-1" },
    protobuf: "07 42050a036e2d31",
    json: String.raw`{"ping":{"nonce":"n-1"}}`,
  },
  {
    name: "bye",
    frame: { type: "bye" },
    protobuf: "02 4a00",
    json: String.raw`{"bye":{}}`,
  },
];

export const serverVectors: readonly Vector<ServerFrame>[] = [
  {
    name: "welcome",
    frame: {
      type: "welcome",
      clientId: "alice-k2",
      session: "s1",
      resumed: true,
      rooms: ["lobby", "zürich"],
      keepalive: 60,
      maxFrameBytes: 65536,
      server: "gw-1",
    },
    protobuf:
      "2e 0a2c0a08616c6963652d6b3212027331180122056c6f62627922077ac3bc72696368283c308080043a0467772d31",
    json: String.raw`{"welcome":{"clientId":"alice-k2","session":"s1","resumed":true,"rooms":["lobby","zürich"],"keepalive":60,"maxFrameBytes":65536,"server":"gw-1"}}`,
  },
  {
    name: "ok",
    frame: {
      type: "ok",
      ref: 3,
      id: "000660E443F1D93DF440000002C30001",
      offset: 9007199254740991,
      recoverable: true,
    },
    protobuf:
      "31 122f08031220303030363630453434334631443933444634343030303030303243333030303118ffffffffffffff0f2001",
    json: String.raw`{"ok":{"ref":3,"id":"000660E443F1D93DF440000002C30001","offset":"9007199254740991","recoverable":true}}`,
  },
  {
    name: "ok, everything at its default",
    frame: { type: "ok", ref: 0, id: "", offset: 0, recoverable: false },
    protobuf: "02 1200",
    json: String.raw`{"ok":{}}`,
  },
  {
    name: "fail",
    frame: { type: "fail", ref: 1, code: "RATE_LIMITED", reason: "too fast", retryAfterMs: 1500 },
    protobuf: "13 1a110801100c1a08746f6f206661737420dc0b",
    json: String.raw`{"fail":{"ref":1,"code":"RATE_LIMITED","reason":"too fast","retryAfterMs":1500}}`,
  },
  {
    name: "message in a room",
    frame: {
      type: "message",
      seq: 12,
      room: "lobby",
      id: "000660E443F1D93DF440000002C30001",
      from: "alice-k2",
      username: "alice",
      text: "hi",
      qos: 1,
      ts: 1795383368997,
      offset: 7,
      replay: true,
    },
    protobuf:
      "51 224f080c12056c6f626279222030303036363045343433463144393344463434303030303030324333303030312a08616c6963652d6b323205616c6963653a0268694801510050d20153207a4258076001",
    json: String.raw`{"message":{"seq":"12","room":"lobby","id":"000660E443F1D93DF440000002C30001","from":"alice-k2","username":"alice","text":"hi","qos":1,"ts":1795383368997,"offset":"7","replay":true}}`,
  },
  {
    name: "message in an inbox",
    frame: {
      type: "message",
      seq: 0,
      user: "bob",
      id: "",
      from: "carl",
      username: "",
      data: Buffer.from([1, 2, 3]),
      qos: 0,
      ts: 0.5,
      offset: 0,
      replay: false,
    },
    protobuf: "1b 22191a03626f622a046361726c420301020351000000000000e03f",
    json: String.raw`{"message":{"user":"bob","from":"carl","data":"AQID","ts":0.5}}`,
  },
  {
    name: "presence",
    frame: {
      type: "presence",
      room: "lobby",
      clientId: "bob-1",
      username: "bob",
      event: "LEFT",
      ts: 1795383368997,
    },
    protobuf: "20 2a1e0a056c6f6262791205626f622d311a03626f622002290050d20153207a42",
    json: String.raw`{"presence":{"room":"lobby","clientId":"bob-1","username":"bob","event":"LEFT","ts":1795383368997}}`,
  },
  {
    name: "members",
    frame: {
      type: "members",
      ref: 8,
      room: "lobby",
      members: [
        { clientId: "a", username: "alice", since: 1795383368997 },
        { clientId: "b", username: "", since: 0 },
      ],
    },
    protobuf: "25 3223080812056c6f6262791a130a01611205616c696365190050d20153207a421a030a0162",
    json: String.raw`{"members":{"ref":8,"room":"lobby","members":[{"clientId":"a","username":"alice","since":1795383368997},{"clientId":"b"}]}}`,
  },
  {
    name: "page",
    frame: {
      type: "page",
      ref: 7,
      room: "lobby",
      messages: [
        {
          seq: 12,
          room: "lobby",
          id: "000660E443F1D93DF440000002C30001",
          from: "alice-k2",
          username: "alice",
          text: "hi",
          qos: 1,
          ts: 1795383368997,
          offset: 7,
          replay: true,
        },
        {
          seq: 0,
          user: "bob",
          id: "",
          from: "carl",
          username: "",
          data: Buffer.from([1, 2, 3]),
          qos: 0,
          ts: 0.5,
          offset: 0,
          replay: false,
        },
      ],
      more: true,
    },
    protobuf:
      "79 3a77080712056c6f6262791a4f080c12056c6f626279222030303036363045343433463144393344463434303030303030324333303030312a08616c6963652d6b323205616c6963653a0268694801510050d20153207a42580760011a191a03626f622a046361726c420301020351000000000000e03f2001",
    json: String.raw`{"page":{"ref":7,"room":"lobby","messages":[{"seq":"12","room":"lobby","id":"000660E443F1D93DF440000002C30001","from":"alice-k2","username":"alice","text":"hi","qos":1,"ts":1795383368997,"offset":"7","replay":true},{"user":"bob","from":"carl","data":"AQID","ts":0.5}],"more":true}}`,
  },
  {
    name: "page, empty",
    frame: { type: "page", ref: 7, room: "lobby", messages: [], more: false },
    protobuf: "0b 3a09080712056c6f626279",
    json: String.raw`{"page":{"ref":7,"room":"lobby"}}`,
  },
  {
    name: "caughtUp",
    frame: { type: "caughtUp", room: "lobby", complete: true, from: 0, to: 0 },
    protobuf: "0b 42090a056c6f6262791001",
    json: String.raw`{"caughtUp":{"room":"lobby","complete":true}}`,
  },
  {
    name: "caughtUp, with a hole",
    frame: { type: "caughtUp", room: "lobby", complete: false, from: 3, to: 9 },
    protobuf: "0d 420b0a056c6f62627918032009",
    json: String.raw`{"caughtUp":{"room":"lobby","from":"3","to":"9"}}`,
  },
  {
    name: "pong",
    frame: { type: "pong", nonce: "n-1" },
    protobuf: "07 4a050a036e2d31",
    json: String.raw`{"pong":{"nonce":"n-1"}}`,
  },
  {
    name: "bye",
    frame: { type: "bye", code: "SHUTTING_DOWN", reason: "come back", retryAfterMs: 1000 },
    protobuf: "12 521008111209636f6d65206261636b18e807",
    json: String.raw`{"bye":{"code":"SHUTTING_DOWN","reason":"come back","retryAfterMs":1000}}`,
  },
];

export function fromHex(hex: string): Buffer {
  return Buffer.from(hex.replaceAll(" ", ""), "hex");
}

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
