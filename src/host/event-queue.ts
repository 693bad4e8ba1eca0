/** The events of one connection: called one at a time, in order. */
import { RpcError } from "../rpc/client.js";
import {
  sizeOf,
  type HandlerCalls,
  type HandlerEvent,
  type HandlerMethod,
} from "./handler-port.js";

export interface EventQueue {
  push(event: HandlerEvent): void;
  /** Calls it if none is in flight, and drops what waits; tells whether it was called. */
  last(event: HandlerEvent): boolean;
  /** Drops what waits, and whatever is still to come. */
  drop(): void;
  /** Nothing waits and none is in flight. */
  readonly isEmpty: boolean;
  /** What waits, in bytes of payload. */
  readonly waitingBytes: number;
}

export interface EventQueueListener {
  /** The handler has answered, and nothing waits. */
  onDrained(): void;
  onFailed(method: HandlerMethod, error: RpcError): void;
}

export function createEventQueue(calls: HandlerCalls, listener: EventQueueListener): EventQueue {
  let waiting: HandlerEvent[] = [];
  let waitingBytes = 0;
  let busy = false;
  let over = false;

  function shoot(event: HandlerEvent): void {
    busy = true;
    calls.call(event).then(
      () => {
        busy = false;
        if (!over) next();
      },
      (error: unknown) => {
        busy = false;
        if (!over) listener.onFailed(event.method, toRpcError(error));
      },
    );
  }

  function next(): void {
    const event = waiting.shift();
    if (event === undefined) {
      listener.onDrained();
      return;
    }
    waitingBytes -= sizeOf(event);
    shoot(event);
  }

  function drop(): void {
    over = true;
    waiting = [];
    waitingBytes = 0;
  }

  return {
    push(event) {
      if (over) return;
      if (!busy) {
        shoot(event);
        return;
      }
      waiting.push(event);
      waitingBytes += sizeOf(event);
    },
    last(event) {
      drop();
      if (busy) return false;
      shoot(event);
      return true;
    },
    drop,
    get isEmpty() {
      return !busy && waiting.length === 0;
    },
    get waitingBytes() {
      return waitingBytes;
    },
  };
}

function toRpcError(error: unknown): RpcError {
  return error instanceof RpcError ? error : new RpcError("INTERNAL", String(error));
}
