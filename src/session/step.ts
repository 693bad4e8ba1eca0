/**
 * The session: one pure function from a state and an event to the next state and what is to be
 * done. It owns the gate (rate, legality); what a command does is in commands/.
 *
 * Invariants: nothing is sent after `bye`; `closed` never changes again; a frame is only stepped
 * while `isReady(state)`; an answer moves the state only where its call is waited for.
 */
import type { Inbound } from "../codec/frame.js";
import type { Answer, BrokerMessage } from "../protocol.js";
import { catchUp, onLogged, onPage, retry, serve, take } from "./catch-up.js";
import { onAck } from "./commands/ack.js";
import { onHello } from "./commands/hello.js";
import { onHistory, onHistoryAnswer } from "./commands/history.js";
import { onJoin, onJoinAnswer } from "./commands/join.js";
import { onLeave, onLeaveAnswer } from "./commands/leave.js";
import { onLoginAnswer } from "./commands/login.js";
import { onPing } from "./commands/ping.js";
import { onSay, onSayAnswer } from "./commands/say.js";
import { onWho, onWhoAnswer } from "./commands/who.js";
import { deliver } from "./delivery.js";
import { bye, depart, fail, lost, to, type Step } from "./effect.js";
import type { SessionEvent } from "./event.js";
import { later } from "./feed.js";
import { keep, onKept } from "./keep.js";
import type { SessionOptions } from "./options.js";
import { chargeBytes, chargeFrame, fullBucket, isFlooded } from "./rate.js";
import { rules } from "./rules.js";
import {
  MAX_HELD_MESSAGES,
  type Active,
  type Authenticating,
  type Opened,
  type SessionState,
} from "./state.js";
import { CATCH_UP_TIMER, HELLO_TIMER, KEEP_TIMER, SERVE_TIMER, SLOW_TIMER } from "./timers.js";

export function open(instance: string, options: SessionOptions, now: number): Step {
  const state: Opened = {
    phase: "opened",
    instance,
    bucket: fullBucket(options.rate, now),
    lastCall: 0,
  };
  return to(
    state,
    { kind: "timer.set", name: HELLO_TIMER, at: now + options.helloTimeoutMs },
    // EMQX's timer fires at 1.5 times its interval, a little after ours.
    { kind: "keepalive", seconds: Math.ceil(options.helloTimeoutMs / 1500) },
  );
}

export function step(
  state: SessionState,
  event: SessionEvent,
  now: number,
  options: SessionOptions,
): Step {
  if (state.phase === "closed") return to(state);
  switch (event.kind) {
    case "opened":
      return to(state);
    case "received":
      return onReceived(state, event.bytes, now, options);
    case "frame":
      return state.phase === "authenticating"
        ? bye(state, "INTERNAL", "a frame was stepped while a login was under way")
        : onFrame(state, event.frame, now, options);
    case "messages":
      return onMessages(state, event.messages, now, options);
    case "answer":
      return onAnswer(state, event, now, options);
    case "timer":
      return onTimer(state, event.name, now, options);
    case "keepalive.expired":
      return bye(state, "IDLE_TIMEOUT", "no byte came for 1.5 times the keepalive; ping in time");
    case "backlogged":
      return bye(
        state,
        "RATE_LIMITED",
        `${event.bytes} bytes wait to be carried out; wait for the answers`,
      );
    case "logged":
      return state.phase === "active"
        ? onLogged(state, event.topic, event.position, now, options)
        : to(state);
    case "pressed":
      return state.phase === "active"
        ? catchUp(state, { ...state, isPressed: true }, [], now, options)
        : to(state);
    case "drained":
      return state.phase === "active"
        ? serve({ ...state, isPressed: false }, now, options)
        : to(state);
    case "congested":
      return bye(
        state,
        "SLOW_CONSUMER",
        `${event.pendingBytes} bytes wait to be sent; read faster or join less`,
      );
    case "overloaded":
      return bye(state, "UNAVAILABLE", "the gateway holds all it can; come back later");
    case "superseded":
      return bye(state, "TAKEN_OVER", "the session goes on at a newer connection");
    case "crashed":
      return bye(state, "INTERNAL", "the gateway failed; its log says why");
    case "takenOver":
      return state.phase === "active" ? take(state, event.seq, now, options) : to(state);
    case "shutdown":
      return bye(state, "SHUTTING_DOWN", "the gateway stops; come back", event.retryAfterMs);
    case "closed":
      return lost(state);
  }
}

type Live = Exclude<SessionState, { phase: "closed" }>;

function onMessages(
  state: Live,
  messages: readonly BrokerMessage[],
  now: number,
  options: SessionOptions,
): Step {
  switch (state.phase) {
    case "opened":
      return to(state);
    case "authenticating":
      return hold(state, messages, options);
    case "active":
      return deliver(state, messages, now, options);
  }
}

/**
 * What is in a log is read from there when the login is through. What is held is not yet sent, so
 * that dropping some of it would go unnoticed.
 */
