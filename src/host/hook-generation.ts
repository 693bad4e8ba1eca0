/**
 * The three generations of EMQX's ExHook behind one shape, that of v3: it has all that the others
 * have. What an older one does not know is left out on the wire.
 */
import type { Rpc } from "../rpc/client.js";
import {
  HookProviderClientImpl as V1Client,
  type HookProvider as V1Provider,
} from "../rpc/generated/exhook.v1.js";
import { HookProviderClientImpl as V2Client } from "../rpc/generated/exhook.v2.js";
import {
  HookProviderClientImpl as V3Client,
  type HookProvider,
} from "../rpc/generated/exhook.v3.js";

/** v1 is EMQX 4.x, v2 is 5.0 to 5.8, v3 is from 5.9 on. */
export type HookGeneration = "v1" | "v2" | "v3";

export type { HookProvider };

export interface Generation {
  /** A version of EMQX that speaks it. */
  readonly version: string;
  /** From 5.9 on IGNORE leaves a decision as it was; before, it is as good as a refusal. */
  readonly honoursIgnore: boolean;
  /**
   * The `result` of a login that no authenticator has decided on: recorded of 5.x, where a provider
   * that leaves it as it is lets nobody in. Of 4.x it is not known.
   */
  readonly undecided: boolean;
  /** Hooks that have another name there, by that name. */
  readonly renamed: Readonly<Record<string, string>>;
  createProvider(rpc: Rpc): HookProvider;
}

export const generations: Readonly<Record<HookGeneration, Generation>> = {
  v1: {
    version: "4.4.19",
    honoursIgnore: false,
    undecided: true,
    renamed: {
      "client.check_acl": "client.authorize",
      "session.takeovered": "session.takenover",
    },
    createProvider: (rpc) => fromV1(new V1Client(rpc)),
  },
  v2: {
    version: "5.8.9",
    honoursIgnore: false,
    undecided: false,
    renamed: {},
    createProvider: (rpc) => new V2Client(rpc),
  },
  v3: {
    version: "5.9.0",
    honoursIgnore: true,
    undecided: false,
    renamed: {},
    createProvider: (rpc) => new V3Client(rpc),
  },
};

function fromV1(v1: V1Provider): HookProvider {
  return {
    OnProviderLoaded: ({ broker, meta }) =>
      v1.OnProviderLoaded({
        broker: broker && { ...broker, uptime: toUptimeText(broker.uptime) },
        meta,
      }),
    OnProviderUnloaded: (request) => v1.OnProviderUnloaded(request),
    OnClientConnect: (request) => v1.OnClientConnect(request),
    OnClientConnack: (request) => v1.OnClientConnack(request),
    OnClientConnected: (request) => v1.OnClientConnected(request),
    OnClientDisconnected: (request) => v1.OnClientDisconnected(request),
    OnClientAuthenticate: (request) => v1.OnClientAuthenticate(request),
    OnClientAuthorize: (request) => v1.OnClientCheckAcl(request),
    OnClientSubscribe: (request) =>
      v1.OnClientSubscribe({ ...request, topicFilters: request.topicFilters.map(toV1Filter) }),
    OnClientUnsubscribe: (request) =>
      v1.OnClientUnsubscribe({ ...request, topicFilters: request.topicFilters.map(toV1Filter) }),
    OnSessionCreated: (request) => v1.OnSessionCreated(request),
    OnSessionSubscribed: (request) =>
      v1.OnSessionSubscribed({
        ...request,
        subopts: request.subopts && { ...request.subopts, share: "" },
      }),
    OnSessionUnsubscribed: (request) => v1.OnSessionUnsubscribed(request),
    OnSessionResumed: (request) => v1.OnSessionResumed(request),
    OnSessionDiscarded: (request) => v1.OnSessionDiscarded(request),
    OnSessionTakenover: (request) => v1.OnSessionTakeovered(request),
    OnSessionTerminated: (request) => v1.OnSessionTerminated(request),
    OnMessagePublish: (request) => v1.OnMessagePublish(request),
    OnMessageDelivered: (request) => v1.OnMessageDelivered(request),
    OnMessageDropped: (request) => v1.OnMessageDropped(request),
    OnMessageAcked: (request) => v1.OnMessageAcked(request),
  };
}

function toV1Filter({ name, subopts }: { name: string; subopts: { qos: number } | undefined }) {
  return { name, qos: subopts?.qos ?? 0 };
}

/** Such as `1 days, 2 hours, 3 minutes, 4 seconds`; what is 0 at the front is left out. */
export function toUptimeText(uptimeMs: number): string {
  const seconds = Math.floor(uptimeMs / 1000);
  const parts: readonly (readonly [count: number, unit: string])[] = [
    [Math.floor(seconds / 86_400), "days"],
    [Math.floor(seconds / 3_600) % 24, "hours"],
    [Math.floor(seconds / 60) % 60, "minutes"],
    [seconds % 60, "seconds"],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  return parts
    .slice(first)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(", ");
}
