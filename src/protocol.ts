/**
 * The port of a protocol: what happens to a connection goes in, what is to be done comes out, as
 * plain data. A protocol is pure: no promise, timer, clock or I/O of its own. The handler runs it,
 * one event at a time per connection.
 *
 * The chat protocol (chat.ts) is one implementation; examples/ has another.
 */
import type { ErrorCode } from "./errors.js";
import type {
  LogEntry,
  LogHead,
  LogPage,
  LogPosition,
  Member,
  SessionRecord,
} from "./store/records.js";

export interface Protocol {
  readonly name: string;
  accept(link: Link): ProtocolConnection;
  /**
   * What to send before an orphan is closed: a connection that EMQX has and this process does not
   * know, because the process that knew it is gone. `note` is what that one had noted down.
   */
  farewell(note: string): Uint8Array;
}

export interface ProtocolConnection {
  /** Called with one event at a time; never throws on any input. */
  handle(event: ProtocolEvent, now: number): readonly Effect[];
  /** Bytes held for what is not complete or not carried out yet. */
  readonly pendingBytes: number;
}

/** What is known of a connection from its first moment. */
export interface Link {
  /** EMQX's id of the connection. */
  readonly conn: string;
  /** Ours: unique over every gateway and restart. */
  readonly instance: string;
  readonly peer: Peer;
}

export interface Peer {
  readonly host: string;
  readonly port: number;
  readonly socket: "tcp" | "ssl" | "udp" | "dtls";
  /** The common name of the client's TLS certificate. */
  readonly commonName?: string;
}

export type ProtocolEvent =
  | { readonly kind: "opened" }
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  | { readonly kind: "messages"; readonly messages: readonly BrokerMessage[] }
  | { readonly kind: "timer"; readonly name: string }
  /** EMQX's own timer (StartTimer): it closes the socket within a few ms. */
  | { readonly kind: "keepalive.expired" }
  | Answer
  /** An entry was appended to a log later than the broker has routed the message. */
  | { readonly kind: "logged"; readonly topic: string; readonly position: LogPosition }
  /** Much waits to be sent: only what can't wait should be added. Until `drained`. */
  | { readonly kind: "pressed" }
  | { readonly kind: "drained" }
  /** What we have to send is not taken fast enough. */
  | { readonly kind: "congested"; readonly pendingBytes: number }
  /** The process holds all it may. */
  | { readonly kind: "overloaded" }
  /** A newer connection of this process has authenticated with the client id. */
  | { readonly kind: "superseded" }
  /** Handling the event before this one threw: a bug. */
  | { readonly kind: "crashed" }
  | { readonly kind: "shutdown"; readonly retryAfterMs: number }
  /** The socket is gone. Nothing can be sent any more; nothing follows. */
  | { readonly kind: "closed"; readonly reason: string };

export interface BrokerMessage {
  readonly id: string;
  readonly topic: string;
  readonly payload: Uint8Array;
  /** The publisher's, not the lower one of publisher and subscriber. */
  readonly qos: number;
  /** The publisher's client id. */
  readonly from: string;
  /** The publisher's username, where this process knows it. */
  readonly username?: string;
  /** A client of this process has published it: `from` is that client and no other's namesake. */
  readonly isOurs?: boolean;
  /** Milliseconds since 1970. */
  readonly timestamp: number;
  /** Where it is in the log of its topic; absent where it is in none, or that is not known. */
  readonly position?: LogPosition;
}

export type Effect =
  /** Goes out in order; what gathers while a call is in flight goes out as one. */
  | { readonly kind: "send"; readonly bytes: Uint8Array }
  /** Closes the socket, after what was sent before. */
  | { readonly kind: "close" }
  /** EMQX's timer: fires after 1.5 × `seconds` without a byte from the client. At least 1. */
  | { readonly kind: "keepalive"; readonly seconds: number }
  /** Sets or moves the timer of that name. */
  | { readonly kind: "timer.set"; readonly name: string; readonly at: number }
  | { readonly kind: "timer.clear"; readonly name: string }
  /** Kept for `farewell`, should this process die before the connection does. */
  | { readonly kind: "note"; readonly text: string }
  /** No answer comes, and failure is made good later: the rooms this instance was in are left. */
  | { readonly kind: "presence.leave"; readonly rooms: readonly string[] }
  /** No answer comes: the connection is gone, its session is kept for a resume, or dropped. */
  | { readonly kind: "session.release"; readonly record: SessionRecord }
  | { readonly kind: "session.drop"; readonly clientId: string; readonly epoch: number }
  /** So many messages were dropped that could be. */
  | { readonly kind: "dropped"; readonly messages: number }
  /** Answered by an `Answer` with the same id. */
  | { readonly kind: "call"; readonly id: number; readonly call: Call };

/** What a protocol may ask for and gets an answer to. */
export type Call =
  | {
      readonly name: "authenticate";
      readonly clientId: string;
      readonly username: string;
      readonly password: string;
    }
  | { readonly name: "subscribe"; readonly topic: string; readonly qos: number }
  | { readonly name: "unsubscribe"; readonly topic: string }
  | {
      readonly name: "publish";
      readonly topic: string;
      readonly qos: number;
      readonly payload: Uint8Array;
      /**
       * Empty, or the client's: within a window, one publish to a logged topic however often it is
       * asked for with the same key.
       */
      readonly key: string;
    }
  | { readonly name: "session.take"; readonly clientId: string; readonly username: string }
  | { readonly name: "session.save"; readonly record: SessionRecord }
  | { readonly name: "presence.join"; readonly room: string; readonly member: Member }
  | { readonly name: "presence.list"; readonly room: string }
  | { readonly name: "log.open"; readonly topic: string }
  | {
      readonly name: "log.read";
      readonly topic: string;
      /** The reader's epoch, and the offset behind which it goes on. */
      readonly after: LogPosition;
      readonly limit: number;
      /** Not from what this process remembers: the log's head as it is now. */
      readonly isFresh: boolean;
    }
  | {
      readonly name: "log.history";
      readonly topic: string;
      /** A message id; absent: the newest ones. */
      readonly before?: string;
      readonly limit: number;
    };

/** What each call gives when it succeeds. */
export interface CallValues {
  authenticate: undefined;
  subscribe: undefined;
  unsubscribe: undefined;
  /** Where the message is in its topic's log; undefined where it is in none. */
  publish: Published | undefined;
  "session.take": TakenSession;
  "session.save": undefined;
  "presence.join": undefined;
  "presence.list": readonly Member[];
  /** Undefined where the topic has no log. */
  "log.open": LogHead | undefined;
  "log.read": LogPage;
  "log.history": History | undefined;
}

export interface Published extends LogPosition {
  /** EMQX's id of the message. */
  readonly id: string;
}

export interface History {
  /** Newest first. */
  readonly entries: readonly LogEntry[];
  /** Older ones are there. */
  readonly more: boolean;
}

export interface TakenSession {
  /** Counted up by every take; a write with an older one is refused. */
  readonly epoch: number;
  /** What an earlier connection has left. */
  readonly previous?: SessionRecord;
}

export type Answer =
  | {
      [N in keyof CallValues]: {
        readonly kind: "answer";
        readonly id: number;
        readonly ok: true;
        readonly name: N;
        readonly value: CallValues[N];
      };
    }[keyof CallValues]
  | Failure;

export interface Failure {
  readonly kind: "answer";
  readonly id: number;
  readonly ok: false;
  readonly name: keyof CallValues;
  readonly code: ErrorCode;
  readonly reason: string;
  readonly retryAfterMs: number;
}
