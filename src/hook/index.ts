/**
 * EMQX's ExHook: its calls in three generations, and what is made of them. Types of gRPC end at
 * service.ts and the exhook-*.ts; what comes of a call is in terms of HookListener.
 */
export type { HookClient, HookListener } from "./hook-listener.js";
export { createMqttHistory, type MqttHistory } from "./mqtt-history.js";
export type { Decision, HookPolicy } from "./hook-policy.js";
export {
  createMqttPresence,
  ownerOf,
  type MqttPresence,
  type MqttPresenceOptions,
} from "./mqtt-presence.js";
export { createHookServices, type HookServiceOptions } from "./service.js";
