/** What EMQX answers to adapter calls, in its very words: printed Erlang terms. */
import type { RpcError } from "../rpc/client.js";
import type { CodeResponse } from "../rpc/generated/exproto.js";

/** A printed Erlang binary. */
export function erlangBinary(text: string): string {
  if (/^[\x20-\x7e]*$/.test(text)) return `<<"${text.replace(/["\\]/g, "\\$&")}">>`;
  return `<<${[...Buffer.from(text)].join(",")}>>`;
}

/** A gRPC error as EMQX's client gives it, such as `{internal,<<"boom">>}`. */
export function erlangRpcError({ status, details }: RpcError): string {
  return `{${status.toLowerCase()},${erlangBinary(details)}}`;
}

/** A method as EMQX names it, such as `on_received_bytes` for `OnReceivedBytes`. */
export function erlangName(method: string): string {
  return method.replace(/(?<!^)[A-Z]/g, "_$&").toLowerCase();
}

function denied(message: string): CodeResponse {
  return { code: "PERMISSION_DENY", message };
}

export const answers = {
  success: { code: "SUCCESS", message: "" },
  /** The call is not known in the connection's state. */
  unexpected: { code: "UNKNOWN", message: "{error,unexpected_call}" },
  badParameter: { code: "UNKNOWN", message: "{error,'PARAMS_TYPE_ERROR'}" },
  /** The connection's process died of the call, did not answer in time, or is on no known node. */
  crashed: { code: "UNKNOWN", message: `{error,'UNKNOWN',${erlangBinary("Unknown crashes")}}` },
  notAlive: {
    code: "CONN_PROCESS_NOT_ALIVE",
    message: erlangBinary("Connection process is not alive"),
  },
  authenticatedAlready: denied(erlangBinary("Duplicated authenticate command")),
  socketGone: denied(erlangBinary("Client socket disconnected")),
  notAuthorized: denied(erlangBinary("Authorization deny")),
  /** The credentials are not good. */
  refused: denied,
} as const satisfies Record<string, CodeResponse | ((message: string) => CodeResponse)>;
