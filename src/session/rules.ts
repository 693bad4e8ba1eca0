/**
 * Who may send what when, as data: one gate (step.ts) reads it, and docs/PROTOCOL.md shows it. In
 * a phase that is not listed a command is refused with the rule's `otherwise`.
 */
import type { ClientFrameType } from "../codec/frame.js";
import type { ErrorCode } from "../errors.js";

export interface CommandRule {
  readonly in: readonly ("opened" | "active")[];
  readonly otherwise: ErrorCode;
  /** Tokens of the frame bucket: what it costs those behind us. */
  readonly cost: number;
}

export const rules = {
  hello: { in: ["opened"], otherwise: "ALREADY_WELCOMED", cost: 1 },
  join: { in: ["active"], otherwise: "NOT_WELCOMED", cost: 2 },
  leave: { in: ["active"], otherwise: "NOT_WELCOMED", cost: 2 },
  say: { in: ["active"], otherwise: "NOT_WELCOMED", cost: 1 },
  // Free, as it is the server that makes a client send many; its bytes count.
  ack: { in: ["active"], otherwise: "NOT_WELCOMED", cost: 0 },
  history: { in: ["active"], otherwise: "NOT_WELCOMED", cost: 2 },
  who: { in: ["active"], otherwise: "NOT_WELCOMED", cost: 2 },
  ping: { in: ["active"], otherwise: "NOT_WELCOMED", cost: 1 },
  bye: { in: ["opened", "active"], otherwise: "NOT_WELCOMED", cost: 0 },
} as const satisfies Record<ClientFrameType, CommandRule>;
