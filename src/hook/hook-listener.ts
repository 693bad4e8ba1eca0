/**
 * What the gateway hears of EMQX's ExHook, whatever its generation: the port between the gRPC
 * service and those who want to know. A method that is absent needs no hook, and none is registered
 * for it. EMQX does not wait for a method that answers nothing, and no method need fear to throw.
 */
import type { LogMessage } from "../store/records.js";

/** An MQTT client, or a client of one of EMQX's gateways. */
export interface HookClient {
  /** The EMQX node it is connected to. */
  readonly node: string;
  readonly clientId: string;
  /** Empty when it has none. */
  readonly username: string;
  /** "mqtt", or the name of the gateway, such as "exproto". */
  readonly protocol: string;
  /**
   * Where it comes from, as `host:port`: with the node it tells connections of one client id apart.
   * The port is 0 where EMQX does not say it (4.x).
   */
  readonly peer: string;
}

/** What MQTT 5 tells of a message; known from EMQX 5.9 on. */
export interface MessageProperties {
  readonly responseTopic?: string;
  readonly correlationData?: string;
}

export interface HookListener {
  /** Topic filters of the messages wanted; a broker is called for no others. */
  readonly messageTopics: readonly string[];
  /**
   * A message is about to be routed, and waits for this. "drop": it is not to be routed. Never
   * rejects, and takes milliseconds.
   */
  onPublish?(message: LogMessage, properties: MessageProperties): Promise<"route" | "drop">;
  onConnected?(client: HookClient): void;
  /** Can be lost, and can be of a connection that is not the client's last (facts C4). */
  onDisconnected?(client: HookClient): void;
  /** @param filter With `$share/<group>/` where it is shared. */
  onSubscribed?(client: HookClient, filter: string): void;
  onUnsubscribed?(client: HookClient, filter: string): void;
  /** A kept session goes on, with the subscriptions it had. Comes before or after onConnected. */
  onSessionResumed?(client: HookClient): void;
  /** The session is over, with its subscriptions. */
  onSessionEnded?(client: HookClient): void;
  /** The node has loaded the provider. `uptimeMs` is how long it has run; undefined: not known. */
  onProviderLoaded?(node: string, uptimeMs: number | undefined): void;
  /** Before anything else that comes of a call: the node is alive. Needs no hook. */
  onCall?(node: string): void;
}
