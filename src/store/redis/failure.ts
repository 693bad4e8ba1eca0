/** What ioredis throws, as ours: the one place that judges a Redis error. */
import { GatewayError } from "../../errors.js";

/**
 * Redis answered, but can't serve now: it is loading, failing over, a replica, full, busy or wants
 * other credentials. Anything else that it answers with is a bug in a script or a command of ours.
 */
const unavailableReplies = new Set([
  "BUSY",
  "CLUSTERDOWN",
  "LOADING",
  "MASTERDOWN",
  "MISCONF",
  "NOAUTH",
  "NOPERM",
  "NOREPLICAS",
  "OOM",
  "READONLY",
  "TRYAGAIN",
  "WRONGPASS",
]);

/** The word an error reply begins with, such as READONLY; undefined for any other error. */
export function replyCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || error.name !== "ReplyError") return undefined;
  return error.message.split(/[\s:]/, 1)[0];
}

/** What may be logged of an error. ioredis hangs the command's arguments on it: payloads, passwords. */
export function describeFailure(error: unknown): string {
  return error instanceof Error ? error.message : "unknown failure";
}

/** UNAVAILABLE when Redis can't be reached or can't serve; INTERNAL for bugs. */
export function toGatewayError(error: unknown, command: string): GatewayError {
  if (error instanceof GatewayError) return error;
  const cause = new Error(`Redis ${command}: ${describeFailure(error)}`);
  const code = replyCode(error);
  const isBug = error instanceof TypeError || (code !== undefined && !unavailableReplies.has(code));
  return isBug
    ? GatewayError.from(cause)
    : new GatewayError("UNAVAILABLE", "the store is away; try again", { cause });
}
