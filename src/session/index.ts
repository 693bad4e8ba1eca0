/**
 * The chat session, pure: no promise, timer, clock, logger, environment, gRPC or Redis here. Time
 * is an argument; what is wanted of the world comes out as effects, what it answers comes in as
 * events.
 */
export type { SessionEffect, Step } from "./effect.js";
export type { SessionEvent } from "./event.js";
export { defaultSessionOptions, type SessionOptions } from "./options.js";
export { decodePresenceEvent, encodePresenceEvent, type PresenceEvent } from "./presence-event.js";
export { rules } from "./rules.js";
export { isReady, type SessionState } from "./state.js";
export { open, step } from "./step.js";
export { describe as describeMessage } from "./sending.js";
export {
  createTopics,
  defaultTopics,
  isClientId,
  isRoomName,
  isUsername,
  type Topics,
  type TopicTemplates,
} from "./topics.js";
