/** A handler that does nothing but note what the host calls: it serves both services. */
import type { HandlerEvent, HandlerMethod } from "../../../src/host/handler-port.js";
import type { RpcError } from "../../../src/rpc/client.js";
import {
  ConnectionHandlerDefinition,
  ConnectionUnaryHandlerDefinition,
  type EmptySuccess,
} from "../../../src/rpc/generated/exproto.js";
import { bind, startRpcServer, type InboundStream } from "../../../src/rpc/server.js";

export interface RecordedStream {
  readonly method: HandlerMethod;
  /** Of the first event; a stream is opened for one. */
  readonly conn: string;
  /** The host has ended or lost it. */
  readonly isOver: boolean;
  /** Ends it from the handler's side. */
  finish(): void;
}

export interface RecordingHandler {
  readonly address: string;
  /** Whatever was called, in the order it came in. */
  readonly events: readonly HandlerEvent[];
  readonly streams: readonly RecordedStream[];
  /** The most unary calls of one connection that were unanswered at the same time. */
  readonly mostInFlight: number;
  /** Unary calls that are unanswered now. */
  readonly unanswered: number;
  /** Leaves unary calls of this method unanswered from now on; the answer lets all of them go. */
  hold(method: HandlerMethod): () => void;
  /** Fails unary calls of this method from now on. */
  fail(method: HandlerMethod, error: RpcError): void;
  /** Cuts every connection; what is unanswered stays so. */
  stop(): Promise<void>;
  /** On the port it had. */
  start(): Promise<void>;
}

export async function startRecordingHandler(): Promise<RecordingHandler> {
  const events: HandlerEvent[] = [];
  const streams: RecordedStream[] = [];
  const behaviours = new Map<HandlerMethod, () => Promise<void>>();
  const inFlight = new Map<string, number>();
  let mostInFlight = 0;

  function count(conn: string, change: 1 | -1): void {
    const calls = (inFlight.get(conn) ?? 0) + change;
    inFlight.set(conn, calls);
    mostInFlight = Math.max(mostInFlight, calls);
  }

  async function take(event: HandlerEvent): Promise<EmptySuccess> {
    const { conn } = event.request;
    events.push(event);
    count(conn, 1);
    try {
      await behaviours.get(event.method)?.();
      return {};
    } finally {
      count(conn, -1);
    }
  }

  function follow<Request extends { readonly conn: string }>(
    method: HandlerMethod,
    stream: InboundStream<Request, EmptySuccess>,
    toEvent: (request: Request) => HandlerEvent,
  ): void {
    let isOver = false;
    let isNew = true;
    stream.onEnd(() => (isOver = true));
    stream.onMessage((request) => {
      events.push(toEvent(request));
      if (!isNew) return;
      isNew = false;
      streams.push({
        method,
        conn: request.conn,
        get isOver() {
          return isOver;
        },
        finish: () => stream.finish({}),
      });
    });
  }

  const services = [
    bind(ConnectionUnaryHandlerDefinition, {
      onSocketCreated: (request) => take({ method: "OnSocketCreated", request }),
      onSocketClosed: (request) => take({ method: "OnSocketClosed", request }),
      onReceivedBytes: (request) => take({ method: "OnReceivedBytes", request }),
      onTimerTimeout: (request) => take({ method: "OnTimerTimeout", request }),
      onReceivedMessages: (request) => take({ method: "OnReceivedMessages", request }),
    }),
    bind(ConnectionHandlerDefinition, {
      onSocketCreated: (stream) =>
        follow("OnSocketCreated", stream, (request) => ({ method: "OnSocketCreated", request })),
      onSocketClosed: (stream) =>
        follow("OnSocketClosed", stream, (request) => ({ method: "OnSocketClosed", request })),
      onReceivedBytes: (stream) =>
        follow("OnReceivedBytes", stream, (request) => ({ method: "OnReceivedBytes", request })),
      onTimerTimeout: (stream) =>
        follow("OnTimerTimeout", stream, (request) => ({ method: "OnTimerTimeout", request })),
      onReceivedMessages: (stream) =>
        follow("OnReceivedMessages", stream, (request) => ({
          method: "OnReceivedMessages",
          request,
        })),
    }),
  ];
  const listen = (port: number) => startRpcServer({ host: "127.0.0.1", port, services });
  let server = await listen(0);

  return {
    address: `127.0.0.1:${server.port}`,
    events,
    streams,
    get mostInFlight() {
      return mostInFlight;
    },
    get unanswered() {
      return [...inFlight.values()].reduce((sum, calls) => sum + calls, 0);
    },
    hold(method) {
      let release = (): void => undefined;
      const released = new Promise<void>((resolve) => (release = resolve));
      behaviours.set(method, () => released);
      return () => {
        behaviours.delete(method);
        release();
      };
    },
    fail(method, error) {
      behaviours.set(method, () => Promise.reject(error));
    },
    stop: () => server.close(0),
    async start() {
      server = await listen(server.port);
    },
  };
}
