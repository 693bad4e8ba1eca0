/** hello: EMQX decides on the credentials, then the session is taken and saved, then the
 * inbox is joined. */
import type { ClientFrameOf } from "../../codec/frame.js";
import type { Answer } from "../../protocol.js";
import type { SessionRecord } from "../../store/records.js";
import { INBOX_QOS, deliver } from "../delivery.js";
import { bye, call, frame, to, type Step } from "../effect.js";
import { MAX_KEEPALIVE_SECONDS, type SessionOptions } from "../options.js";
import type { Active, Authenticating, Greeting, Opened } from "../state.js";
import { HELLO_TIMER } from "../timers.js";
import { clientIdRule, isClientId, isUsername, usernameRule } from "../topics.js";

export function onHello(
  state: Opened,
  hello: ClientFrameOf<"hello">,
  options: SessionOptions,
): Step {
  const keepaliveSeconds = hello.keepalive ?? options.defaultKeepaliveSeconds;
  if (hello.clientId !== "" && !isClientId(hello.clientId)) {
    return bye(state, "BAD_REQUEST", clientIdRule);
  }
  if (hello.username !== "" && !isUsername(hello.username)) {
    return bye(state, "BAD_REQUEST", usernameRule);
  }
  if (keepaliveSeconds > MAX_KEEPALIVE_SECONDS) {
    return bye(state, "BAD_REQUEST", `keepalive is at most ${MAX_KEEPALIVE_SECONDS} s; 0 is off`);
  }
  const greeting: Greeting = {
    clientId:
      hello.clientId === "" ? givenClientId(hello.username, state.instance) : hello.clientId,
    username: hello.username,
    keepaliveSeconds,
    expirySeconds: Math.min(
      hello.sessionExpiry ?? options.defaultExpirySeconds,
      options.maxExpirySeconds,
    ),
  };
  const asked = call(state, {
    name: "authenticate",
    clientId: greeting.clientId,
    username: greeting.username,
    password: hello.password,
  });
  return to(
    { ...asked.state, phase: "authenticating", greeting, step: "credentials", epoch: 0, held: [] },
    asked.effect,
  );
}

/** Readable where the username allows it, and unique by the instance. */
function givenClientId(username: string, instance: string): string {
  const named = `${username}-${instance}`;
  return username !== "" && isClientId(named) ? named : `chat-${instance}`;
}

export function onLoginAnswer(
  state: Authenticating,
  answer: Answer,
  options: SessionOptions,
): Step {
  if (!answer.ok) return bye(state, answer.code, answer.reason, answer.retryAfterMs);
  const { greeting } = state;
  switch (answer.name) {
    case "authenticate": {
      const { clientId, username } = greeting;
      const taken = call(state, { name: "session.take", clientId, username });
      return to({ ...taken.state, step: "session" }, taken.effect);
    }
    case "session.take": {
      const owner = { ...state, epoch: answer.value.epoch };
      const saved = call(owner, { name: "session.save", record: emptyRecord(owner) });
      return to({ ...saved.state, step: "save" }, saved.effect);
    }
    case "session.save": {
      if (greeting.username === "") return welcome(state, options);
      const topic = options.topics.user(greeting.username);
      const inbox = call(state, { name: "subscribe", topic, qos: INBOX_QOS });
      return to({ ...inbox.state, step: "inbox" }, inbox.effect);
    }
    case "subscribe":
      return welcome(state, options);
    default:
      return bye(state, "INTERNAL", `${answer.name} was answered during a login`);
  }
}

function emptyRecord({ greeting, epoch, instance }: Authenticating): SessionRecord {
  return {
    session: instance,
    clientId: greeting.clientId,
    username: greeting.username,
    epoch,
    rooms: {},
    seq: 0,
    ackedSeq: 0,
    expirySeconds: greeting.expirySeconds,
  };
}

function welcome(state: Authenticating, options: SessionOptions): Step {
  const { greeting, epoch, instance, bucket, lastCall } = state;
  const active: Active = {
    phase: "active",
    instance,
    bucket,
    lastCall,
    greeting,
    epoch,
    rooms: new Map(),
    seq: 0,
    ackedSeq: 0,
    pending: undefined,
  };
  const held = deliver(active, state.held, options);
  return to(
    held.state,
    { kind: "timer.clear", name: HELLO_TIMER },
    { kind: "keepalive", seconds: greeting.keepaliveSeconds || options.idleKeepaliveSeconds },
    frame("welcome", {
      clientId: greeting.clientId,
      session: instance,
      resumed: false,
      rooms: [],
      keepalive: greeting.keepaliveSeconds,
      maxFrameBytes: options.maxFrameBytes,
      server: options.server,
    }),
    ...held.effects,
  );
}
