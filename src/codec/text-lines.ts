/** Server frames → the lines that people read. */
import type { ServerFrame, ServerFrameOf } from "./frame.js";
import type { Asked, Conversation } from "./text-conversation.js";

/** What the frame is told as; no line for what people need not see. */
export function showFrame(frame: ServerFrame, talk: Conversation): readonly string[] {
  switch (frame.type) {
    case "welcome":
      talk.resumed(frame.rooms);
      return [`ok welcome, ${frame.clientId}; /help lists the commands`];
    case "ok":
      return [showOk(talk.done(frame.ref))];
    case "fail":
      talk.refused(frame.ref, frame.code === "NOT_JOINED");
      return [`! ${frame.code}: ${frame.reason}${showRetry("try again", frame.retryAfterMs)}`];
    case "message":
      return [showMessage(frame, frame.room)];
    case "presence":
      return showPresence(frame);
    case "members": {
      const names = frame.members.map(({ username, clientId }) => username || clientId);
      return [`- ${frame.room}: ${names.length === 0 ? "nobody" : names.join(", ")}`];
    }
    case "page":
      // They come newest first; people read downwards.
      if (frame.messages.length === 0) return [`* nothing was said in ${frame.room}`];
      return frame.messages.map((message) => showMessage(message, frame.room)).reverse();
    case "caughtUp":
      return [
        frame.complete
          ? `* you have not missed anything in ${frame.room}`
          : `* some of ${frame.room} is lost: /history ${frame.room} shows what is left`,
      ];
    case "pong":
      return ["pong"];
    case "bye":
      return [`! bye ${frame.code}: ${frame.reason}${showRetry("come back", frame.retryAfterMs)}`];
  }
}

function showOk(asked: Asked | undefined): string {
  switch (asked?.kind) {
    case "join":
      return `ok joined ${asked.room}`;
    case "leave":
      return `ok left ${asked.room}`;
    case "say":
      return `ok said in ${asked.room}`;
    case "msg":
      return `ok sent to ${asked.user}`;
    case undefined:
      return "ok";
  }
}

function showMessage(
  message: Omit<ServerFrameOf<"message">, "type">,
  room: string | undefined,
): string {
  const sender = message.username || message.from;
  const what = message.text ?? `<${message.data?.length ?? 0} bytes of data>`;
  return room === undefined ? `[@${sender}] ${what}` : `[${room}] ${sender}: ${what}`;
}

function showPresence({ room, username, clientId, event }: ServerFrameOf<"presence">): string[] {
  const who = username || clientId;
  switch (event) {
    case "JOINED":
      return [`* ${who} joined ${room}`];
    case "LEFT":
      return [`* ${who} left ${room}`];
    case "EVENT_UNSPECIFIED":
      return [];
  }
}

function showRetry(what: string, retryAfterMs: number): string {
  return retryAfterMs === 0 ? "" : ` (${what} in ${Math.ceil(retryAfterMs / 1_000)} s)`;
}

/** What could move a cursor, break a line, or turn the direction of reading. */
const UNSAFE = /[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}]/gu;

const SHORT_ESCAPES: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** `line` with such characters written out, so that nobody can paint another's terminal. */
export function escapeControls(line: string): string {
  return line.replace(UNSAFE, (character) => {
    const hex = (character.codePointAt(0) ?? 0).toString(16);
    return (
      SHORT_ESCAPES[character] ??
      (hex.length <= 2 ? `\\x${hex.padStart(2, "0")}` : `\\u${hex.padStart(4, "0")}`)
    );
  });
}
