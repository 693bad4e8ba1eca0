/** Lines that people type → client frames. The table is also what /help shows. */
import { Buffer } from "node:buffer";
import type { ClientFrame, Inbound, InvalidFrame, LocalFrame } from "./frame.js";
import type { Conversation } from "./text-conversation.js";

type Parsed = ClientFrame | InvalidFrame | LocalFrame;

interface Command {
  readonly usage: string;
  readonly meaning: string;
  /** `undefined` when the arguments do not fit the usage. */
  parse(args: string, talk: Conversation): Parsed | undefined;
}

const DEFAULT_HISTORY = 20;
const NUMBER = /^\d{1,3}$/;
const QOS = /^[012]$/;

const commands = new Map<string, Command>([
  [
    "login",
    {
      usage: "/login <username> [password] [clientId]",
      meaning: "come in; this has to be first",
      parse(args, talk) {
        const [username, password = "", clientId = "", ...rest] = words(args);
        if (username === undefined || rest.length > 0) return undefined;
        talk.begin();
        return {
          type: "hello",
          clientId,
          username,
          password,
          keepalive: 0,
          resume: false,
          lastSeq: 0,
          agent: "text",
        };
      },
    },
  ],
  [
    "join",
    {
      usage: "/join <room> [qos]",
      meaning: "hear what is said in a room; qos is 0, 1 or 2",
      parse(args, talk) {
        const [room, qos, ...rest] = words(args);
        if (room === undefined || rest.length > 0) return undefined;
        if (qos !== undefined && !QOS.test(qos)) return undefined;
        const ref = talk.ask({ kind: "join", room });
        const join = { type: "join", ref, room, presence: true, echo: false, history: 0 } as const;
        return qos === undefined ? join : { ...join, qos: Number(qos) };
      },
    },
  ],
  [
    "leave",
    {
      usage: "/leave [room]",
      meaning: "hear no more of it",
      parse(args, talk) {
        const [room = talk.room, ...rest] = words(args);
        if (rest.length > 0) return undefined;
        if (room === undefined) return noRoom(talk);
        return { type: "leave", ref: talk.ask({ kind: "leave", room }), room };
      },
    },
  ],
  [
    "say",
    {
      usage: "/say <room> <text>",
      meaning: "say something in a room",
      parse(args, talk) {
        const [room, text] = wordAndText(args);
        if (room === undefined || text === undefined) return undefined;
        return { type: "say", ref: talk.ask({ kind: "say", room }), room, text, key: "" };
      },
    },
  ],
  [
    "msg",
    {
      usage: "/msg <user> <text>",
      meaning: "say something to one user",
      parse(args, talk) {
        const [user, text] = wordAndText(args);
        if (user === undefined || text === undefined) return undefined;
        return { type: "say", ref: talk.ask({ kind: "msg", user }), user, text, key: "" };
      },
    },
  ],
  [
    "who",
    {
      usage: "/who [room]",
      meaning: "list who is in a room",
      parse(args, talk) {
        const [room = talk.room, ...rest] = words(args);
        if (rest.length > 0) return undefined;
        if (room === undefined) return noRoom(talk);
        return { type: "who", ref: talk.nextRef(), room };
      },
    },
  ],
  [
    "history",
    {
      usage: "/history [room] [n]",
      meaning: `show the last n messages, ${DEFAULT_HISTORY} when not given`,
      parse(args, talk) {
        const [first, second, ...rest] = words(args);
        // A number alone is n.
        const alone = first !== undefined && second === undefined && NUMBER.test(first);
        const room = (alone ? undefined : first) ?? talk.room;
        const limit = (alone ? first : second) ?? String(DEFAULT_HISTORY);
        if (!NUMBER.test(limit) || rest.length > 0) return undefined;
        if (room === undefined) return noRoom(talk);
        return { type: "history", ref: talk.nextRef(), room, before: "", limit: Number(limit) };
      },
    },
  ],
  [
    "ping",
    {
      usage: "/ping",
      meaning: "answered with pong",
      parse: (args) => (args === "" ? { type: "ping", nonce: "" } : undefined),
    },
  ],
  [
    "help",
    {
      usage: "/help",
      meaning: "this list",
      parse: (args) => (args === "" ? { type: "local", answer: Buffer.from(help()) } : undefined),
    },
  ],
  [
    "quit",
    {
      usage: "/quit",
      meaning: "leave for good",
      parse: (args) => (args === "" ? { type: "bye" } : undefined),
    },
  ],
]);

/** `undefined` for a blank line. */
export function parseLine(line: string, talk: Conversation): Inbound | undefined {
  if (line.trim() === "") return undefined;
  if (!line.startsWith("/")) return sayHere(line, talk);
  if (line.startsWith("//")) return sayHere(line.slice(1), talk);
  const [name = "", args = ""] = wordAndText(line.slice(1));
  const command = commands.get(name);
  if (command === undefined) {
    const shown = name.slice(0, MAX_SHOWN_CHARACTERS);
    return invalid("UNSUPPORTED", `there is no command /${shown}: /help lists the commands`);
  }
  return command.parse(args.trimStart(), talk) ?? invalid("BAD_REQUEST", `usage: ${command.usage}`);
}

const MAX_SHOWN_CHARACTERS = 24;

function sayHere(text: string, talk: Conversation): Parsed {
  const { room } = talk;
  return room === undefined ? noRoom(talk) : { type: "say", ref: 0, room, text, key: "" };
}

function help(): string {
  const rows = [...commands.values()].map(({ usage, meaning }) => [usage, meaning] as const);
  rows.push(
    ["<text>", "say it in the room joined last"],
    ["//<text>", "say a text that begins with /"],
  );
  const width = Math.max(...rows.map(([usage]) => usage.length));
  return rows.map(([usage, meaning]) => `${usage.padEnd(width)}  ${meaning}\n`).join("");
}

function noRoom(talk: Conversation): InvalidFrame {
  const first = talk.hasBegun
    ? "join a room first: /join <room>"
    : "log in first: /login <username>";
  return invalid("BAD_REQUEST", first);
}

function invalid(code: InvalidFrame["code"], reason: string): InvalidFrame {
  return { type: "invalid", ref: 0, code, reason };
}

function words(args: string): string[] {
  return args.split(/\s+/u).filter((word) => word !== "");
}

/** The first word, and what follows the one blank behind it, as it was typed. */
function wordAndText(args: string): readonly [word?: string, text?: string] {
  const end = args.search(/\s/u);
  if (end === -1) return args === "" ? [] : [args];
  const text = args.slice(end + 1);
  return text.trim() === "" ? [args.slice(0, end)] : [args.slice(0, end), text];
}
