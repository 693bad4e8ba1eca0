/**
 * What lies on a room's presence topic: JSON, so that MQTT clients can use it.
 * `{"event":"JOINED","room":"lobby","clientId":"a1","username":"alice","ts":1795383368997}`
 */
export interface PresenceEvent {
  readonly event: "JOINED" | "LEFT";
  readonly room: string;
  readonly clientId: string;
  readonly username: string;
  /** Milliseconds since 1970. */
  readonly ts: number;
}

export function encodePresenceEvent(event: PresenceEvent): Uint8Array {
  return Buffer.from(JSON.stringify(event));
}

/** Undefined for whatever else somebody has published there. */
export function decodePresenceEvent(payload: Uint8Array): PresenceEvent | undefined {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(payload).toString());
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { event, room, clientId, username, ts } = value as Record<string, unknown>;
  if (event !== "JOINED" && event !== "LEFT") return undefined;
  if (typeof room !== "string" || typeof clientId !== "string") return undefined;
  if (typeof username !== "string" || typeof ts !== "number") return undefined;
  return { event, room, clientId, username, ts };
}
