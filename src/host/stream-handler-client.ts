/**
 * Calls to ConnectionHandler: a stream for each method and connection, all on one channel and not
 * ordered among each other. An event counts as answered as soon as it is written.
 */
import type { Clock } from "../clock.js";
import { createChannel } from "../rpc/client.js";
import {
  ConnectionHandlerClientImpl,
  type ReceivedBytesRequest,
  type ReceivedMessagesRequest,
  type SocketClosedRequest,
  type SocketCreatedRequest,
  type TimerTimeoutRequest,
} from "../rpc/generated/exproto.js";
import { createEventStream, type EventStream } from "./event-stream.js";
import {
  sizeOf,
  type HandlerCalls,
  type HandlerClient,
  type HandlerEvent,
  type HandlerFailure,
  type HandlerMethod,
} from "./handler-port.js";

/** How long an event may wait for others before it goes out, in ms. */
export type FlushDelayMs = (method: HandlerMethod) => number;

/** EMQX flushes every 20 ms, wherever in that time an event falls. */
export const emqxFlushDelayMs: FlushDelayMs = () => Math.random() * 20;

export function createStreamHandlerClient(
  address: string,
  flushDelayMs: FlushDelayMs,
  clock: Clock,
): HandlerClient {
  let channel = createChannel(address, { exclusive: true });
  let handler = new ConnectionHandlerClientImpl(channel.rpc());
  const live = new Set<{ cancel(): void }>();

  /** EMQX tries again with the next event; a channel that has failed would wait longer. */
  function renew(failed: ConnectionHandlerClientImpl): void {
    if (handler !== failed) return;
    channel.close();
    channel = createChannel(address, { exclusive: true });
    handler = new ConnectionHandlerClientImpl(channel.rpc());
  }

  function open(onFailed: HandlerFailure): HandlerCalls {
    function stream<T>(
      method: HandlerMethod,
      start: (client: ConnectionHandlerClientImpl, events: AsyncIterable<T>) => Promise<unknown>,
    ): EventStream<T> {
      let used = handler;
      const opened = createEventStream<T>({
        open(events) {
          used = handler;
          live.add(opened);
          return start(used, events);
        },
        flushDelayMs: () => flushDelayMs(method),
        clock,
        onUnreachable(error) {
          renew(used);
          onFailed(method, error);
        },
        onOver: () => live.delete(opened),
      });
      return opened;
    }

    const streams = {
      OnSocketCreated: stream<SocketCreatedRequest>("OnSocketCreated", (client, events) =>
        client.OnSocketCreated(events),
      ),
      OnReceivedBytes: stream<ReceivedBytesRequest>("OnReceivedBytes", (client, events) =>
        client.OnReceivedBytes(events),
      ),
      OnReceivedMessages: stream<ReceivedMessagesRequest>("OnReceivedMessages", (client, events) =>
        client.OnReceivedMessages(events),
      ),
      OnTimerTimeout: stream<TimerTimeoutRequest>("OnTimerTimeout", (client, events) =>
        client.OnTimerTimeout(events),
      ),
      OnSocketClosed: stream<SocketClosedRequest>("OnSocketClosed", (client, events) =>
        client.OnSocketClosed(events),
      ),
    };

    function write(event: HandlerEvent): void {
      const size = sizeOf(event);
      switch (event.method) {
        case "OnSocketCreated":
          streams.OnSocketCreated.write(event.request, size);
          break;
        case "OnReceivedBytes":
          streams.OnReceivedBytes.write(event.request, size);
          break;
        case "OnReceivedMessages":
          streams.OnReceivedMessages.write(event.request, size);
          break;
        case "OnTimerTimeout":
          streams.OnTimerTimeout.write(event.request, size);
          break;
        case "OnSocketClosed":
          streams.OnSocketClosed.write(event.request, size);
          break;
      }
    }

    return {
      call(event) {
        write(event);
        return Promise.resolve();
      },
    };
  }

  return {
    open,
    close() {
      for (const stream of live) stream.cancel();
      channel.close();
    },
  };
}
