import { errorCodes, type ErrorCode } from "../../errors.js";

/**
 * The server's codes, of which some are also given by the library itself (a bad room name, a text
 * that is too long), and two of its own:
 *  - QUEUE_FULL: as much waits to be sent as may wait; nothing was queued;
 *  - CLOSED: the client was closed, or is not connected and was not asked to be.
 */
export type ChatErrorCode = ErrorCode | "QUEUE_FULL" | "CLOSED";

export class ChatError extends Error {
  override readonly name = "ChatError";

  constructor(
    readonly code: ChatErrorCode,
    readonly reason: string,
    /** What the server said of when to try again, in ms; 0 where it said nothing. */
    readonly retryAfterMs = 0,
  ) {
    super(`[${code}] ${reason}`);
  }
}

/** A code that came over the wire; one that is not in the table is a fault of the server. */
export function codeOf(wireCode: string): ErrorCode {
  return isErrorCode(wireCode) ? wireCode : "INTERNAL";
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorCodes, code);
}

export function closed(): ChatError {
  return new ChatError("CLOSED", "the client was closed");
}
