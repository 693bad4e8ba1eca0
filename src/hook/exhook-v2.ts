/** ExHook as EMQX 5.0 to 5.8 speaks it. A session that is taken over goes on: it is not over. */
import { HookProviderDefinition } from "../rpc/generated/exhook.v2.js";
import { bind, type BoundService } from "../rpc/server.js";
import type { HookCalls } from "./hook-calls.js";

export function bindV2(calls: HookCalls): BoundService {
  return bind(HookProviderDefinition, {
    onProviderLoaded: (call) => ({ hooks: calls.loaded(call, call.broker?.uptime) }),
    onProviderUnloaded: calls.other,
    onClientConnect: calls.other,
    onClientConnack: calls.other,
    onClientConnected: calls.connected,
    onClientDisconnected: calls.disconnected,
    onClientAuthenticate: calls.authenticate,
    onClientAuthorize: calls.authorize,
    onClientSubscribe: calls.other,
    onClientUnsubscribe: calls.other,
    onSessionCreated: calls.other,
    onSessionSubscribed: calls.subscribed,
    onSessionUnsubscribed: calls.unsubscribed,
    onSessionResumed: calls.resumed,
    onSessionDiscarded: calls.ended,
    onSessionTakenover: calls.other,
    onSessionTerminated: calls.ended,
    onMessagePublish: calls.publish,
    onMessageDelivered: calls.other,
    onMessageDropped: calls.other,
    onMessageAcked: calls.other,
  });
}
