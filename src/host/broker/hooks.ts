/** The port to whoever wants to know of what happens, or to decide on it: EMQX's hooks. */
import type { Action, BrokerMessage, ClientIdentity, HookedClient, Peer, Qos } from "./broker.js";

/** A connection, as it presents itself before it is let in. */
export interface HookedConnection extends ClientIdentity, Peer {
  readonly protoName: string;
  readonly protoVer: string;
  /** 0: none. */
  readonly keepaliveSeconds: number;
}

export interface Subscription {
  readonly filter: string;
  readonly qos: Qos;
}

/** What is told and needs no answer. */
export type HookNotice =
  | { readonly hook: "client.connect"; readonly connection: HookedConnection }
  | {
      readonly hook: "client.connack";
      readonly connection: HookedConnection;
      /** EMQX's name of the code, such as `success`. */
      readonly result: string;
    }
  | {
      readonly hook:
        | "client.connected"
        | "session.created"
        | "session.resumed"
        | "session.discarded"
        | "session.takenover";
      readonly client: HookedClient;
    }
  | {
      readonly hook: "client.disconnected" | "session.terminated";
      readonly client: HookedClient;
      readonly reason: string;
    }
  | {
      readonly hook: "client.subscribe" | "client.unsubscribe";
      readonly client: HookedClient;
      readonly subscriptions: readonly Subscription[];
    }
  | {
      readonly hook: "session.subscribed";
      readonly client: HookedClient;
      readonly subscription: Subscription;
    }
  | {
      readonly hook: "session.unsubscribed";
      readonly client: HookedClient;
      readonly filter: string;
    }
  | {
      readonly hook: "message.delivered" | "message.acked";
      readonly client: HookedClient;
      readonly message: BrokerMessage;
    }
  | { readonly hook: "message.dropped"; readonly message: BrokerMessage; readonly reason: string };

/** No method rejects, and each answers within a bounded time. */
export interface Hooks {
  /** Resolves when it was taken, or was in vain. */
  notify(notice: HookNotice): Promise<void>;
  /**
   * @param result what the users' list has decided; undefined: there is none, and everybody is let in
   * unless a provider is there to decide.
   */
  authenticate(
    client: HookedClient,
    password: string,
    result: boolean | undefined,
  ): Promise<boolean>;
  /** @param result what is answered where nobody decides otherwise. */
  authorize(client: HookedClient, action: Action, topic: string, result: boolean): Promise<boolean>;
  /** What is to be routed: the message, another in its place under its id, or none. */
  publish(message: BrokerMessage): Promise<BrokerMessage | undefined>;
}
