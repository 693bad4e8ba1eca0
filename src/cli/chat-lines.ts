/** The `chat` command without its terminal: what was typed → a command, an event → lines. */
import { escapeControls } from "../codec/text-lines.js";
import type { ChatEvent, ChatMessage, Member } from "../client/index.js";

export type ChatCommand =
  | { readonly name: "say"; readonly text: string }
  | { readonly name: "join" | "leave" | "who"; readonly room: string | undefined }
  | { readonly name: "msg"; readonly user: string; readonly text: string }
  | { readonly name: "history"; readonly limit: number }
  | { readonly name: "help" | "quit" | "nothing" }
  | { readonly name: "wrong"; readonly reason: string };

/** "said" goes to stdout; the rest is about the connection and the commands. */
export interface Line {
  readonly kind: "said" | "note" | "fault";
  readonly text: string;
}

const MAX_HISTORY = 100;
const DEFAULT_HISTORY = 20;

export const help: readonly string[] = [
  "/join <room>, /leave [room], /who [room], /history [n], /msg <user> <text>, /quit;",
  "any other line is said in the room joined last, //x says /x",
];

export function parseLine(line: string): ChatCommand {
  if (line.trim() === "") return { name: "nothing" };
  if (line.startsWith("//")) return { name: "say", text: line.slice(1) };
  if (!line.startsWith("/")) return { name: "say", text: line };
  const [, name = "", rest = ""] = /^\/(\S*)\s*(.*)$/su.exec(line) ?? [];
  const word = rest.trim() === "" ? undefined : rest.trim();
  switch (name) {
    case "join":
      return word === undefined ? wrong("/join <room>") : { name, room: word };
    case "leave":
    case "who":
      return { name, room: word };
    case "msg": {
      const [, user, text] = /^(\S+)\s+(.*)$/su.exec(rest) ?? [];
      return user === undefined || text === undefined || text === ""
        ? wrong("/msg <user> <text>")
        : { name, user, text };
    }
    case "history": {
      const limit = word === undefined ? DEFAULT_HISTORY : Number(word);
      const isFine = Number.isInteger(limit) && limit >= 1 && limit <= MAX_HISTORY;
      return isFine ? { name, limit } : wrong(`/history [1 to ${MAX_HISTORY}]`);
    }
    case "help":
    case "quit":
      return { name };
    default:
      return { name: "wrong", reason: `there is no /${name}; /help lists the commands` };
  }
}

function wrong(usage: string): ChatCommand {
  return { name: "wrong", reason: `usage: ${usage}` };
}

export function showMessage({ room, username, from, text, data }: ChatMessage): Line {
  const sender = username || from;
  const what = text ?? `<${data?.length ?? 0} bytes of data>`;
  return said(room === undefined ? `[@${sender}] ${what}` : `[${room}] ${sender}: ${what}`);
}

export function showMembers(room: string, members: readonly Member[]): Line {
  const names = members.map(({ username, clientId }) => username || clientId);
  return said(`- ${room}: ${names.length === 0 ? "nobody" : names.join(", ")}`);
}

/** Shows events; remembers how many of the lines shown were missed ones. */
export class ChatView {
  private isAway = false;
  private readonly missed = new Map<string, number>();

  show(event: ChatEvent): readonly Line[] {
    switch (event.type) {
      case "message": {
        const { room } = event;
        if (event.replay && room !== undefined) {
          this.missed.set(room, (this.missed.get(room) ?? 0) + 1);
        }
        return [showMessage(event)];
      }
      case "presence": {
        const who = event.username || event.clientId;
        const what = event.event === "JOINED" ? "joined" : "left";
        return event.event === "EVENT_UNSPECIFIED" ? [] : [said(`* ${who} ${what} ${event.room}`)];
      }
      case "connected": {
        const wasAway = this.isAway;
        this.isAway = false;
        this.missed.clear();
        return wasAway ? [note("connected again")] : [];
      }
      case "disconnected":
        // Once is enough, however many attempts it takes.
        if (this.isAway) return [];
        this.isAway = true;
        return [note(`connection lost (${event.reason}), trying again…`)];
      case "caughtUp": {
        const count = this.missed.get(event.room) ?? 0;
        this.missed.delete(event.room);
        return count === 0 ? [] : [note(`back in ${event.room}: ${plural(count)} missed`)];
      }
      case "gap":
        return [note(showGap(event))];
      case "roomLost":
        return [fault(`no longer in ${event.room}: ${event.error.reason}`)];
      case "fatal":
        return [fault(event.error.message)];
    }
  }
}

function showGap({ room, from, to }: Extract<ChatEvent, { type: "gap" }>): string {
  if (room === undefined) return "some messages to you are lost";
  const count = from > 0 && to >= from ? plural(to - from + 1) : "some lines";
  return `${count} of ${room} could not be sent again; /history may have them`;
}

function plural(lines: number): string {
  return lines === 1 ? "1 line" : `${lines} lines`;
}

export function said(text: string): Line {
  return { kind: "said", text: escapeControls(text) };
}

export function note(text: string): Line {
  return { kind: "note", text: escapeControls(text) };
}

export function fault(text: string): Line {
  return { kind: "fault", text: escapeControls(text) };
}

const DIM = "\u001b[2m";
const RED = "\u001b[31m";
const RESET = "\u001b[0m";

/** As it goes to the terminal or the pipe. */
export function paint({ kind, text }: Line, isColored: boolean): string {
  const marked = kind === "said" ? text : `${kind === "note" ? "--" : "!"} ${text}`;
  if (!isColored || kind === "said") return marked;
  return `${kind === "note" ? DIM : RED}${marked}${RESET}`;
}
