/**
 * The calls of EMQX's ExHook in one shape for all generations; what is here is what they have in
 * common. Nothing that a listener or a policy does becomes a gRPC error or a call without an answer:
 * EMQX's process waits for each, 5 s by default.
 *
 * Where nobody decides, the answer is CONTINUE with what was given. IGNORE would say the same, but is
 * taken for a refusal before EMQX 5.9 (facts F4), and an answer without a value is a warning in
 * EMQX's log for each call.
 */
import type { Clock } from "../clock.js";
import type { Logger } from "../logger.js";
import type { LogMessage } from "../store/records.js";
import type { HookClient, HookListener, MessageProperties } from "./hook-listener.js";
import type { Decision, HookPolicy } from "./hook-policy.js";

export interface CallMeta {
  readonly node: string;
}

export interface CallClient {
  readonly node: string;
  readonly clientid: string;
  readonly username: string;
  readonly password: string;
  readonly protocol: string;
  readonly peerhost: string;
  readonly peerport?: number;
}

export interface CallMessage {
  node: string;
  id: string;
  qos: number;
  from: string;
  topic: string;
  payload: Uint8Array;
  timestamp: number;
  headers: Record<string, string>;
}

interface Call {
  readonly meta: CallMeta | undefined;
}

interface ClientCall extends Call {
  readonly clientinfo: CallClient | undefined;
}

interface TopicCall extends ClientCall {
  readonly topic: string;
}

interface DecisionCall extends ClientCall {
  readonly result: boolean;
}

interface AuthorizeCall extends DecisionCall {
  readonly type: "PUBLISH" | "SUBSCRIBE";
  readonly topic: string;
}

interface MessageCall extends Call {
  readonly message: CallMessage | undefined;
  /** Absent before EMQX 5.9. */
  readonly props?: readonly { readonly name: string; readonly value: string }[];
}

export interface HookSpec {
  name: string;
  topics: string[];
}

export interface Answer {
  type: "CONTINUE" | "STOP_AND_RETURN";
  value:
    { $case: "boolResult"; value: boolean } | { $case: "message"; value: CallMessage } | undefined;
}

type Taken = Record<string, never>;

export interface HookCalls {
  /** @param uptimeMs of the node; undefined: not known. */
  readonly loaded: (call: Call, uptimeMs: number | undefined) => HookSpec[];
  readonly connected: (call: ClientCall) => Taken;
  readonly disconnected: (call: ClientCall) => Taken;
  readonly subscribed: (call: TopicCall) => Taken;
  readonly unsubscribed: (call: TopicCall) => Taken;
  readonly resumed: (call: ClientCall) => Taken;
  readonly ended: (call: ClientCall) => Taken;
  /** Of no interest, and not asked for. */
  readonly other: (call: Call) => Taken;
  readonly authenticate: (call: DecisionCall) => Promise<Answer>;
  readonly authorize: (call: AuthorizeCall) => Promise<Answer>;
  readonly publish: (call: MessageCall) => Promise<Answer>;
}

export interface HookCallsOptions {
  readonly listener: HookListener;
  readonly policy: HookPolicy;
  readonly clock: Clock;
  readonly logger: Logger;
  /** A call for which nobody has decided by then goes on as it was given, in ms. */
  readonly deadlineMs: number;
}

const LATE = Symbol("late");

