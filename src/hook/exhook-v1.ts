/**
 * ExHook as EMQX 4.x speaks it: some hooks bear other names, the uptime is a text, the group of a shared
 * subscription stands beside its topic, and the port that a client comes from is not told. It loads no
 * provider that asks for a hook it does not know.
 */
import {
  HookProviderDefinition,
  type SessionSubscribedRequest,
} from "../rpc/generated/exhook.v1.js";
import { bind, type BoundService } from "../rpc/server.js";
import type { HookCalls, HookSpec } from "./hook-calls.js";

/**
 * Why a client is disconnected, or its session discarded, when it has connected anew. EMQX tells it after
 * the newer connection may have been told, and without a port it would be taken for that one's end; what
 * is to be known of it the newer connection tells.
 */
const replacedReasons: ReadonlySet<string> = new Set(["discarded", "takeovered"]);

export function bindV1(calls: HookCalls): BoundService {
  return bind(HookProviderDefinition, {
    onProviderLoaded: (call) => ({
      hooks: calls
        .loaded(call, parseUptimeMs(call.broker?.uptime ?? ""))
        .filter(({ name }) => name !== "session.discarded")
        .map(renamed),
    }),
    onProviderUnloaded: calls.other,
    onClientConnect: calls.other,
    onClientConnack: calls.other,
    onClientConnected: calls.connected,
    onClientDisconnected: (call) =>
      replacedReasons.has(call.reason) ? calls.other(call) : calls.disconnected(call),
    onClientAuthenticate: calls.authenticate,
    onClientCheckAcl: calls.authorize,
    onClientSubscribe: calls.other,
    onClientUnsubscribe: calls.other,
    onSessionCreated: calls.other,
    onSessionSubscribed: (call) => calls.subscribed({ ...call, topic: filterOf(call) }),
    onSessionUnsubscribed: calls.unsubscribed,
    onSessionResumed: calls.resumed,
    onSessionDiscarded: calls.other,
    onSessionTakeovered: calls.other,
    onSessionTerminated: calls.ended,
    onMessagePublish: calls.publish,
    onMessageDelivered: calls.other,
    onMessageDropped: calls.other,
    onMessageAcked: calls.other,
  });
}

function renamed(spec: HookSpec): HookSpec {
  return spec.name === "client.authorize" ? { ...spec, name: "client.check_acl" } : spec;
}

/**
 * Of an unsubscription no group is told; but there a session has one subscription to a topic, shared or
 * not.
 */
function filterOf({ topic, subopts }: SessionSubscribedRequest): string {
  const group = subopts?.share ?? "";
  return group === "" ? topic : `$share/${group}/${topic}`;
}

const UNITS_MS = { day: 86_400_000, hour: 3_600_000, minute: 60_000, second: 1_000 } as const;

/** Such as `1 days, 2 hours, 3 minutes, 4 seconds`; undefined for anything else. */
export function parseUptimeMs(text: string): number | undefined {
  const parts = text
    .split(",")
    .map((part) => /^(\d+) (day|hour|minute|second)s?$/.exec(part.trim()));
  let sumMs = 0;
  for (const part of parts) {
    const [, count, unit] = part ?? [];
    if (count === undefined || unit === undefined) return undefined;
    sumMs += Number(count) * UNITS_MS[unit as keyof typeof UNITS_MS];
  }
  return sumMs;
}
