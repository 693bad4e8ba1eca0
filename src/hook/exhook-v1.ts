/**
 * ExHook as EMQX 4.x speaks it: some hooks bear other names, the uptime is a text, and the port that a
 * client comes from is not told. It loads no provider that asks for a hook it does not know.
 */
import { HookProviderDefinition } from "../rpc/generated/exhook.v1.js";
import { bind, type BoundService } from "../rpc/server.js";
import type { HookCalls, HookSpec } from "./hook-calls.js";

export function bindV1(calls: HookCalls): BoundService {
  return bind(HookProviderDefinition, {
    onProviderLoaded: (call) => ({
      hooks: calls.loaded(call, parseUptimeMs(call.broker?.uptime ?? "")).map(renamed),
    }),
    onProviderUnloaded: calls.other,
    onClientConnect: calls.other,
    onClientConnack: calls.other,
    onClientConnected: calls.connected,
    onClientDisconnected: calls.disconnected,
    onClientAuthenticate: calls.authenticate,
    onClientCheckAcl: calls.authorize,
    onClientSubscribe: calls.other,
    onClientUnsubscribe: calls.other,
    onSessionCreated: calls.other,
    onSessionSubscribed: calls.subscribed,
    onSessionUnsubscribed: calls.unsubscribed,
    onSessionResumed: calls.resumed,
    onSessionDiscarded: calls.ended,
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
