/** A chat client on a real socket, in any of the three encodings. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { openProtobufClient, type ClientCodec } from "../../src/codec/index.js";
import type { ClientFrame, ServerFrame } from "../../src/codec/frame.js";
import { eventually } from "./eventually.js";

export interface RawClient {
  readonly socket: Socket;
  write(bytes: Uint8Array | string): void;
  /** All that has come. */
  readonly received: Buffer;
  /** Waits until what has come holds `text`. */
  sees(text: string | RegExp): Promise<void>;
  /** Waits until the server has closed the socket. */
  isClosed(): Promise<void>;
  /** Closes the socket, and waits until it is. */
  end(): Promise<void>;
}

export async function connectRaw(port: number): Promise<RawClient> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  const chunks: Buffer[] = [];
  socket.on("data", (chunk) => chunks.push(chunk));
  // A reset is one way of being closed; `isClosed` tells.
  socket.on("error", () => undefined);
  await once(socket, "connect");
  const client: RawClient = {
    socket,
    write: (bytes) => void socket.write(bytes),
    get received() {
      return Buffer.concat(chunks);
    },
    async sees(text) {
      await eventually(`"${String(text)}" in "${client.received.toString().slice(-500)}"`, () => {
        const all = client.received.toString();
        return typeof text === "string" ? all.includes(text) : text.test(all);
      });
    },
    isClosed: () => eventually("the server closes", () => socket.closed).then(() => undefined),
    async end() {
      if (socket.closed) return;
      const closed = once(socket, "close");
      socket.destroy();
      await closed;
    },
  };
  return client;
}

export type Frame = Readonly<Record<string, unknown>>;

export interface FrameClient extends RawClient {
  /** `{ join: { room: "lobby" } }` */
  sends(...frames: readonly Frame[]): void;
  /** Waits for the next frame that has this key, and gives its fields; those before it are skipped. */
  hears(key: string): Promise<Frame>;
  /** Sends a command with a ref of its own, and waits for what answers it. */
  asks(type: string, fields: Frame): Promise<Frame>;
  /** The frames that have come and were not heard yet. */
  unheard(): readonly Frame[];
}

function withFrames(
  raw: RawClient,
  encode: (frame: Frame) => Uint8Array | string,
  decode: (chunk: Buffer) => readonly Frame[],
): FrameClient {
  const frames: Frame[] = [];
  raw.socket.on("data", (chunk) => frames.push(...decode(chunk)));
  const client = Object.create(raw) as FrameClient;
  const has = (key: string) => frames.some((frame) => key in frame);
  let lastRef = 1_000_000;
  return Object.assign(client, {
    async asks(type: string, fields: Frame) {
      const ref = ++lastRef;
      client.sends({ [type]: { ...fields, ref } });
      const isAnswer = (frame: Frame) =>
        Object.values(frame).some((body) => (body as Frame).ref === ref);
      return eventually(`the answer to ${type}`, () => {
        const index = frames.findIndex(isAnswer);
        return index < 0 ? undefined : frames.splice(index, 1)[0];
      });
    },
    sends: (...sent: readonly Frame[]) => {
      for (const frame of sent) raw.write(encode(frame));
    },
    async hears(key: string) {
      await eventually(`a ${key} frame`, () => has(key) || raw.socket.closed);
      const index = frames.findIndex((frame) => key in frame);
      if (index < 0) throw new Error(`closed without a ${key} frame`);
      const [heard] = frames.splice(0, index + 1).slice(-1);
      return heard?.[key] as Frame;
    },
    unheard: () => frames.splice(0),
  });
}

export async function connectNdjson(port: number): Promise<FrameClient> {
  let rest = "";
  return withFrames(
    await connectRaw(port),
    (frame) => `${JSON.stringify(frame)}\n`,
    (chunk) => {
      // latin1 keeps the bytes of a character that is cut in two.
      const lines = (rest + chunk.toString("latin1")).split("\n");
      rest = lines.pop() ?? "";
      return lines.map((line) => JSON.parse(Buffer.from(line, "latin1").toString()) as Frame);
    },
  );
}

export async function connectProtobuf(port: number): Promise<FrameClient> {
  const codec: ClientCodec = openProtobufClient({ maxFrameBytes: 1024 * 1024 });
  return withFrames(
    await connectRaw(port),
    (frame) => codec.encode(toClientFrame(frame)),
    (chunk) => codec.push(chunk).map((frame) => toJson(frame as ServerFrame)),
  );
}

const defaults: Record<string, Frame> = {
  hello: { clientId: "", username: "", password: "", resume: false, lastSeq: 0, agent: "" },
  join: { ref: 0, room: "", presence: false, echo: false, history: 0 },
  leave: { ref: 0, room: "" },
  say: { ref: 0, key: "" },
  who: { ref: 0, room: "" },
  history: { ref: 0, room: "", before: "", limit: 0 },
  ping: { nonce: "" },
};

function toClientFrame(frame: Frame): ClientFrame {
  const [[type, fields] = ["bye", {}]] = Object.entries(frame);
  return { type, ...defaults[type], ...(fields as object) } as ClientFrame;
}

/** As the ndjson encoding would show it: seq as a string, defaults left out. */
function toJson({ type, ...fields }: ServerFrame): Frame {
  const shown = Object.entries(fields)
    .filter(([, value]) => value !== undefined && value !== "" && value !== 0 && value !== false)
    .map(([name, value]): [string, unknown] => {
      if (name === "seq" || name === "offset") return [name, String(value)];
      if (value instanceof Uint8Array) return [name, Buffer.from(value).toString("base64")];
      return [name, value];
    });
  return { [type]: Object.fromEntries(shown) };
}
