/** What the core takes and gives, as plain data. */
import type { ClientFrame, ServerFrame, ServerFrameOf } from "../../codec/index.js";
import type { ChatError } from "./error.js";

export type Qos = 0 | 1 | 2;

export interface JoinOptions {
  /** Default 1. */
  readonly qos?: Qos;
  /** Also tell who comes and goes. Default false. */
  readonly presence?: boolean;
  /** Also get what this client says itself. Default false. */
  readonly echo?: boolean;
  /** How many of the last messages to get first, 0 to 100. Default 0. */
  readonly history?: number;
}

/** Where to say something: all who joined the room, or all devices of the user. */
export type Destination =
  | { readonly room: string; readonly user?: never }
  | { readonly user: string; readonly room?: never };

export type Content = { readonly text: string } | { readonly data: Uint8Array };

/** As it came. `seq` is of no use to an app. */
export type ChatMessage = Readonly<ServerFrameOf<"message">>;
export type PresenceEvent = Readonly<ServerFrameOf<"presence">>;
export type Member = Readonly<ServerFrameOf<"members">["members"][number]>;

/** Newest first; `more` when there are older ones. */
export interface HistoryPage {
  readonly messages: readonly ChatMessage[];
  readonly more: boolean;
}

export interface Said {
  /** EMQX's id of the message; empty where the room has no log. */
  readonly id: string;
  /** Its place in the room's log; 0 where there is none. */
  readonly offset: number;
}

export interface Joined {
  /** Whether what is missed while away can be made up for. */
  readonly recoverable: boolean;
}

/** Some messages are missing, and will not come by themselves. */
export interface Gap {
  readonly type: "gap";
  /** Absent for the user's own inbox. */
  readonly room?: string;
  /** The first and the last offset that is missing; 0 where not known. */
  readonly from: number;
  readonly to: number;
}

/** What an app is told, in order. */
export type ChatEvent =
  | {
      readonly type: "connected";
      readonly clientId: string;
      /** The session goes on: what was missed follows, then `caughtUp` per room. */
      readonly resumed: boolean;
      readonly rooms: readonly string[];
    }
  | {
      readonly type: "disconnected";
      readonly reason: string;
      /** 0 when a connection was lost; else it is the n-th attempt in a row that failed. */
      readonly attempt: number;
      readonly retryInMs: number;
    }
  | ChatMessage
  | PresenceEvent
  | Gap
  /** All that was missed in the room has come. */
  | { readonly type: "caughtUp"; readonly room: string }
  /** The room could not be joined again; the app is no longer in it. */
  | { readonly type: "roomLost"; readonly room: string; readonly error: ChatError }
  /** The client has stopped for good. */
  | { readonly type: "fatal"; readonly error: ChatError };

export type ChatEventType = ChatEvent["type"];
export type ChatEventOf<T extends ChatEventType> = Extract<ChatEvent, { readonly type: T }>;

/** What each call of the app's gives. */
export interface CallValues {
  connect: undefined;
  join: Joined;
  leave: undefined;
  say: Said;
  history: HistoryPage;
  who: readonly Member[];
}

export type CallValue = CallValues[keyof CallValues];

export type TimerName = "retry" | "login" | "ack" | "ping" | "quiet" | "resend" | "leaving";

export type Effect =
  /** Opens a connection; the one before is closed. */
  | { readonly kind: "open" }
  /** Closes it, after what was sent. Nothing of it is wanted any more. */
  | { readonly kind: "close" }
  | { readonly kind: "send"; readonly frame: ClientFrame }
  | { readonly kind: "timer.set"; readonly name: TimerName; readonly at: number }
  | { readonly kind: "timer.clear"; readonly name: TimerName }
  /** `token` is there for a message: it comes back in `taken`. 0 where nobody asks for it. */
  | { readonly kind: "tell"; readonly event: ChatEvent; readonly token?: number }
  | { readonly kind: "resolve"; readonly call: number; readonly value: CallValue }
  | { readonly kind: "reject"; readonly call: number; readonly error: ChatError }
  /** The client has ended: after what was told, nothing is. */
  | { readonly kind: "end" };

export type Emit = (effect: Effect) => void;

/** `call` is the engine's name of the promise that waits. */
export type CoreEvent =
  | { readonly kind: "connect"; readonly call: number }
  | { readonly kind: "disconnect" }
  | { readonly kind: "close" }
  | { readonly kind: "opened" }
  | { readonly kind: "frame"; readonly frame: ServerFrame }
  | { readonly kind: "lost"; readonly reason: string }
  | { readonly kind: "timer"; readonly name: TimerName }
  /** The app has taken over the message. */
  | { readonly kind: "taken"; readonly token: number }
  | {
      readonly kind: "join";
      readonly call: number;
      readonly room: string;
      readonly options: JoinOptions;
    }
  | { readonly kind: "leave"; readonly call: number; readonly room: string }
  | {
      readonly kind: "history";
      readonly call: number;
      readonly room: string;
      readonly before: string;
      readonly limit: number;
    }
  | { readonly kind: "who"; readonly call: number; readonly room: string }
  | {
      readonly kind: "say";
      readonly call: number;
      readonly to: Destination;
      readonly content: Content;
      readonly qos: Qos;
      /** Random, unique. */
      readonly key: string;
      /** Of the encoded frame, at the most. */
      readonly sizeBytes: number;
    };

/** What has to outlive the process for an app that wants each message once over restarts: JSON. */
export interface SavedState {
  readonly clientId: string;
  /** Of the first message that is not taken over; else the present one. */
  readonly session: string;
  /** Every message up to it was taken over. */
  readonly lastSeq: number;
  /** Ids of the messages taken over last. */
  readonly seen: readonly string[];
  readonly rooms: readonly SavedRoom[];
}

export interface SavedRoom {
  readonly room: string;
  readonly options: JoinOptions;
  /** Of the last message that was taken over like all before it; 0 for none. */
  readonly offset: number;
}
