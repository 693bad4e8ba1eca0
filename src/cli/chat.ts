/** `exproto-gateway chat`: a chat client for people, at a terminal or in a pipe. */
import { parseArgs } from "node:util";
import { ChatError, createChatClient, type ChatClient } from "../client/index.js";
import {
  ChatView,
  fault,
  help,
  note,
  parseLine,
  showMembers,
  showMessage,
  type ChatCommand,
} from "./chat-lines.js";
import { createScreen, type ScreenIo } from "./chat-screen.js";

export const chatUsage = `usage: exproto-gateway chat [options]

  --host <name>        default 127.0.0.1
  --port <number>      default 7993
  --tls                over TLS; NODE_EXTRA_CA_CERTS=<file> adds an authority to trust
  --user <name>        default: nobody in particular
  --password <text>    default: what CHAT_PASSWORD holds
  --client-id <id>     comes back as this device: what it missed is shown
  --room <room>        default lobby
  --help               this

${help.join("\n")}
`;

export interface ChatIo extends ScreenIo {
  /** Ends it, as /quit does. */
  readonly signal?: AbortSignal;
}

/**
 * Ends with /quit, the input's end, or for good reason.
 *
 * @returns the exit code: 0; 1 when there was no connection, it ended for good, or a line of a pipe
 * could not be said; 2 for wrong arguments.
 */
export async function chat(args: readonly string[], io: ChatIo): Promise<number> {
  const parsed = readArguments(args, io);
  if (parsed === "help") {
    io.output.write(chatUsage);
    return 0;
  }
  if ("fault" in parsed) {
    io.errors.write(`${parsed.fault}\n\n${chatUsage}`);
    return 2;
  }
  const { room, clientId, client, address } = parsed;
  const screen = createScreen(io);
  const view = new ChatView();
  let rooms = [room];
  let exitCode = 0;
  let leaving: Promise<void> | undefined;
  const running = new Set<Promise<void>>();
  const events = client.events();

  const leave = (): Promise<void> => {
    leaving ??= (async () => {
      screen.close();
      await events.return?.();
      // Who has a name comes back to what was missed.
      await (clientId === undefined ? client.close() : client.disconnect());
    })();
    return leaving;
  };

  const refused = (what: string, error: unknown): void => {
    // What is asked for when it is over is not answered any more.
    if (leaving !== undefined) return;
    screen.print(fault(`${what}: ${error instanceof ChatError ? error.reason : String(error)}`));
    if (!screen.isTty) exitCode = 1;
  };

  async function carryOut(command: ChatCommand): Promise<void> {
    const current = rooms.at(-1);
    switch (command.name) {
      case "nothing":
        return;
      case "say":
        if (current === undefined) throw new ChatError("NOT_JOINED", "/join a room first");
        await client.say({ room: current }, command.text);
        return;
      case "msg":
        await client.say({ user: command.user }, command.text);
        return;
      case "join": {
        const joining = command.room ?? room;
        await client.join(joining, { presence: true });
        rooms = [...rooms.filter((one) => one !== joining), joining];
        screen.print(note(`in ${joining}`));
        return;
      }
      case "leave": {
        const left = command.room ?? current ?? room;
        await client.leave(left);
        rooms = rooms.filter((one) => one !== left);
        screen.print(note(`left ${left}`));
        return;
      }
      case "who": {
        const asked = command.room ?? current ?? room;
        screen.print(showMembers(asked, await client.who(asked)));
        return;
      }
      case "history": {
        const page = await client.history(current ?? room, { limit: command.limit });
        // They come newest first; people read downwards.
        for (const message of page.messages.toReversed()) screen.print(showMessage(message));
        return;
      }
      case "help":
        for (const line of help) screen.print(note(line));
        return;
      case "quit":
        await leave();
        return;
      case "wrong":
        throw new ChatError("BAD_REQUEST", command.reason);
    }
  }

  const onLine = (line: string): void => {
    const command = parseLine(line);
    if (command.name === "say" && client.phase !== "online") screen.print(note("waits"));
    const done = carryOut(command)
      .catch((error: unknown) => refused(line, error))
      .finally(() => running.delete(done));
    running.add(done);
  };

  screen.onLine(onLine);
  screen.onEnd(() => void Promise.all(running).then(leave));
  screen.onInterrupt(() => void leave());
  io.signal?.addEventListener("abort", () => void leave());

  const entering = client.join(room, { presence: true });
  entering
    .then(() => screen.print(note(`in ${room}`)))
    .catch((error: unknown) => {
      if (leaving !== undefined) return;
      refused(`can't join ${room}`, error);
      exitCode = 1;
      void leave();
    });
  client.connect().catch(() => undefined);
  let hasBeenThere = false;
  for await (const event of events) {
    if (event.type === "connected") hasBeenThere = true;
    if (event.type === "fatal") exitCode = 1;
    if (event.type === "disconnected" && !hasBeenThere) {
      screen.print(fault(`can't reach ${address}: ${event.reason}`));
      exitCode = 1;
      break;
    }
    for (const line of view.show(event)) screen.print(line);
  }
  await leave();
  return exitCode;
}

interface Parsed {
  readonly room: string;
  readonly clientId: string | undefined;
  readonly address: string;
  readonly client: ChatClient;
}

function readArguments(
  args: readonly string[],
  io: ChatIo,
): Parsed | "help" | { readonly fault: string } {
  try {
    const { values } = parseArgs({
      args: [...args],
      strict: true,
      options: {
        host: { type: "string", default: "127.0.0.1" },
        port: { type: "string", default: "7993" },
        tls: { type: "boolean", default: false },
        user: { type: "string", default: "" },
        password: { type: "string", default: io.env.CHAT_PASSWORD ?? "" },
        "client-id": { type: "string" },
        room: { type: "string", default: "lobby" },
        help: { type: "boolean", default: false },
      },
    });
    if (values.help) return "help";
    const { host, tls, user, password, room, "client-id": clientId } = values;
    const port = Number(values.port);
    if (!Number.isInteger(port) || port < 1 || port > 65_535) {
      return { fault: `--port is a number from 1 to 65535, not "${values.port}"` };
    }
    const client = createChatClient({
      host,
      port,
      tls,
      username: user,
      password,
      ...(clientId !== undefined && { clientId }),
      agent: "exproto-gateway chat",
    });
    return { room, clientId, client, address: `${host}:${port}` };
  } catch (error) {
    return { fault: error instanceof ChatError ? error.reason : (error as Error).message };
  }
}
