/** Servers that are listening when the promise resolves, and closed when it does. */
import { once } from "node:events";
import type { Server } from "node:net";

/** Gives the port, also where 0 was asked for. Rejects when the port is taken. */
export async function listen(server: Server, host: string, port: number): Promise<number> {
  server.listen(port, host);
  await once(server, "listening");
  const address = server.address();
  return address !== null && typeof address === "object" ? address.port : port;
}

/** Resolves when every connection has ended; ending them is the caller's. */
export function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    if (server.listening) server.close(() => resolve());
    else resolve();
  });
}
