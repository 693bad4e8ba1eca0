/** hello: what it asks for is checked; then EMQX decides on the credentials, see login.ts. */
import type { ClientFrameOf } from "../../codec/frame.js";
import { bye, call, to, type Step } from "../effect.js";
import { MAX_KEEPALIVE_SECONDS, type SessionOptions } from "../options.js";
import type { Greeting, Opened } from "../state.js";
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
    resume: hello.resume,
    lastSeq: hello.lastSeq,
  };
  const asked = call(state, {
    name: "authenticate",
    clientId: greeting.clientId,
    username: greeting.username,
    password: hello.password,
  });
  return to(
    {
      ...asked.state,
      phase: "authenticating",
      greeting,
      step: "credentials",
      epoch: 0,
      previous: undefined,
      ahead: [],
      rooms: new Map(),
      feeds: new Map(),
      held: [],
      inboxNews: undefined,
    },
    asked.effect,
  );
}

/** Readable where the username allows it, and unique by the instance. */
function givenClientId(username: string, instance: string): string {
  const named = `${username}-${instance}`;
  return username !== "" && isClientId(named) ? named : `chat-${instance}`;
}
