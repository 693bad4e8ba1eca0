/** The listener for chat clients: one connection for each socket. */
import { createServer } from "node:net";
import type { ConnIds } from "./conn-id.js";
import { Connection, type ConnectionRuntime } from "./connection.js";

export interface Listener {
  readonly port: number;
  /** Takes no more clients; resolves when those that are there are gone. */
  close(): Promise<void>;
}

/** Rejects when the port can't be listened on. */
export async function startListener(
  host: string,
  port: number,
  ids: ConnIds,
  runtime: ConnectionRuntime,
): Promise<Listener> {
  const server = createServer({ noDelay: true }, (socket) => {
    new Connection(ids.next(), socket, runtime);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : port,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
