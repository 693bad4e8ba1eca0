/** ExHook as EMQX 5.9 and later speak it: with the MQTT 5 properties of messages. */
import { HookProviderDefinition } from "../rpc/generated/exhook.v3.js";
import { bind, type BoundService } from "../rpc/server.js";
import type { HookCalls } from "./hook-calls.js";

export function bindV3(calls: HookCalls): BoundService {
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