export function createHookCalls(options: HookCallsOptions): HookCalls {
  const { listener, policy, clock, logger, deadlineMs } = options;

  /** Tells, and survives whatever becomes of it. */
  function tell(hook: string, run: () => unknown): void {
    const failed = (error: unknown) =>
      logger.error({ err: error, hook }, "a listener of EMQX's hooks failed");
    try {
      const work = run();
      // A method of `void` may be an async one all the same.
      if (work instanceof Promise) work.catch(failed);
    } catch (error) {
      failed(error);
    }
  }

  function hear({ meta }: Call): void {
    const node = meta?.node ?? "";
    if (node !== "") tell("call", () => listener.onCall?.(node));
  }

  function hearOf(hook: string, call: ClientCall, run: (client: HookClient) => unknown): Taken {
    hear(call);
    const client = clientOf(call);
    if (client !== undefined) tell(hook, () => run(client));
    return {};
  }

  /** Undefined where `decide` throws, is late, or has nothing to say. */
  async function within<T>(
    hook: string,
    decide: () => T | Promise<T>,
  ): Promise<Awaited<T> | undefined> {
    let cancel = (): void => undefined;
    const late = new Promise<typeof LATE>((resolve) => {
      cancel = clock.schedule(deadlineMs, () => resolve(LATE));
    });
    try {
      const decision = await Promise.race([run(decide), late]);
      if (decision !== LATE) return decision;
      logger.warn({ hook, deadlineMs }, "EMQX was answered without a decision: it came too late");
    } catch (error) {
      logger.error({ err: error, hook }, "EMQX was answered without a decision: it failed");
    } finally {
      cancel();
    }
    return undefined;
  }

  return {
    loaded(call, uptimeMs) {
      hear(call);
      const node = call.meta?.node ?? "";
      tell("provider.loaded", () => listener.onProviderLoaded?.(node, uptimeMs));
      const hooks = hooksOf(listener, policy);
      logger.info(
        { node, hooks: hooks.map(({ name }) => name) },
        "EMQX has loaded the hook provider",
      );
      return hooks;
    },
    connected: (call) =>
      hearOf("client.connected", call, (client) => listener.onConnected?.(client)),
    disconnected: (call) =>
      hearOf("client.disconnected", call, (client) => listener.onDisconnected?.(client)),
    subscribed: (call) =>
      hearOf("session.subscribed", call, (client) => listener.onSubscribed?.(client, call.topic)),
    unsubscribed: (call) =>
      hearOf("session.unsubscribed", call, (client) =>
        listener.onUnsubscribed?.(client, call.topic),
      ),
    resumed: (call) =>
      hearOf("session.resumed", call, (client) => listener.onSessionResumed?.(client)),
    ended: (call) =>
      hearOf("session.terminated", call, (client) => listener.onSessionEnded?.(client)),
    other(call) {
      hear(call);
      return {};
    },
    async authenticate(call) {
      hear(call);
      const client = clientOf(call);
      const password = call.clientinfo?.password ?? "";
      const decision =
        client &&
        (await within("client.authenticate", () => policy.authenticate?.(client, password)));
      return decided(decision, call.result);
    },
    async authorize(call) {
      hear(call);
      const client = clientOf(call);
      const action = call.type === "PUBLISH" ? "publish" : "subscribe";
      const decision =
        client &&
        (await within("client.authorize", () => policy.authorize?.(client, action, call.topic)));
      return decided(decision, call.result);
    },
    async publish(call) {
      hear(call);
      const { message } = call;
      if (message === undefined) return { type: "CONTINUE", value: undefined };
      const decision = await within("message.publish", () =>
        listener.onPublish?.(toLogMessage(message), propertiesOf(call)),
      );
      if (decision !== "drop") {
        return { type: "CONTINUE", value: { $case: "message", value: message } };
      }
      const headers = { ...message.headers, allow_publish: "false" };
      return {
        type: "STOP_AND_RETURN",
        value: { $case: "message", value: { ...message, headers } },
      };
    },
  };
}

/** So that what is thrown at once is a rejection as well. */
async function run<T>(decide: () => T | Promise<T>): Promise<T> {
  return await decide();
}

function clientOf({ clientinfo, meta }: ClientCall): HookClient | undefined {
  if (clientinfo === undefined) return undefined;
  const { node, clientid, username, protocol, peerhost, peerport = 0 } = clientinfo;
  return {
    node: node === "" ? (meta?.node ?? "") : node,
    clientId: clientid,
    username,
    protocol,
    peer: `${peerhost}:${peerport}`,
  };
}

/** A message that was published through ExProto or RawPublish has no such headers (facts E7). */
function toLogMessage({
  id,
  topic,
  from,
  qos,
  payload,
  timestamp,
  headers,
}: CallMessage): LogMessage {
  const { username = "", protocol = "" } = headers;
  return { id, topic, from, username, protocol, qos, payload, timestamp };
}

function propertiesOf({ props = [] }: MessageCall): MessageProperties {
  const valueOf = (name: string) => props.find((property) => property.name === name)?.value;
  const responseTopic = valueOf("Response-Topic");
  const correlationData = valueOf("Correlation-Data");
  return {
    ...(responseTopic !== undefined && { responseTopic }),
    ...(correlationData !== undefined && { correlationData }),
  };
}

/** What a policy has decided is final: to EMQX, CONTINUE would leave it to whoever comes next. */
function decided(decision: Decision, given: boolean): Answer {
  return decision === undefined
    ? { type: "CONTINUE", value: { $case: "boolResult", value: given } }
    : { type: "STOP_AND_RETURN", value: { $case: "boolResult", value: decision } };
}

/** No more than is needed: EMQX's processes wait for every call. */
function hooksOf(listener: HookListener, policy: HookPolicy): HookSpec[] {
  const wanted: readonly (readonly [name: string, isWanted: boolean])[] = [
    ["client.connected", has(listener, "onConnected")],
    ["client.disconnected", has(listener, "onDisconnected")],
    ["client.authenticate", has(policy, "authenticate")],
    ["client.authorize", has(policy, "authorize")],
    ["session.subscribed", has(listener, "onSubscribed")],
    ["session.unsubscribed", has(listener, "onUnsubscribed")],
    ["session.resumed", has(listener, "onSessionResumed")],
    ["session.discarded", has(listener, "onSessionEnded")],
    ["session.terminated", has(listener, "onSessionEnded")],
  ];
  const hooks: HookSpec[] = wanted
    .filter(([, isWanted]) => isWanted)
    .map(([name]) => ({ name, topics: [] }));
  // To EMQX, no filter is every topic.
  if (has(listener, "onPublish") && listener.messageTopics.length > 0) {
    hooks.push({ name: "message.publish", topics: [...listener.messageTopics] });
  }
  return hooks;
}

function has<T>(owner: T, method: keyof T): boolean {
  return owner[method] !== undefined;
}
