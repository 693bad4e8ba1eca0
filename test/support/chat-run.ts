/** The command `chat` in this process, with its input and output in the test's hands. */
import { PassThrough } from "node:stream";
import { chat } from "../../src/cli/chat.js";

export interface ChatRun {
  readonly exit: Promise<number>;
  types(text: string): void;
  /** No more is typed. */
  ends(): void;
  /** Whoever reads its output goes away. */
  breaks(): void;
  readonly output: string;
  readonly errors: string;
  readonly stop: AbortController;
}

export function startChat(
  args: readonly string[],
  isTTY = false,
  env: Record<string, string> = {},
): ChatRun {
  const input = Object.assign(new PassThrough(), { isTTY });
  const output = Object.assign(new PassThrough(), { isTTY });
  const errors = new PassThrough();
  const stop = new AbortController();
  const text = { output: "", errors: "" };
  output.on("data", (chunk) => (text.output += String(chunk)));
  errors.on("data", (chunk) => (text.errors += String(chunk)));
  const exit = chat(args, { input, output, errors, env, signal: stop.signal });
  return {
    exit,
    stop,
    types: (typed) => void input.write(typed),
    ends: () => void input.end(),
    breaks: () => void output.destroy(new Error("write EPIPE")),
    get output() {
      return text.output;
    },
    get errors() {
      return text.errors;
    },
  };
}
