/** Broker messages become frames: what was joined and is the next in its log, or has none. */
import type { BrokerMessage } from "../protocol.js";
import type { RoomOptions, Unlogged } from "../store/records.js";
import { catchUp } from "./catch-up.js";
import { frame, type Step } from "./effect.js";
import { isBehind, isThere, passed, sentAs, skipTo, type Feed } from "./feed.js";
import type { SessionOptions } from "./options.js";
import { decodePresenceEvent } from "./presence-event.js";
import { joinedIn, roomOf, Sending } from "./sending.js";
import type { Active } from "./state.js";

/** More are not remembered: a session that has got so many without a place may get one again. */
const MAX_UNLOGGED = 256;

/** What the broker delivers. */
export function deliver(
  state: Active,
  messages: readonly BrokerMessage[],
  now: number,
  options: SessionOptions,
): Step {
  const sending = new Sending(state, options);
  let { pending } = state;
  for (const message of messages) {
    const place = options.topics.placeOf(message.topic);
    if (place?.kind === "presence") {
      onPresence(sending, state, place.room, message);
      continue;
    }
    const room = roomOf(state, message.topic, options);
    const joined = room === undefined ? undefined : joinedIn(state, room);
    if (room === undefined || joined === undefined) continue;
    const feed = sending.feed(room);
    const { position } = message;
    if (feed !== undefined && position !== undefined) {
      onLogged(sending, state, room, feed, joined, message, position.offset);
    } else if (position !== undefined && pending?.command === "join" && pending.room === room) {
      // Its log is about to be opened: it is read from there.
      pending = { ...pending, known: Math.max(pending.known, position.offset) };
    } else if (feed === undefined || feed.epoch === 0) {
      const sent = sendAtOnce(sending, state, room, joined, message);
      if (sent !== undefined && pending?.command === "join" && pending.room === room) {
        pending = { ...pending, unlogged: [...pending.unlogged, sent].slice(-MAX_UNLOGGED) };
      }
    } else {
      onUnlogged(sending, state, room, feed, joined, message);
    }
  }
  const { state: next, effects } = sending.finish();
  return catchUp(state, { ...next, pending }, effects, now, options);
}

function onLogged(
  sending: Sending,
  state: Active,
  room: string,
  before: Feed,
  joined: RoomOptions,
  message: BrokerMessage,
  offset: number,
): void {
  const { position } = message;
  if (position === undefined) return;
  const feed = isThere(before, position);
  sending.setFeed(room, feed);
  // A replay goes on to its end by pages, so that `caughtUp` comes behind it.
  if (feed.isStale || feed.owesCaughtUp || offset <= feed.sent) return;
  // EMQX delivers at the publisher's qos, whatever the subscription's was.
  const qos = Math.min(message.qos, joined.qos);
  if (state.isPressed && joined.qos === 0) {
    sending.drop(offset - feed.sent);
    sending.setFeed(room, skipTo(feed, offset));
    return;
  }
  const isNext = offset === feed.sent + 1;
  if (!isNext || state.isPressed || (qos > 0 && sending.isWindowFull)) return;
  const earlier = sentAs(feed, message.id);
  sending.setFeed(room, passed(skipTo(feed, offset), message.id, earlier));
  if (earlier !== undefined) sending.place(room, earlier.seq, offset);
  if (isEcho(state, joined, message) || earlier !== undefined) return;
  sending.send(room, { ...message, username: message.username ?? "" }, qos, offset, false);
}

/** Of a topic that has no log, as far as is known: it can't wait. */
function sendAtOnce(
  sending: Sending,
  state: Active,
  room: string,
  joined: RoomOptions,
  message: BrokerMessage,
): Unlogged | undefined {
  if (isEcho(state, joined, message)) return undefined;
  const qos = Math.min(message.qos, joined.qos);
  if (qos === 0 && state.isPressed) {
    sending.drop(1);
    return undefined;
  }
  const seq = sending.send(room, { ...message, username: message.username ?? "" }, qos, 0, false);
  return { id: message.id, seq };
}

/**
 * Without a place in a log it can be neither put in order nor kept. It waits until it has one at
 * qos 2, as a second attempt of the same publication would come under another id; where what is
 * before it waits; and where it would have to wait with a place.
 */
function onUnlogged(
  sending: Sending,
  state: Active,
  room: string,
  feed: Feed,
  joined: RoomOptions,
  message: BrokerMessage,
): void {
  const wasSent = sentAs(feed, message.id) !== undefined || feed.recent.includes(message.id);
  if (isEcho(state, joined, message) || wasSent) return;
  const qos = Math.min(message.qos, joined.qos);
  const mustWait =
    qos === 2 ||
    isBehind(feed) ||
    feed.waitsFor !== undefined ||
    state.isPressed ||
    (qos > 0 && sending.isWindowFull);
  if (mustWait) {
    sending.setFeed(room, { ...feed, waitsFor: message.id });
    return;
  }
  const sent = sendAtOnce(sending, state, room, joined, message);
  if (sent === undefined) return;
  sending.setFeed(room, { ...feed, unlogged: [...feed.unlogged, sent].slice(-MAX_UNLOGGED) });
}

/**
 * EMQX knows no "no local": what the session said itself comes back to it. An MQTT client may bear
 * the same client id.
 */
function isEcho(state: Active, joined: RoomOptions, message: BrokerMessage): boolean {
  return !joined.echo && message.from === state.greeting.clientId && message.isOurs === true;
}

function onPresence(sending: Sending, state: Active, room: string, message: BrokerMessage): void {
  const event = decodePresenceEvent(message.payload);
  if (joinedIn(state, room)?.presence !== true || event?.room !== room) return;
  if (event.clientId === state.greeting.clientId) return;
  sending.tell(frame("presence", event));
}
