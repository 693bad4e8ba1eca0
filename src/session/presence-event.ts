import { isClientId, isRoomName, isUsername } from "./topics.js";

/**
 * What lies on a room's presence topic: JSON, so that MQTT clients can use it.
 * `{"event":"JOINED","room":"lobby","clientId":"a1","username":"alice","ts":1795383368997}`
 * Of a client that does not speak the chat protocol, also `"protocol":"mqtt"`.
 */
export interface PresenceEvent {
  readonly event: "JOINED" | "LEFT";
  readonly room: string;
  /** What the client speaks; absent: the chat protocol. Client ids are unique within it only. */
  readonly protocol?: string;
  readonly clientId: string;
  /** Empty when it has none. */
  readonly username: string;
  /** Milliseconds since 1970. */
  readonly ts: number;
}

export function encodePresenceEvent(event: PresenceEvent): Uint8Array {
  return Buffer.from(JSON.stringify(event));
}

/** More than the longest names make, in bytes. */
const MAX_EVENT_BYTES = 1024;

/** Such as EMQX names its listeners' and gateways' protocols. */
const PROTOCOL = /^[A-Za-z0-9._-]{1,32}$/;

/** Undefined for whatever else somebody has published there. */
export function decodePresenceEvent(payload: Uint8Array): PresenceEvent | undefined {
  if (payload.byteLength > MAX_EVENT_BYTES) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(payload).toString());
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const {
    event,
    room,
    protocol = "chat",
    clientId,
    username,
    ts,
  } = value as Record<string, unknown>;
  if (event !== "JOINED" && event !== "LEFT") return undefined;
  if (typeof room !== "string" || !isRoomName(room)) return undefined;
  if (typeof protocol !== "string" || !PROTOCOL.test(protocol)) return undefined;
  if (typeof clientId !== "string" || !isClientId(clientId)) return undefined;
  if (typeof username !== "string" || (username !== "" && !isUsername(username))) return undefined;
  if (typeof ts !== "number" || !Number.isSafeInteger(ts) || ts < 0) return undefined;
  return {
    event,
    room,
    ...(protocol !== "chat" && { protocol }),
    clientId,
    username,
    ts,
  };
}
