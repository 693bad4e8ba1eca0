/**
 * The broker on aedes. aedes serves the MQTT clients; one subscription to everything brings what is
 * published to the gateway's connections, through a tree of our own: it gives each message one id
 * for all of them, knows which retained message has which id, and takes any filter EMQX takes.
 */
import type { EventEmitter } from "node:events";
import { Aedes, type Client, type PublishPacket } from "aedes";
import type { Clock } from "../../clock.js";
import type { Logger } from "../../logger.js";
import { createAuthorize, type AclRule } from "./acl.js";
import type { Action, Broker, BrokerMessage, Subscriber } from "./broker.js";
import { createMessageIds } from "./message-id.js";
import { listenTcp, listenWebSocket } from "./mqtt-listeners.js";
import { fits, isTopic, parseFilter, splitTopic } from "./topic-filter.js";
import { createTopicTree } from "./topic-tree.js";
import { createAuthenticate, type User } from "./users.js";

export interface AedesBrokerOptions {
  readonly host: string;
  /** 0 takes any free one. */
  readonly ports: { readonly mqtt: number; readonly ws: number };
  readonly users: readonly User[] | undefined;
  readonly acl: readonly AclRule[];
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface AedesBroker extends Broker {
  readonly ports: { readonly mqtt: number; readonly ws: number };
}

/** aedes cuts a client that takes nothing for so long. */
const DRAIN_TIMEOUT_MS = 10_000;

/** The most levels that aedes routes. */
const MAX_LEVELS = 100;

/** aedes' own announcements; EMQX has others there, so neither is passed on to the connections. */
const SYSTEM_PREFIX = "$SYS/";

const BAD_USERNAME_OR_PASSWORD = 4;
const NOT_AUTHORIZED = 5;

/** Rejects when a port can't be listened on. */
export async function createAedesBroker(options: AedesBrokerOptions): Promise<AedesBroker> {
  const { host, ports, clock, logger } = options;
  const authenticate = createAuthenticate(options.users);
  const authorize = createAuthorize(options.acl);
  const usernames = new WeakMap<Client, string>();
  const nextId = createMessageIds(clock);
  const tree = createTopicTree<(message: BrokerMessage) => void>();
  const retained = new Map<string, BrokerMessage>();

  const mayMqtt = (client: Client, action: Action, topic: string): boolean =>
    authorize({ clientId: client.id, username: usernames.get(client) ?? "" }, action, topic);

  const aedes = await Aedes.createBroker({
    // Else a hundred messages on their way to a slow client hold up all others.
    concurrency: 0,
    drainTimeout: DRAIN_TIMEOUT_MS,
    maxTopicLevels: MAX_LEVELS,
    authenticate(client, username = "", password, done) {
      const refusal = authenticate({ username, password: password?.toString() ?? "" });
      if (refusal === undefined) {
        usernames.set(client, username);
        done(null, true);
        return;
      }
      const returnCode = refusal === "not_authorized" ? NOT_AUTHORIZED : BAD_USERNAME_OR_PASSWORD;
      done(Object.assign(new Error(refusal), { returnCode } as const), false);
    },
    authorizePublish(client, { topic }, done) {
      const allowed =
        client === null || (!topic.startsWith(SYSTEM_PREFIX) && mayMqtt(client, "publish", topic));
      done(allowed ? null : new Error(`publishing to "${topic}" is not authorized`));
    },
    authorizeSubscribe(client, subscription, done) {
      const { topic } = subscription;
      const allowed = !isShared(topic) && mayMqtt(client, "subscribe", topic);
      done(null, allowed ? subscription : null);
    },
  });
  // Unheard, it would end the process; aedes' types do not list it.
  const emitter: EventEmitter = aedes;
  emitter.on("error", (error: unknown) => logger.error({ err: error }, "the broker failed"));

  function onPacket(packet: PublishPacket & { clientId?: unknown }): void {
    const { topic, payload, qos, retain } = packet;
    if (topic.startsWith(SYSTEM_PREFIX)) return;
    const message: BrokerMessage = {
      id: nextId(),
      topic,
      payload: typeof payload === "string" ? Buffer.from(payload) : payload,
      qos,
      from: typeof packet.clientId === "string" ? packet.clientId : "",
      timestamp: clock.now(),
    };
    if (retain && payload.length === 0) retained.delete(topic);
    else if (retain) retained.set(topic, message);
    for (const deliver of tree.match(topic)) deliver(message);
  }

  function retainedFor(filter: string): readonly BrokerMessage[] {
    const levels = parseFilter(filter);
    if (levels === undefined) return [];
    return [...retained.values()].filter(({ topic }) => fits(levels, splitTopic(topic)));
  }

  function attach(deliver: (message: BrokerMessage) => void): Subscriber {
    const filters = new Set<string>();
    return {
      subscribe(filter) {
        if (filters.has(filter)) return;
        filters.add(filter);
        tree.add(filter, deliver);
        for (const message of retainedFor(filter)) deliver(message);
      },
      unsubscribe(filter) {
        filters.delete(filter);
        tree.remove(filter, deliver);
      },
      detach() {
        for (const filter of filters) tree.remove(filter, deliver);
        filters.clear();
      },
    };
  }

  await new Promise<void>((resolve) => {
    aedes.subscribe(
      "#",
      (packet, done) => {
        onPacket(packet);
        done();
      },
      resolve,
    );
  });

  const closeAedes = () => new Promise<void>((resolve) => aedes.close(resolve));
  const tcp = await listenTcp(aedes, host, ports.mqtt).catch(async (error: unknown) => {
    await closeAedes();
    throw error;
  });
  const ws = await listenWebSocket(aedes, host, ports.ws).catch(async (error: unknown) => {
    await Promise.all([tcp.close(), closeAedes()]);
    throw error;
  });

  return {
    ports: { mqtt: tcp.port, ws: ws.port },
    authenticate,
    authorize,
    attach,
    publish({ topic, payload, qos, from }) {
      if (!isTopic(topic) || topic.startsWith(SYSTEM_PREFIX)) return;
      const packet: PublishPacket & { clientId: string } = {
        cmd: "publish",
        topic,
        payload: Buffer.from(payload),
        qos,
        retain: false,
        dup: false,
        clientId: from,
      };
      aedes.publish(packet, (error) => {
        if (error) logger.debug({ err: error, topic }, "a message was not routed");
      });
    },
    get clients() {
      return aedes.connectedClients;
    },
    async close() {
      await Promise.all([tcp.close(), ws.close()]);
      await closeAedes();
    },
  };
}

/** aedes has no shared subscriptions: refusing one is better than never delivering to it. */
function isShared(filter: string): boolean {
  return filter.startsWith("$share/") || filter.startsWith("$queue/");
}
