/** The handler client of the host: calls the chosen service once it has been told where. */
import type { Clock } from "../clock.js";
import { RpcError } from "../rpc/client.js";
import type { HandlerClient } from "./handler-port.js";
import { createStreamHandlerClient, type FlushDelayMs } from "./stream-handler-client.js";
import { createUnaryHandlerClient } from "./unary-handler-client.js";

/** EMQX's setting `handler.service_name`. */
export type HandlerServiceName = "ConnectionUnaryHandler" | "ConnectionHandler";

export interface HandlerClientOptions {
  readonly service: HandlerServiceName;
  /** HTTP/2 connections for unary calls. */
  readonly channels: number;
  readonly flushDelayMs: FlushDelayMs;
  readonly clock: Clock;
}

export interface LateHandlerClient extends HandlerClient {
  /** Until then the handler is unreachable. Throws the second time. */
  connect(address: string): void;
}

export function createHandlerClient(options: HandlerClientOptions): LateHandlerClient {
  let client: HandlerClient | undefined;
  const unreachable = () =>
    Promise.reject(new RpcError("UNAVAILABLE", "No connection established: no handler is known"));
  return {
    connect(address) {
      if (client !== undefined) throw new Error("the host has a handler: it takes one only");
      client =
        options.service === "ConnectionUnaryHandler"
          ? createUnaryHandlerClient(address, options.channels)
          : createStreamHandlerClient(address, options.flushDelayMs, options.clock);
    },
    open: (onFailed) => client?.open(onFailed) ?? { call: unreachable },
    close: () => client?.close(),
  };
}
