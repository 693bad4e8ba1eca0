/** The port behind which the broker is: what the connections and the adapter service need of it. */

/** Who publishes or subscribes. */
export interface ClientIdentity {
  readonly clientId: string;
  /** Empty: none given. */
  readonly username: string;
}

/** Where a client comes from, and to which port. */
export interface Peer {
  readonly peerhost: string;
  readonly peerport: number;
  readonly sockport: number;
}

/** A client, as hooks see it. */
export interface HookedClient extends ClientIdentity, Peer {
  /** `mqtt`, or the gateway's name. */
  readonly protocol: string;
}

export interface Credentials {
  readonly username: string;
  readonly password: string;
}

/** EMQX's words for a refusal. */
export type Refusal = "not_authorized" | "bad_username_or_password";

export type Action = "publish" | "subscribe";

export type Qos = 0 | 1 | 2;

export function isQos(qos: number): qos is Qos {
  return qos === 0 || qos === 1 || qos === 2;
}

/** A message on its way to subscribers: the same for each of them. */
export interface BrokerMessage {
  /** 32 upper-case hex digits. */
  readonly id: string;
  readonly topic: string;
  readonly payload: Uint8Array;
  /** The publisher's, not the lower one of publisher and subscriber. */
  readonly qos: Qos;
  /** The publisher's client id. */
  readonly from: string;
  /** Milliseconds since 1970. */
  readonly timestamp: number;
  /** What hooks are told of an MQTT publisher: protocol, peerhost and username. */
  readonly headers: Readonly<Record<string, string>>;
}

export type Publication = Pick<BrokerMessage, "topic" | "payload" | "from" | "qos">;

/** The subscriptions of one connection. */
export interface Subscriber {
  /**
   * Delivers what fits the filter, one copy per filter, retained messages first. Again: no second
   * copy. A malformed filter is taken and fits nothing.
   */
  subscribe(filter: string): void;
  unsubscribe(filter: string): void;
  /** Ends all of them. */
  detach(): void;
}

export interface Broker {
  /**
   * Undefined: let in.
   * @param chain "none": no password is asked for, and hooks alone decide.
   */
  authenticate(
    client: HookedClient,
    password: string,
    chain: "users" | "none",
  ): Promise<Refusal | undefined>;
  authorize(client: HookedClient, action: Action, topic: string): Promise<boolean>;
  attach(deliver: (message: BrokerMessage) => void): Subscriber;
  /**
   * Hands the message over to everyone, once hooks have let it through; a topic that MQTT does not
   * allow goes nowhere.
   */
  publish(publication: Publication): Promise<void>;
  /** MQTT clients connected now. */
  readonly clients: number;
  close(): Promise<void>;
}
