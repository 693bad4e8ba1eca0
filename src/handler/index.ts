/**
 * Runs protocols: takes EMQX's events in over gRPC, keeps one connection each, and carries out what
 * they want done. gRPC types stay in service.ts and streams.ts.
 */
export { createAnnouncer } from "./announcer.js";
export { createDoor, type Door, type DoorEvent } from "./door.js";
export { createPresenceTracker, type PresenceTracker } from "./presence.js";
export { createPublications, type Publications } from "./publications.js";
export { createRegistry, newInstance, type Registry } from "./registry.js";
export { defaultHandlerLimits, type HandlerLimits, type Runtime } from "./runtime.js";
export { createHandlerServices } from "./service.js";
