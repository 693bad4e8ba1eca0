/** Calls of the adapter for one connection, and what EMQX 5.8 answers. */
import type { CodeResponse } from "../../../src/rpc/generated/exproto.js";
import type { World } from "./world.js";

/** An answer, literally as EMQX gives it. */
export type Answer = Pick<CodeResponse, "message"> & { readonly code: string };

export const success = { code: "SUCCESS", message: "" };
export const unexpected = { code: "UNKNOWN", message: "{error,unexpected_call}" };
export const badParameter = { code: "UNKNOWN", message: "{error,'PARAMS_TYPE_ERROR'}" };
export const crashed = { code: "UNKNOWN", message: `{error,'UNKNOWN',<<"Unknown crashes">>}` };
export const notAlive = {
  code: "CONN_PROCESS_NOT_ALIVE",
  message: `<<"Connection process is not alive">>`,
};
export const denied = (message: string) => ({ code: "PERMISSION_DENY", message });
export const rpcCrashed = { status: "INTERNAL", details: "RPC Execution Crashed" };

export const payload = Buffer.from("x");

/** A call for one connection. */
export type Call = (world: World, conn: string) => Promise<CodeResponse>;

export const send: Call = ({ adapter }, conn) => adapter.Send({ conn, bytes: payload });
export const close: Call = ({ adapter }, conn) => adapter.Close({ conn });
export const unsubscribe: Call = ({ adapter }, conn) => adapter.Unsubscribe({ conn, topic: "a" });
export const subscribe =
  (topic: string, qos = 0): Call =>
  ({ adapter }, conn) =>
    adapter.Subscribe({ conn, topic, qos });
export const publish =
  (topic: string, qos = 0): Call =>
  ({ adapter }, conn) =>
    adapter.Publish({ conn, topic, qos, payload });
export const startTimer =
  (interval: number): Call =>
  ({ adapter }, conn) =>
    adapter.StartTimer({ conn, type: "KEEPALIVE", interval });
