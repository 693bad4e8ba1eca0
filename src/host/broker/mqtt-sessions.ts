/**
 * The MQTT clients and their sessions as hooks are told of them, from what aedes lets one see. Each
 * client has a line: its events are told one after another, and what it does next waits for them.
 */
import type { Aedes, Client } from "aedes";
import type { Logger } from "../../logger.js";
import { isQos, type HookedClient } from "./broker.js";
import type { HookedConnection, HookNotice, Hooks } from "./hooks.js";
import { createTaskLine, type TaskLine } from "./task-line.js";
import { createTopicTree } from "./topic-tree.js";

export interface MqttClient {
  readonly connection: HookedConnection;
  readonly line: TaskLine;
  readonly hooked: HookedClient;
  /** aedes has made it known; before, it only restores subscriptions. */
  readonly isRegistered: boolean;
}

interface Member extends MqttClient {
  isRegistered: boolean;
  keepaliveTimedOut: boolean;
}

export interface MqttSessions {
  /** Before it is let in; again once aedes has given it a client id. */
  admit(client: Client, connection: HookedConnection): MqttClient;
  get(client: Client): MqttClient | undefined;
  /** Tells it after what was told about the client before. */
  tell(client: MqttClient, notice: HookNotice): void;
  /** Whether a message on the topic goes to an MQTT client, now or when it comes back. */
  hasSubscribers(topic: string): boolean;
}

interface Session {
  readonly owner: Member;
  readonly isClean: boolean;
  readonly filters: Set<string>;
  state: "live" | "closing" | "away";
}

/**
 * What may wait to be told about one client; more is not told, or memory would fill. Its coming and
 * going are told always: they are few, and whoever is never told of an end has a ghost.
 */
const MAX_WAITING = 10_000;
const oftenTold: ReadonlySet<HookNotice["hook"]> = new Set([
  "client.subscribe",
  "client.unsubscribe",
  "session.subscribed",
  "session.unsubscribed",
  "message.delivered",
  "message.acked",
] as const);

/** EMQX's names of the codes of CONNACK. */
const connackNames: Readonly<Record<number, string>> = {
  0: "success",
  1: "unsupported_protocol_version",
  2: "client_identifier_not_valid",
  3: "server_unavailable",
  4: "bad_username_or_password",
  5: "not_authorized",
};

