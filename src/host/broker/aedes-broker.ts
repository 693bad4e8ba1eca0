/**
 * The broker on aedes: MQTT over TCP and over WebSocket. aedes serves the MQTT clients; ExProto's
 * subscriptions are routed here, so that a message has one id for all.
 *
 * Unlike EMQX, aedes ends an MQTT 3.1.1 connection that publishes where it may not.
 */
import { randomBytes } from "node:crypto";
import { createServer as createHttpServer, type Server as HttpServer } from "node:http";
import { createServer, type Server, type Socket } from "node:net";
import { Aedes, type AedesPublishPacket, type Client } from "aedes";
import { createWebSocketStream, WebSocketServer } from "ws";
import type { Clock } from "../../clock.js";
import type { Logger } from "../../logger.js";
import { closeServer, listen } from "../net.js";
import { createAccess, type AclRule, type User } from "./access.js";
import type { Broker, Client as BrokerClient, RoutedMessage } from "./broker.js";
import { createMessageIds } from "./message-id.js";
import { createRoutes } from "./routes.js";
import { matches } from "./topic-filter.js";

export interface AedesBrokerOptions {
  readonly host: string;
  readonly mqttPort: number;
  readonly wsPort: number;
  readonly users?: readonly User[] | undefined;
  readonly acl?: readonly AclRule[] | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface AedesBroker extends Broker {
  readonly ports: { readonly mqtt: number; readonly ws: number };
  /** Whether everybody is let in. */
  readonly isOpen: boolean;
  close(): Promise<void>;
}

const WS_PATH = "/mqtt";

export async function createAedesBroker(options: AedesBrokerOptions): Promise<AedesBroker> {
  const { host, clock, logger } = options;
  const access = createAccess(options.users, options.acl ?? []);
  const routes = createRoutes();
  const nextId = createMessageIds(() => clock.now(), randomBytes(6));
  const retained = new Map<string, RoutedMessage>();
  const usernames = new WeakMap<Client, string>();
  const sockets = new Set<Socket>();

  const clientOf = (client: Client): BrokerClient => ({
    clientId: client.id,
    username: usernames.get(client) ?? "",
  });

  function toMessage(from: string, packet: Pick<AedesPublishPacket, "topic" | "payload" | "qos">) {
    return {
      id: nextId(),
      qos: packet.qos,
      from,
      topic: packet.topic,
      payload: Buffer.from(packet.payload),
      timestamp: clock.now(),
    };
  }

  const aedes = await Aedes.createBroker({
    authenticate(client, username, password, done) {
      const credentials = { username: username ?? "", password: password?.toString() ?? "" };
      const accepted = access.authenticate(credentials) === "ok";
      if (accepted) usernames.set(client, credentials.username);
      done(null, accepted);
    },
    authorizePublish(client, packet, done) {
      const denied =
        client !== null && !access.authorize(clientOf(client), "publish", packet.topic);
      done(denied ? new Error("not authorized") : null);
    },
    authorizeSubscribe(client, subscription, done) {
      const allowed = access.authorize(clientOf(client), "subscribe", subscription.topic);
      done(null, allowed ? subscription : null);
    },
    published(packet, client: Client | null, done) {
      // Without a client it is aedes' own, or an ExProto client's, which is routed by `publish`.
      if (client !== null) {
        const message = toMessage(client.id, packet);
        if (packet.retain) keep(message);
        routes.route(message);
      }
      done();
    },
  });

  function keep(message: RoutedMessage): void {
    if (message.payload.length === 0) retained.delete(message.topic);
    else retained.set(message.topic, message);
  }

  function accept(socket: Socket): void {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  }

  aedes.on("clientError", (client, error) => {
    logger.debug({ err: error, clientId: client.id }, "an MQTT client failed");
  });
  aedes.on("connectionError", (_, error) => {
    logger.debug({ err: error }, "an MQTT connection failed");
  });

  const mqttServer: Server = createServer((socket) => {
    accept(socket);
    aedes.handle(socket);
  });
  const wsServer: HttpServer = createHttpServer((_, response) => {
    response.writeHead(426, { "content-type": "text/plain" }).end("MQTT over WebSocket only\n");
  });
  wsServer.on("connection", accept);
  const webSockets = new WebSocketServer({
    server: wsServer,
    path: WS_PATH,
    handleProtocols: (protocols) => (protocols.has("mqtt") ? "mqtt" : false),
  });
  webSockets.on("connection", (webSocket, request) => {
    const stream = createWebSocketStream(webSocket);
    stream.on("error", (error) => logger.debug({ err: error }, "a WebSocket failed"));
    aedes.handle(stream, request);
  });

  async function close(): Promise<void> {
    const closed = [closeServer(mqttServer), closeServer(wsServer)];
    await new Promise<void>((resolve) => aedes.close(resolve));
    webSockets.close();
    for (const socket of sockets) socket.destroy();
    await Promise.all(closed);
  }

  try {
    const mqtt = await listen(mqttServer, host, options.mqttPort);
    const ws = await listen(wsServer, host, options.wsPort);
    return {
      ports: { mqtt, ws },
      isOpen: access.isOpen,
      authenticate: (credentials) => access.authenticate(credentials),
      authorize: (client, action, topic) => access.authorize(client, action, topic),
      async publish(from, topic, qos, payload) {
        const message = toMessage(from, { topic, qos: toQos(qos), payload: Buffer.from(payload) });
        // An MQTT client can't be sent an empty topic, nor more levels than aedes takes.
        await new Promise<void>((resolve) => {
          const { payload: bytes } = message;
          aedes.publish(
            { cmd: "publish", topic, payload: bytes, qos: message.qos, retain: false, dup: false },
            (error) => {
              if (error) logger.debug({ err: error }, "a message did not reach the MQTT clients");
              resolve();
            },
          );
        });
        routes.route(message);
      },
      subscribe(subscriber, filter) {
        routes.add(subscriber, filter);
        for (const [topic, message] of retained) {
          if (matches(filter, topic)) subscriber.deliver(message);
        }
      },
      unsubscribe: (subscriber, filter) => routes.remove(subscriber, filter),
      detach: (subscriber) => routes.removeAll(subscriber),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function toQos(qos: number): 0 | 1 | 2 {
  return qos === 0 || qos === 1 || qos === 2 ? qos : 0;
}
