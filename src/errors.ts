/**
 * The protocol's codes and the one error class that carries them. Every refusal a client sees is a
 * row of this table; any other exception is a bug of ours.
 */

export interface CodeInfo {
  /** Who has to change something. */
  readonly blame: "client" | "broker" | "gateway";
  /** "always" closes the connection, "never" goes on, "both" depends on when it happens. */
  readonly closes: "always" | "never" | "both";
  /** Whether a client may come back on its own after the connection was closed for this. */
  readonly reconnect: boolean;
  /** How long to wait before trying again, in ms; 0 leaves it to the client. */
  readonly retryAfterMs: number;
  readonly meaning: string;
}

function row(
  blame: CodeInfo["blame"],
  closes: CodeInfo["closes"],
  reconnect: boolean,
  retryAfterMs: number,
  meaning: string,
): CodeInfo {
  return { blame, closes, reconnect, retryAfterMs, meaning };
}

export const errorCodes = {
  BAD_FRAME: row("client", "always", false, 0, "The bytes are not a frame of the encoding."),
  FRAME_TOO_LARGE: row("client", "always", false, 0, "A frame is longer than maxFrameBytes."),
  UNSUPPORTED: row("client", "both", false, 0, "The version or the frame type is not known here."),
  BAD_REQUEST: row(
    "client",
    "both",
    false,
    0,
    "A field is missing, out of range or of a wrong type.",
  ),
  BAD_ROOM: row("client", "never", false, 0, "The room's name is not allowed."),
  NOT_WELCOMED: row("client", "always", false, 0, "A command came before hello."),
  ALREADY_WELCOMED: row("client", "never", false, 0, "A second hello."),
  UNAUTHENTICATED: row("client", "always", false, 0, "EMQX refused the credentials."),
  FORBIDDEN: row("client", "never", false, 0, "EMQX's authorization refused it."),
  NOT_JOINED: row("client", "never", false, 0, "The session has not joined this room."),
  TOO_MANY_ROOMS: row(
    "client",
    "never",
    false,
    0,
    "The session has joined as many rooms as it may.",
  ),
  RATE_LIMITED: row("client", "both", true, 1_000, "More frames or bytes than allowed."),
  SLOW_CONSUMER: row("client", "always", true, 1_000, "The client does not take what it is sent."),
  IDLE_TIMEOUT: row("client", "always", true, 0, "No byte for too long."),
  TAKEN_OVER: row("client", "always", false, 0, "The session goes on at a newer connection."),
  UNAVAILABLE: row("broker", "both", true, 2_000, "A part behind the gateway is away: try again."),
  SHUTTING_DOWN: row("gateway", "always", true, 1_000, "The gateway stops: come back."),
  INTERNAL: row("gateway", "both", true, 5_000, "A bug of the gateway, logged there."),
} as const satisfies Record<string, CodeInfo>;

export type ErrorCode = keyof typeof errorCodes;

export interface GatewayErrorOptions extends ErrorOptions {
  /** Overrides the table's hint. */
  readonly retryAfterMs?: number;
  /** EMQX no longer has the connection: no further call for it can succeed. */
  readonly gone?: boolean;
}

/** `reason` goes to the client: what is wrong and what to do. The cause is for the log alone. */
export class GatewayError extends Error {
  override readonly name = "GatewayError";
  readonly retryAfterMs: number;
  readonly gone: boolean;

  constructor(
    readonly code: ErrorCode,
    readonly reason: string,
    options: GatewayErrorOptions = {},
  ) {
    super(`[${code}] ${reason}`, options);
    this.retryAfterMs = options.retryAfterMs ?? errorCodes[code].retryAfterMs;
    this.gone = options.gone ?? false;
  }

  /** Anything that is not one of ours is a bug: INTERNAL, with the cause kept for the log. */
  static from(cause: unknown): GatewayError {
    if (cause instanceof GatewayError) return cause;
    return new GatewayError("INTERNAL", "the gateway failed; its log says why", { cause });
  }
}
