/**
 * What EMQX's answers mean to a client: ResultCode and gRPC status, each in one table. EMQX's own
 * words go to the log (as the cause), never to the client.
 */
import { GatewayError, type ErrorCode } from "../errors.js";
import { RpcError, type RpcStatus } from "../rpc/client.js";
import type { ResultCode } from "../rpc/generated/exproto.js";

export type AdapterCall =
  | "Send"
  | "Close"
  | "StartTimer"
  | "Authenticate"
  | "Subscribe"
  | "Unsubscribe"
  | "Publish"
  | "RawPublish";

interface Meaning {
  readonly code: ErrorCode;
  readonly reason: string;
  readonly gone?: boolean;
}

const internal: Meaning = { code: "INTERNAL", reason: "the gateway failed; its log says why" };

const resultMeanings: Record<Exclude<ResultCode, "SUCCESS">, Meaning> = {
  // "Unknown crashes": the connection did not answer within 5 s, or its node is not there.
  UNKNOWN: { code: "UNAVAILABLE", reason: "the broker could not carry it out; try again" },
  CONN_PROCESS_NOT_ALIVE: { code: "UNAVAILABLE", reason: "the connection is closed", gone: true },
  REQUIRED_PARAMS_MISSED: internal,
  PARAMS_TYPE_ERROR: internal,
  PERMISSION_DENY: { code: "FORBIDDEN", reason: "the broker does not allow it" },
};

/** EMQX 5 answers UNKNOWN with PARAMS_TYPE_ERROR in the text, where it means that code. */
const PARAMS_TYPE_ERROR_TEXT = "PARAMS_TYPE_ERROR";
/** Several connections log in with one client id at the same moment: another attempt may win. */
const CLIENT_ID_UNAVAILABLE = "client_id_unavailable";

const busyLogin: Meaning = {
  code: "UNAVAILABLE",
  reason: "another connection is logging in with this clientId; try again",
};
const badCredentials: Meaning = {
  code: "UNAUTHENTICATED",
  reason: "the broker refused the credentials",
};

function meaningOf(
  call: AdapterCall,
  code: Exclude<ResultCode, "SUCCESS">,
  message: string,
): Meaning {
  if (code === "PERMISSION_DENY" && call === "Authenticate") {
    return message.includes(CLIENT_ID_UNAVAILABLE) ? busyLogin : badCredentials;
  }
  if (code === "UNKNOWN" && message.includes(PARAMS_TYPE_ERROR_TEXT)) return internal;
  return resultMeanings[code];
}

/** The error that a response means; undefined for SUCCESS. */
export function errorOfResult(
  call: AdapterCall,
  { code, message }: { readonly code: ResultCode; readonly message: string },
): GatewayError | undefined {
  if (code === "SUCCESS") return undefined;
  const { code: ours, reason, gone } = meaningOf(call, code, message);
  const cause = new Error(`${call} answered ${code}: ${message}`);
  return new GatewayError(ours, reason, { cause, gone: gone ?? false });
}

const away: Meaning = { code: "UNAVAILABLE", reason: "the broker is away; try again" };
const missing: Meaning = { code: "UNSUPPORTED", reason: "this version of EMQX can't do it" };

const statusMeanings: Partial<Record<RpcStatus, Meaning>> = {
  UNAVAILABLE: away,
  DEADLINE_EXCEEDED: away,
  CANCELLED: away,
  ABORTED: away,
  UNKNOWN: away,
  RESOURCE_EXHAUSTED: away,
  UNIMPLEMENTED: missing,
};

/** The error that a call which ended without a response means. */
export function errorOfRpc(call: AdapterCall, error: unknown): GatewayError {
  if (!(error instanceof RpcError)) return GatewayError.from(error);
  const { code, reason } = statusMeanings[error.status] ?? internal;
  const cause = new Error(`${call} failed`, { cause: error });
  return new GatewayError(code, reason, { cause });
}