export function createMqttSessions(aedes: Aedes, hooks: Hooks, logger: Logger): MqttSessions {
  const members = new WeakMap<Client, Member>();
  const sessions = new Map<string, Session>();
  const tree = createTopicTree<Session>();

  function tell({ line }: MqttClient, notice: HookNotice): void {
    if (line.length < MAX_WAITING || !oftenTold.has(notice.hook)) {
      void line.run(() => hooks.notify(notice));
    } else {
      logger.warn({ hook: notice.hook }, "a hook is not called: too many wait for one client");
    }
  }

  function forget(session: Session): void {
    const { owner, filters } = session;
    for (const filter of filters) tree.remove(filter, session);
    if (sessions.get(owner.hooked.clientId) === session) sessions.delete(owner.hooked.clientId);
  }

  function onDisconnected(session: Session, client: Client, member: Member): void {
    const replacement = sessions.get(member.hooked.clientId);
    const isReplaced = replacement !== undefined && replacement !== session;
    const end = isReplaced && isHandedOn(session, replacement) ? "takenover" : "discarded";
    const reason = isReplaced ? end : reasonOf(client, member);
    tell(member, { hook: "client.disconnected", client: member.hooked, reason });
    if (isReplaced) {
      tell(member, { hook: `session.${end}`, client: member.hooked });
    } else if (session.isClean) {
      tell(member, { hook: "session.terminated", client: member.hooked, reason });
      forget(session);
    } else {
      session.state = "away";
    }
  }

  aedes.on("client", (client) => {
    const member = members.get(client);
    if (member === undefined) return;
    member.isRegistered = true;
    const { hooked } = member;
    const session: Session = {
      owner: member,
      isClean: client.clean,
      filters: new Set(),
      state: "live",
    };
    const previous = sessions.get(hooked.clientId);
    const isResumed = previous !== undefined && isHandedOn(previous, session);
    if (previous !== undefined) {
      forget(previous);
      if (isResumed) {
        for (const filter of previous.filters) session.filters.add(filter);
        for (const filter of previous.filters) tree.add(filter, session);
      }
      if (previous.state === "away") {
        const end = isResumed ? "session.takenover" : "session.discarded";
        tell(previous.owner, { hook: end, client: previous.owner.hooked });
      }
    }
    sessions.set(hooked.clientId, session);
    tell(member, { hook: isResumed ? "session.resumed" : "session.created", client: hooked });
    tell(member, { hook: "client.connected", client: hooked });
  });

  aedes.on("clientDisconnect", (client) => {
    const member = members.get(client);
    const session = member && sessions.get(member.hooked.clientId);
    if (member === undefined || session?.owner !== member) return;
    session.state = "closing";
    // Whoever replaces it is announced in the same turn.
    queueMicrotask(() => onDisconnected(session, client, member));
  });

  aedes.on("keepaliveTimeout", (client) => {
    const member = members.get(client);
    if (member !== undefined) member.keepaliveTimedOut = true;
  });

  aedes.on("connackSent", ({ returnCode = 0 }, client) => {
    const member = members.get(client);
    if (member === undefined) return;
    const result = connackNames[returnCode] ?? "unspecified_error";
    tell(member, { hook: "client.connack", connection: member.connection, result });
  });

  aedes.on("subscribe", (subscriptions, client) => {
    const member = members.get(client);
    const session = member && sessions.get(member.hooked.clientId);
    if (member === undefined || session?.owner !== member) return;
    for (const { topic: filter, qos } of subscriptions) {
      // aedes puts 128 there for one that was refused.
      if (!isQos(qos)) continue;
      session.filters.add(filter);
      tree.add(filter, session);
      const subscription = { filter, qos };
      tell(member, { hook: "session.subscribed", client: member.hooked, subscription });
    }
  });

  aedes.on("unsubscribe", (filters, client) => {
    const member = members.get(client);
    // aedes unsubscribes whoever leaves; EMQX speaks of the session's end only.
    if (member === undefined || client.closed) return;
    const session = sessions.get(member.hooked.clientId);
    const { hooked } = member;
    const subscriptions = filters.map((filter) => ({ filter, qos: 0 }) as const);
    tell(member, { hook: "client.unsubscribe", client: hooked, subscriptions });
    for (const filter of filters) {
      if (session?.owner !== member || !session.filters.delete(filter)) continue;
      tree.remove(filter, session);
      tell(member, { hook: "session.unsubscribed", client: hooked, filter });
    }
  });

  return {
    admit(client, connection) {
      const { clientId, username, peerhost, peerport, sockport } = connection;
      const member: Member = {
        connection,
        hooked: { clientId, username, peerhost, peerport, sockport, protocol: "mqtt" },
        line: members.get(client)?.line ?? createTaskLine(),
        isRegistered: false,
        keepaliveTimedOut: false,
      };
      members.set(client, member);
      return member;
    },
    get: (client) => members.get(client),
    tell,
    hasSubscribers: (topic) => tree.match(topic).length > 0,
  };
}

function isHandedOn(previous: Session, next: Session): boolean {
  return !previous.isClean && !next.isClean;
}

/** EMQX's words; aedes' types do not tell of the goodbye. */
function reasonOf(
  client: Client & { readonly _disconnected?: unknown },
  { keepaliveTimedOut }: Member,
): string {
  if (keepaliveTimedOut) return "keepalive_timeout";
  return client._disconnected === true ? "normal" : "tcp_closed";
}
