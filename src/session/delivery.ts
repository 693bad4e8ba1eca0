/** Broker messages become frames: what was joined, at the lower qos, counted for the client. */
import { isUtf8 } from "node:buffer";
import type { BrokerMessage } from "../protocol.js";
import { frame, to, type SessionEffect, type Step } from "./effect.js";
import type { SessionOptions } from "./options.js";
import { decodePresenceEvent } from "./presence-event.js";
import type { Active } from "./state.js";

/** Every session joins its user's inbox with it. */
export const INBOX_QOS = 1;

interface Delivery {
  readonly place: { readonly room: string } | { readonly user: string };
  /** The qos the place was joined with. */
  readonly qos: number;
}

export function deliver(
  state: Active,
  messages: readonly BrokerMessage[],
  options: SessionOptions,
): Step {
  let { seq } = state;
  const effects: SessionEffect[] = [];
  for (const message of messages) {
    const place = options.topics.placeOf(message.topic);
    if (place?.kind === "presence") {
      effects.push(...onPresence(state, place.room, message));
      continue;
    }
    const delivery =
      place?.kind === "room" ? toRoom(state, place.room, message) : toInbox(state, place);
    if (delivery === undefined) continue;
    // EMQX delivers at the publisher's qos, whatever the subscription's was.
    const qos = Math.min(message.qos, delivery.qos);
    if (qos > 0) seq += 1;
    effects.push(
      frame("message", {
        seq: qos > 0 ? seq : 0,
        ...delivery.place,
        id: message.id,
        from: message.from,
        username: message.username ?? "",
        ...content(message.payload),
        qos,
        ts: message.timestamp,
        offset: 0,
        replay: false,
      }),
    );
  }
  return to({ ...state, seq }, ...effects);
}

function toRoom(state: Active, room: string, message: BrokerMessage): Delivery | undefined {
  const joined = state.rooms.get(room) ?? joining(state, room);
  if (joined === undefined) return undefined;
  // EMQX knows no "no local": what the session said itself comes back to it. An MQTT client may bear
  // the same client id.
  const isEcho = message.from === state.greeting.clientId && message.isOurs === true;
  if (isEcho && !joined.echo) return undefined;
  return { place: { room }, qos: joined.qos };
}

/** Messages (retained ones above all) may come before the join is answered. */
function joining({ pending }: Active, room: string) {
  return pending?.command === "join" && pending.room === room ? pending.options : undefined;
}

function toInbox(state: Active, place: { kind: string; user?: string } | undefined) {
  if (place?.user === undefined || place.user !== state.greeting.username) return undefined;
  return { place: { user: place.user }, qos: INBOX_QOS };
}

function onPresence(state: Active, room: string, message: BrokerMessage): readonly SessionEffect[] {
  const wanted = state.rooms.get(room) ?? joining(state, room);
  const event = decodePresenceEvent(message.payload);
  if (wanted?.presence !== true || event?.room !== room) return [];
  if (event.clientId === state.greeting.clientId) return [];
  return [frame("presence", event)];
}

function content(payload: Uint8Array): { text: string } | { data: Uint8Array } {
  return isUtf8(payload) ? { text: Buffer.from(payload).toString() } : { data: payload };
}
