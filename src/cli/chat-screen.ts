/** The terminal of the `chat` command, or the pipe in its place. */
import { clearLine, createInterface, cursorTo } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { paint, type Line } from "./chat-lines.js";

export interface ScreenIo {
  readonly input: Readable & { readonly isTTY?: boolean };
  readonly output: Writable & { readonly isTTY?: boolean };
  /** For what is not said by anybody, when the output is no terminal. */
  readonly errors: Writable;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface Screen {
  readonly isTty: boolean;
  print(line: Line): void;
  onLine(listener: (line: string) => void): void;
  /** Nothing more is typed. */
  onEnd(listener: () => void): void;
  /** Ctrl-C. */
  onInterrupt(listener: () => void): void;
  close(): void;
}

export function createScreen({ input, output, errors, env }: ScreenIo): Screen {
  const isTty = input.isTTY === true && output.isTTY === true;
  const isColored = isTty && (env.NO_COLOR ?? "") === "";
  let isOpen = true;
  const reader = createInterface(
    isTty ? { input, output, terminal: true, prompt: "> " } : { input, terminal: false },
  );
  reader.on("close", () => {
    isOpen = false;
  });
  // Whoever read it has gone, as in `chat | head`.
  for (const stream of [output, errors]) stream.on("error", () => reader.close());
  return {
    isTty,
    print(line) {
      const text = `${paint(line, isColored)}\n`;
      if (!isTty) {
        (line.kind === "said" ? output : errors).write(text);
        return;
      }
      // What is being typed moves down by a line.
      clearLine(output, 0);
      cursorTo(output, 0);
      output.write(text);
      if (isOpen) reader.prompt(true);
    },
    onLine(listener) {
      reader.on("line", (line) => {
        listener(line);
        if (isTty && isOpen) reader.prompt();
      });
    },
    onEnd: (listener) => void reader.on("close", listener),
    onInterrupt: (listener) => void reader.on("SIGINT", listener),
    close: () => reader.close(),
  };
}