function hold(
  state: Authenticating,
  messages: readonly BrokerMessage[],
  { topics }: SessionOptions,
): Step {
  const held = [...state.held, ...messages.filter(({ position }) => position === undefined)];
  let { inboxNews } = state;
  for (const { topic, position } of messages) {
    if (position === undefined || topic !== topics.user(state.greeting.username)) continue;
    inboxNews = later(inboxNews, position);
  }
  return held.length > MAX_HELD_MESSAGES
    ? bye(state, "UNAVAILABLE", "too many messages came during the login; try again")
    : to({ ...state, held, inboxNews });
}

function onReceived(state: Live, bytes: number, now: number, options: SessionOptions): Step {
  const bucket = chargeBytes(state.bucket, options.rate, bytes, now);
  return isFlooded(bucket, options.rate) ? flooded(state) : to({ ...state, bucket });
}

function onTimer(state: Live, name: string, now: number, options: SessionOptions): Step {
  if (state.phase === "active") return onActiveTimer(state, name, now, options);
  if (name !== HELLO_TIMER) return to(state);
  const seconds = options.helloTimeoutMs / 1000;
  return state.phase === "opened"
    ? bye(state, "IDLE_TIMEOUT", `no hello within ${seconds} s; say it first`)
    : bye(state, "UNAVAILABLE", `the login stood still for ${seconds} s; try again`);
}

function onActiveTimer(state: Active, name: string, now: number, options: SessionOptions): Step {
  switch (name) {
    case CATCH_UP_TIMER:
      return retry(state, now, options);
    case SERVE_TIMER:
      return serve(state, now, options);
    case KEEP_TIMER:
      return keep(state, now, options);
    case SLOW_TIMER: {
      const seconds = options.slowConsumerMs / 1000;
      const reason = `messages wait, and none was acknowledged for ${seconds} s; resume and ack`;
      return bye(state, "SLOW_CONSUMER", reason);
    }
    default:
      return to(state);
  }
}

function onFrame(
  unpaid: Opened | Active,
  inbound: Inbound,
  now: number,
  options: SessionOptions,
): Step {
  if (inbound.type === "broken") return bye(unpaid, inbound.code, inbound.reason);
  // Never refused: it would keep a session that its client has given up.
  if (inbound.type === "bye") return depart(unpaid);
  const rule =
    inbound.type === "invalid" || inbound.type === "local" ? undefined : rules[inbound.type];
  const charge = chargeFrame(unpaid.bucket, options.rate, rule?.cost ?? 1, now);
  const state = { ...unpaid, bucket: charge.bucket };
  if (charge.verdict === "flooded") return flooded(state);
  const refuse = (code: Parameters<typeof fail>[1], reason: string, retryAfterMs?: number): Step =>
    state.phase === "opened"
      ? bye(state, code, reason, retryAfterMs)
      : to(state, fail("ref" in inbound ? inbound.ref : 0, code, reason, retryAfterMs));
  if (charge.verdict === "refused") {
    return refuse("RATE_LIMITED", "more frames or bytes than allowed", charge.retryAfterMs);
  }
  if (inbound.type === "local") return to(state, { kind: "send", bytes: inbound.answer });
  if (inbound.type === "invalid") return refuse(inbound.code, inbound.reason);
  if (state.phase === "opened") {
    return inbound.type === "hello"
      ? onHello(state, inbound, options)
      : refuse(rules[inbound.type].otherwise, `${inbound.type} came before hello`);
  }
  switch (inbound.type) {
    case "hello":
      return refuse(rules.hello.otherwise, "hello was said already");
    case "join":
      return onJoin(state, inbound, options);
    case "leave":
      return onLeave(state, inbound);
    case "say":
      return onSay(state, inbound, options);
    case "ack":
      return onAck(state, inbound, now, options);
    case "history":
      return onHistory(state, inbound, options);
    case "who":
      return onWho(state, inbound);
    case "ping":
      return onPing(state, inbound);
  }
}

function onAnswer(
  state: Opened | Authenticating | Active,
  answer: Answer,
  now: number,
  options: SessionOptions,
): Step {
  if (state.phase === "opened") return to(state);
  if (state.phase === "active" && typeof state.reading === "object") {
    const { call, room } = state.reading;
    if (answer.id === call) return onPage(state, room, answer, now, options);
  }
  if (state.phase === "active" && typeof state.keeping === "object") {
    const { call, isOutdated } = state.keeping;
    if (answer.id === call) return onKept(state, isOutdated, answer, now, options);
  }
  // What was undone answers too; nobody waits for it.
  const awaited = state.phase === "active" ? state.awaited : state.lastCall;
  if (answer.id !== awaited) return to(state);
  if (!answer.ok && answer.code === "TAKEN_OVER") return bye(state, answer.code, answer.reason);
  if (state.phase === "authenticating") return onLoginAnswer(state, answer, now, options);
  const { pending } = state;
  switch (pending?.command) {
    case undefined:
      return to(state);
    case "join":
      return onJoinAnswer(state, pending, answer, now, options);
    case "leave":
      return onLeaveAnswer(state, pending, answer, options);
    case "say":
      return onSayAnswer(state, pending, answer);
    case "who":
      return onWhoAnswer(state, pending, answer);
    case "history":
      return onHistoryAnswer(state, pending, answer, options);
  }
}

function flooded(state: Live): Step {
  return bye(state, "RATE_LIMITED", "it went on after being told to slow down");
}
