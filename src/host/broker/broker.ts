/**
 * What the host needs of a broker: it authenticates and authorizes both kinds of clients, takes what
 * ExProto clients publish, and gives them what anybody has published.
 */
export interface Broker {
  /** Whether the credentials are good; else EMQX's word for why not. */
  authenticate(credentials: Credentials): Verdict;
  authorize(client: Client, action: Action, topic: string): boolean;
  /** Resolves when the message is routed. `from` is the publisher's client id. */
  publish(from: string, topic: string, qos: number, payload: Uint8Array): Promise<void>;
  /** Again, with the same filter: the subscription goes on, no second copy comes. */
  subscribe(subscriber: Subscriber, filter: string): void;
  unsubscribe(subscriber: Subscriber, filter: string): void;
  /** Ends all of its subscriptions. */
  detach(subscriber: Subscriber): void;
}

export interface Credentials {
  readonly username: string;
  readonly password: string;
}

export type Verdict = "ok" | "not_authorized" | "bad_username_or_password";

export interface Client {
  readonly clientId: string;
  readonly username: string;
}

export type Action = "publish" | "subscribe";

export interface Subscriber {
  deliver(message: RoutedMessage): void;
}

/** One message, the same for whoever gets it. */
export interface RoutedMessage {
  /** 32 upper-case hex digits. */
  readonly id: string;
  readonly qos: number;
  readonly from: string;
  readonly topic: string;
  readonly payload: Uint8Array;
  /** Milliseconds since 1970. */
  readonly timestamp: number;
}
