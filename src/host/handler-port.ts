/** The port to the handler: what a connection needs of it, whichever service is called. */
import type { RpcError } from "../rpc/client.js";
import type {
  ReceivedBytesRequest,
  ReceivedMessagesRequest,
  SocketClosedRequest,
  SocketCreatedRequest,
  TimerTimeoutRequest,
} from "../rpc/generated/exproto.js";

export type HandlerEvent =
  | { readonly method: "OnSocketCreated"; readonly request: SocketCreatedRequest }
  | { readonly method: "OnReceivedBytes"; readonly request: ReceivedBytesRequest }
  | { readonly method: "OnReceivedMessages"; readonly request: ReceivedMessagesRequest }
  | { readonly method: "OnTimerTimeout"; readonly request: TimerTimeoutRequest }
  | { readonly method: "OnSocketClosed"; readonly request: SocketClosedRequest };

export type HandlerMethod = HandlerEvent["method"];

/** The payload of an event, in bytes. */
export function sizeOf(event: HandlerEvent): number {
  switch (event.method) {
    case "OnReceivedBytes":
      return event.request.bytes.length;
    case "OnReceivedMessages":
      return event.request.messages.reduce((sum, { payload }) => sum + payload.length, 0);
    default:
      return 0;
  }
}

export interface HandlerClient {
  /**
   * For one connection.
   * @param onFailed the event did not reach the handler, though `call` had taken it.
   */
  open(onFailed: HandlerFailure): HandlerCalls;
  close(): void;
}

export type HandlerFailure = (method: HandlerMethod, error: RpcError) => void;

export interface HandlerCalls {
  /**
   * Resolves when the next event may be called, rejects with RpcError. As in EMQX, it does neither
   * where the handler was cut off after it had been called and before it answered.
   */
  call(event: HandlerEvent): Promise<void>;
}

/**
 * There was no connection to the handler, so it can't have seen the event. For calls that waited for
 * the connection together, the first to fail closes the channel, which cancels the others.
 */
export function isUnreachable(error: RpcError): boolean {
  return (
    (error.status === "UNAVAILABLE" && error.details.startsWith("No connection established")) ||
    (error.status === "CANCELLED" && error.details === "Cancelled on client")
  );
}

/** The connection to the handler was lost with the call on its way: not an answer of the handler. */
export function isCutOff(error: RpcError): boolean {
  return (
    (error.status === "UNAVAILABLE" && error.details === "Connection dropped") ||
    (error.status === "CANCELLED" && error.details === "Call cancelled")
  );
}
