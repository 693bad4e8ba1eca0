import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls, type ConnectionOptions } from "node:tls";
import type { Transport } from "./transport.js";

export interface TcpOptions {
  readonly host: string;
  readonly port: number;
  /** True for TLS as node has it by default, or its options (such as `ca`). */
  readonly tls?: boolean | ConnectionOptions;
}

/** How long the other side may take to close its half. */
const CLOSE_DEADLINE_MS = 2_000;

export function createTcpTransport({ host, port, tls = false }: TcpOptions): Transport {
  return {
    open(events) {
      const isPlain = tls === false;
      const socket: Socket = isPlain
        ? connectTcp({ host, port })
        : connectTls({ host, port, ...serverName(host), ...(tls === true ? {} : tls) });
      let reason = "the server closed the connection";
      let isClosing = false;
      socket.setNoDelay(true);
      socket.once(isPlain ? "connect" : "secureConnect", () => events.opened());
      socket.on("data", (chunk: Buffer) => events.received(chunk));
      socket.on("error", (error) => {
        reason = explain(error);
      });
      socket.once("close", () => events.closed(reason));
      return {
        write: (bytes) => void socket.write(bytes),
        close() {
          if (isClosing || socket.connecting) return void socket.destroy();
          isClosing = true;
          socket.end();
          // Not the socket's own timer: that one waits for as long as something comes.
          const deadline = setTimeout(() => socket.destroy(), CLOSE_DEADLINE_MS).unref();
          socket.once("close", () => clearTimeout(deadline));
          // What comes is not wanted; without a reader the end would not be seen.
          socket.resume();
        },
      };
    },
  };
}

/** For the server to choose its certificate by; an address is not permitted there (RFC 6066). */
function serverName(host: string): { readonly servername?: string } {
  return isIP(host) === 0 ? { servername: host } : {};
}

/** Several addresses that were tried give one error with a message of its own for each. */
function explain(error: Error): string {
  const { errors } = error as { readonly errors?: readonly Error[] };
  return errors?.map(({ message }) => message).join("; ") ?? error.message;
}
