/**
 * EMQX's two handler services, converted and put through one door. A callback is answered as soon
 * as it is taken in: EMQX neither waits with reading (nothing pushes back) nor survives an error
 * (it kills the client's socket), so there is nothing to be gained from anything else.
 */
import { bind, type BoundService } from "../rpc/server.js";
import {
  ConnectionHandlerDefinition,
  ConnectionUnaryHandlerDefinition,
  type EmptySuccess,
  type ReceivedBytesRequest,
  type ReceivedMessagesRequest,
  type SocketClosedRequest,
  type SocketCreatedRequest,
} from "../rpc/generated/exproto.js";
import type { Peer } from "../protocol.js";
import type { Door, DoorEvent } from "./door.js";
import type { Runtime } from "./runtime.js";
import { createStreamRepair } from "./streams.js";

export function createHandlerServices(
  door: Door,
  runtime: Pick<Runtime, "clock" | "limits" | "logger">,
): readonly BoundService[] {
  const repair = createStreamRepair(door, runtime);

  function unary<M extends { readonly conn: string }>(toEvent: (message: M) => DoorEvent) {
    return (message: M): EmptySuccess => {
      door.apply(message.conn, toEvent(message));
      return {};
    };
  }

  return [
    bind(ConnectionUnaryHandlerDefinition, {
      onSocketCreated: unary(created),
      onSocketClosed: unary(closed),
      onReceivedBytes: unary(received),
      onTimerTimeout: unary(timer),
      onReceivedMessages: unary(messages),
    }),
    bind(ConnectionHandlerDefinition, {
      onSocketCreated: (stream) => repair.accept(stream, created),
      onSocketClosed: (stream) => repair.accept(stream, closed),
      onReceivedBytes: (stream) => repair.accept(stream, received),
      onTimerTimeout: (stream) => repair.accept(stream, timer),
      onReceivedMessages: (stream) => repair.accept(stream, messages),
    }),
  ];
}

const sockets = { TCP: "tcp", SSL: "ssl", UDP: "udp", DTLS: "dtls" } as const;

function created({ conninfo }: SocketCreatedRequest): DoorEvent {
  const peer: Peer = {
    host: conninfo?.peername?.host ?? "",
    port: conninfo?.peername?.port ?? 0,
    socket: sockets[conninfo?.socktype ?? "TCP"],
    ...(conninfo?.peercert === undefined ? {} : { commonName: conninfo.peercert.cn }),
  };
  return { kind: "created", peer };
}

function received({ bytes }: ReceivedBytesRequest): DoorEvent {
  return { kind: "bytes", bytes };
}

function messages(request: ReceivedMessagesRequest): DoorEvent {
  return { kind: "messages", messages: request.messages };
}

function timer(): DoorEvent {
  return { kind: "timer" };
}

function closed({ reason }: SocketClosedRequest): DoorEvent {
  return { kind: "closed", reason };
}
