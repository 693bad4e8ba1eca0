/**
 * A port that stays ours while the server behind it is away: one that is given back may be another
 * process's before the server returns. Away, connections end before a byte is said.
 */
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

export interface PortFront {
  readonly port: number;
  /** Where connections go from now on; undefined: nowhere, and those that are open end. */
  lead(port: number | undefined): void;
  close(): Promise<void>;
}

const HOST = "127.0.0.1";

export async function openPortFront(): Promise<PortFront> {
  const sockets = new Set<Socket>();
  let target: number | undefined;

  function keep(socket: Socket, other: Socket): void {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => {
      sockets.delete(socket);
      other.destroy();
    });
    socket.pipe(other);
  }

  const server = createServer({ noDelay: true }, (outer) => {
    if (target === undefined) {
      outer.on("error", () => undefined).destroy();
      return;
    }
    const inner = connect({ host: HOST, port: target, noDelay: true });
    keep(outer, inner);
    keep(inner, outer);
  }).listen(0, HOST);
  await once(server, "listening");

  function lead(port: number | undefined): void {
    target = port;
    if (port === undefined) for (const socket of sockets) socket.destroy();
  }

  return {
    port: (server.address() as AddressInfo).port,
    lead,
    async close() {
      lead(undefined);
      server.close();
      await once(server, "close");
    },
  };
}
