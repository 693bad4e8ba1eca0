/** A server on a real port that does what the test says: each connection is the test's to answer. */
import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { createServer as createTlsServer, type TlsOptions } from "node:tls";
import { openCodec, type ClientFrame, type ServerFrame } from "../../../src/codec/index.js";
import { eventually } from "../../support/eventually.js";

export interface ScriptedServer {
  readonly port: number;
  /** The next connection that a client makes. */
  accepts(): Promise<Peer>;
  /** Connections that nobody has accepted yet. */
  readonly waiting: number;
  end(): Promise<void>;
}

export interface Peer {
  /** The next frame of that type; those before it are skipped. */
  hears<T extends ClientFrame["type"]>(type: T): Promise<Extract<ClientFrame, { type: T }>>;
  says(...frames: readonly ServerFrame[]): void;
  /** As the bytes are. */
  writes(bytes: Uint8Array): void;
  /** Cuts it off. */
  drops(): void;
  isClosed(): Promise<void>;
}

/** @param tls for TLS: the key and the certificate. */
export async function startScriptedServer(tls?: TlsOptions): Promise<ScriptedServer> {
  const peers: Peer[] = [];
  const sockets = new Set<Socket>();
  const onSocket = (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    peers.push(meet(socket));
  };
  const server = tls === undefined ? createServer(onSocket) : createTlsServer(tls, onSocket);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    accepts: () => eventually("a connection", () => peers.shift()),
    get waiting() {
      return peers.length;
    },
    async end() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

function meet(socket: Socket): Peer {
  const codec = openCodec({ maxFrameBytes: 1024 * 1024 });
  const frames: ClientFrame[] = [];
  socket.on("error", () => undefined);
  socket.on("data", (chunk) => frames.push(...(codec.push(chunk) as ClientFrame[])));
  return {
    hears<T extends ClientFrame["type"]>(type: T) {
      return eventually(`a ${type}`, () => {
        const index = frames.findIndex((frame) => frame.type === type);
        if (index < 0) return undefined;
        return frames.splice(0, index + 1).at(-1) as Extract<ClientFrame, { type: T }>;
      });
    },
    says: (...answers) => {
      for (const frame of answers) socket.write(codec.encode(frame));
    },
    writes: (bytes) => void socket.write(bytes),
    drops: () => socket.resetAndDestroy(),
    async isClosed() {
      await eventually("the connection is closed", () => socket.closed);
    },
  };
}
