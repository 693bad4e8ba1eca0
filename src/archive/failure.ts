/** What the databases throw, as ours: the one place that judges an error of SQL. */
import { GatewayError } from "../errors.js";

/**
 * By the first two characters of a SQLSTATE: the database is there, but can't serve now. Anything else
 * that it answers with is a bug in a statement of ours.
 */
const unavailableClasses = new Set([
  "08", // connection exception
  "25", // a read-only replica, after a failover
  "28", // other credentials wanted
  "40", // rolled back: deadlock, serialization
  "53", // out of disk, memory, connections
  "55", // a lock is held too long
  "57", // shutting down, starting, statement timeout
  "58", // its operating system failed
  "F0", // its configuration
  "XX", // its own bug, or corrupt data
]);

/** States for what its operator has to put right. */
const unavailableStates = new Set([
  "3D000", // the database does not exist
  "3F000", // the schema does not exist
  "42501", // a privilege is missing
  "42P01", // the table is gone: it is made again at the next call
]);

/** Errors that only code throws. pg's and node's of the network are plain, or have a code. */
const bugs = new Set(["TypeError", "RangeError", "ReferenceError", "SyntaxError", "ZodError"]);

/** Undefined for an error that the database did not answer with. */
export function sqlState(error: unknown): string | undefined {
  const { code } = error as { readonly code?: unknown };
  return typeof code === "string" && /^[0-9A-Z]{5}$/.test(code) ? code : undefined;
}

/** What may be logged of an error. PGlite hangs the statement's values on it: payloads. */
function describe(error: unknown): string {
  const { message, code } = error as { readonly message?: unknown; readonly code?: unknown };
  const text = typeof message === "string" ? message : "";
  // node's error for "all addresses of this name refused" has no text.
  return text !== "" ? text : typeof code === "string" ? code : "unknown failure";
}

/** UNAVAILABLE when the database can't be reached or can't serve; INTERNAL for bugs. */
export function toGatewayError(error: unknown): GatewayError {
  if (error instanceof GatewayError) return error;
  const state = sqlState(error);
  const cause = new Error(`SQL${state === undefined ? "" : ` ${state}`}: ${describe(error)}`);
  const isBug =
    state === undefined
      ? bugs.has((error as Error).name)
      : !unavailableClasses.has(state.slice(0, 2)) && !unavailableStates.has(state);
  return isBug ? GatewayError.from(cause) : away(cause);
}

export function away(cause: Error): GatewayError {
  return new GatewayError("UNAVAILABLE", "the archive is away; try again", { cause });
}
