/** What hooks are told, as requests of ExHook. */
import type {
  ClientInfo,
  ConnInfo,
  EmptySuccess,
  HookProvider,
  Message,
  RequestMeta,
  TopicFilter,
} from "../rpc/generated/exhook.v3.js";
import { isQos, type BrokerMessage, type HookedClient } from "./broker/broker.js";
import type { HookedConnection, HookNotice, Subscription } from "./broker/hooks.js";

/** MQTT 5 is not spoken here, so there are none. */
export const noProperties = { props: [], userProps: [] };

export function toClientInfo(
  node: string,
  { clientId, username, protocol, peerhost, peerport, sockport }: HookedClient,
  password = "",
): ClientInfo {
  return {
    node,
    clientid: clientId,
    username,
    password,
    peerhost,
    peerport,
    sockport,
    protocol,
    mountpoint: "",
    isSuperuser: false,
    anonymous: username === "",
    cn: "",
    dn: "",
  };
}

function toConnInfo(
  node: string,
  { clientId, username, keepaliveSeconds, ...rest }: HookedConnection,
): ConnInfo {
  return { ...rest, node, clientid: clientId, username, keepalive: keepaliveSeconds };
}

export function toHookMessage(node: string, message: BrokerMessage): Message {
  return { ...message, node, headers: { ...message.headers } };
}

/** The message under its id as a provider wants it to be; undefined: it is to be dropped. */
export function applyChanges(
  message: BrokerMessage,
  { topic, payload, qos, headers: { allow_publish: allowPublish } }: Message,
): BrokerMessage | undefined {
  if (allowPublish === "false") return undefined;
  return { ...message, topic, payload, qos: isQos(qos) ? qos : message.qos };
}

/** Who a notice is about: the calls for one of them stay in order. */
export function keyOf(notice: HookNotice): string {
  if ("client" in notice) return notice.client.clientId;
  return "connection" in notice ? notice.connection.clientId : notice.message.from;
}

export function send(
  provider: HookProvider,
  node: string,
  meta: RequestMeta,
  notice: HookNotice,
): Promise<EmptySuccess> {
  const about = (client: HookedClient) => ({ clientinfo: toClientInfo(node, client), meta });
  switch (notice.hook) {
    case "client.connect": {
      const conninfo = toConnInfo(node, notice.connection);
      return provider.OnClientConnect({ conninfo, meta, ...noProperties });
    }
    case "client.connack": {
      const conninfo = toConnInfo(node, notice.connection);
      const resultCode = notice.result;
      return provider.OnClientConnack({ conninfo, resultCode, meta, ...noProperties });
    }
    case "client.connected":
      return provider.OnClientConnected(about(notice.client));
    case "client.disconnected":
      return provider.OnClientDisconnected({ ...about(notice.client), reason: notice.reason });
    case "client.subscribe": {
      const topicFilters = notice.subscriptions.map(toTopicFilter);
      return provider.OnClientSubscribe({ ...about(notice.client), topicFilters, ...noProperties });
    }
    case "client.unsubscribe": {
      const topicFilters = notice.subscriptions.map(toTopicFilter);
      return provider.OnClientUnsubscribe({
        ...about(notice.client),
        topicFilters,
        ...noProperties,
      });
    }
    case "session.created":
      return provider.OnSessionCreated(about(notice.client));
    case "session.subscribed": {
      const { name, subopts } = toTopicFilter(notice.subscription);
      return provider.OnSessionSubscribed({ ...about(notice.client), topic: name, subopts });
    }
    case "session.unsubscribed":
      return provider.OnSessionUnsubscribed({ ...about(notice.client), topic: notice.filter });
    case "session.resumed":
      return provider.OnSessionResumed(about(notice.client));
    case "session.discarded":
      return provider.OnSessionDiscarded(about(notice.client));
    case "session.takenover":
      return provider.OnSessionTakenover(about(notice.client));
    case "session.terminated":
      return provider.OnSessionTerminated({ ...about(notice.client), reason: notice.reason });
    case "message.delivered": {
      const message = toHookMessage(node, notice.message);
      return provider.OnMessageDelivered({ ...about(notice.client), message });
    }
    case "message.acked": {
      const message = toHookMessage(node, notice.message);
      return provider.OnMessageAcked({ ...about(notice.client), message });
    }
    case "message.dropped": {
      const message = toHookMessage(node, notice.message);
      return provider.OnMessageDropped({ message, reason: notice.reason, meta });
    }
  }
}

function toTopicFilter({ filter, qos }: Subscription): TopicFilter {
  return { name: filter, subopts: { qos, rh: 0, rap: 0, nl: 0 } };
}
