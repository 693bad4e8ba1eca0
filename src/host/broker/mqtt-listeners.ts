/** Where MQTT clients come in: plain TCP, and WebSocket at /mqtt with the subprotocol `mqtt`. */
import { createServer as createHttpServer, type IncomingMessage } from "node:http";
import { createServer as createTcpServer, type Server, type Socket } from "node:net";
import type { Aedes } from "aedes";
import { createWebSocketStream, WebSocketServer } from "ws";

export interface MqttListener {
  readonly port: number;
  /** Takes no more clients and cuts those that are there. */
  close(): Promise<void>;
}

const WEBSOCKET_PATH = "/mqtt";
const SUBPROTOCOL = "mqtt";

/** Rejects when the port can't be listened on. */
export async function listenTcp(aedes: Aedes, host: string, port: number): Promise<MqttListener> {
  const server = createTcpServer({ noDelay: true }, (socket) => void aedes.handle(socket));
  return listen(server, host, port);
}

/** Rejects when the port can't be listened on. */
export async function listenWebSocket(
  aedes: Aedes,
  host: string,
  port: number,
): Promise<MqttListener> {
  const server = createHttpServer((_request, response) => {
    response.writeHead(426, { "content-type": "text/plain" });
    response.end(`MQTT over WebSocket is at ${WEBSOCKET_PATH}, subprotocol "${SUBPROTOCOL}"\n`);
  });
  const webSockets = new WebSocketServer({
    server,
    path: WEBSOCKET_PATH,
    // Like EMQX, refuse a client that does not name the subprotocol.
    verifyClient: ({ req }: { req: IncomingMessage }) =>
      offers(req.headers["sec-websocket-protocol"], SUBPROTOCOL),
    handleProtocols: () => SUBPROTOCOL,
  });
  webSockets.on("connection", (webSocket, request) => {
    const stream = createWebSocketStream(webSocket);
    // A client that goes away without a goodbye is no error; aedes sees the stream end.
    stream.on("error", () => undefined);
    aedes.handle(stream, request);
  });
  // It repeats the server's errors, which `listen` handles.
  webSockets.on("error", () => undefined);
  return listen(server, host, port);
}

function offers(header: string | undefined, protocol: string): boolean {
  return header?.split(",").some((offered) => offered.trim() === protocol) ?? false;
}

async function listen(server: Server, host: string, port: number): Promise<MqttListener> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
