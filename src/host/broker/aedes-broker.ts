/**
 * The broker on aedes. aedes serves the MQTT clients; one subscription to everything brings what is
 * published to the gateway's connections, through a tree of our own: it gives each message one id
 * for all of them, knows which retained message has which id, and takes any filter EMQX takes.
 */
import type { EventEmitter } from "node:events";
import { Aedes, type PublishPacket } from "aedes";
import type { Clock } from "../../clock.js";
import type { Logger } from "../../logger.js";
import { createAuthorize, type AclRule } from "./acl.js";
import type { Action, Broker, BrokerMessage, HookedClient, Refusal, Subscriber } from "./broker.js";
import type { Hooks } from "./hooks.js";
import { createMessageIds } from "./message-id.js";
import { listenTcp, listenWebSocket } from "./mqtt-listeners.js";
import { installMqttHooks } from "./mqtt-hooks.js";
import { createMqttSessions } from "./mqtt-sessions.js";
import { fits, isTopic, parseFilter, splitTopic } from "./topic-filter.js";
import { createTopicTree } from "./topic-tree.js";
import { createAuthenticate, type User } from "./users.js";

export interface AedesBrokerOptions {
  readonly host: string;
  /** 0 takes any free one. */
  readonly ports: { readonly mqtt: number; readonly ws: number };
  readonly users: readonly User[] | undefined;
  readonly acl: readonly AclRule[];
  readonly hooks: Hooks;
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

/** Rejects when a port can't be listened on. */
export async function createAedesBroker(options: AedesBrokerOptions): Promise<AedesBroker> {
  const { host, ports, hooks, clock, logger } = options;
  const passwordChain = createAuthenticate(options.users);
  const rules = createAuthorize(options.acl);
  const nextId = createMessageIds();
  const tree = createTopicTree<(message: BrokerMessage) => void>();
  const retained = new Map<string, BrokerMessage>();
  /** aedes copies its packets, but not their payloads: each is an object of its own. */
  const messages = new WeakMap<object, BrokerMessage>();

  async function authenticate(
    client: HookedClient,
    password: string,
    chain: "users" | "none",
  ): Promise<Refusal | undefined> {
    const { username } = client;
    const isListed = chain === "users" && options.users !== undefined;
    const refusal = isListed ? passwordChain({ username, password }) : undefined;
    const result = isListed ? refusal === undefined : undefined;
    const decision = await hooks.authenticate(client, password, result);
    if (decision) return undefined;
    return refusal ?? "not_authorized";
  }

  async function authorize(client: HookedClient, action: Action, topic: string): Promise<boolean> {
    return hooks.authorize(client, action, topic, rules(client, action, topic));
  }

  const isOpenToMqtt = (action: Action, topic: string): boolean =>
    action === "publish" ? !topic.startsWith(SYSTEM_PREFIX) : !isShared(topic);

  function create(publication: Omit<BrokerMessage, "id" | "timestamp">): BrokerMessage {
    const timestamp = clock.now();
    return { ...publication, id: nextId(timestamp), timestamp };
  }

  /** What hooks make of it; they are told where it reaches nobody. */
  async function decide(message: BrokerMessage): Promise<BrokerMessage | undefined> {
    const decided = await hooks.publish(message);
    if (decided === undefined || !isRouted(decided.topic)) return undefined;
    if (tree.match(decided.topic).length === 0 && !sessions.hasSubscribers(decided.topic)) {
      const reason = "no_subscribers";
      await hooks.notify({ hook: "message.dropped", message: decided, reason });
    }
    return decided;
  }

  function toPacket(message: BrokerMessage, retain: boolean): PublishPacket & { clientId: string } {
    const { topic, qos, from } = message;
    const payload = Buffer.from(message.payload);
    messages.set(payload, { ...message, payload });
    return { cmd: "publish", topic, payload, qos, retain, dup: false, clientId: from };
  }

  const find = ({ payload }: Pick<PublishPacket, "payload">): BrokerMessage | undefined =>
    typeof payload === "string" ? undefined : messages.get(payload);

  const aedes = await Aedes.createBroker({
    // Else a hundred messages on their way to a slow client hold up all others.
    concurrency: 0,
    drainTimeout: DRAIN_TIMEOUT_MS,
    maxTopicLevels: MAX_LEVELS,
  });
  const sessions = createMqttSessions(aedes, hooks, logger);
  installMqttHooks(aedes, {
    hooks,
    sessions,
    authenticate,
    authorize: async (client, action, topic) =>
      isOpenToMqtt(action, topic) && authorize(client, action, topic),
    isAllowed: ({ hooked }, action, topic) =>
      isOpenToMqtt(action, topic) && rules(hooked, action, topic),
    create: ({ topic, payload, qos }, { hooked }) =>
      create({
        topic,
        payload: typeof payload === "string" ? Buffer.from(payload) : payload,
        qos,
        from: hooked.clientId,
        headers: headersOf(hooked),
      }),
    decide,
    find,
    toPacket,
  });
  // Unheard, it would end the process; aedes' types do not list it.
  const emitter: EventEmitter = aedes;
  emitter.on("error", (error: unknown) => logger.error({ err: error }, "the broker failed"));

  function onPacket(packet: PublishPacket): void {
    const { topic, payload, retain } = packet;
    const message = find(packet);
    // Without one it is an announcement of aedes' own.
    if (message === undefined) return;
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
    async publish(publication) {
      const { topic } = publication;
      if (!isRouted(topic)) return;
      const message = await decide(create({ ...publication, headers: {} }));
      if (message === undefined) return;
      aedes.publish(toPacket(message, false), (error) => {
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

/** aedes' own topics have nothing of EMQX's. */
function isRouted(topic: string): boolean {
  return isTopic(topic) && !topic.startsWith(SYSTEM_PREFIX);
}

/** A username only where there is one. */
function headersOf({ protocol, peerhost, username }: HookedClient): Record<string, string> {
  return { protocol, peerhost, ...(username === "" ? {} : { username }) };
}

/** aedes has no shared subscriptions: refusing one is better than never delivering to it. */
function isShared(filter: string): boolean {
  return filter.startsWith("$share/") || filter.startsWith("$queue/");
}
