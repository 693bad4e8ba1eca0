/**
 * Calls the gateway as EMQX does, over either service.
 *
 * ConnectionUnaryHandler: one call at a time per connection, on any of several HTTP/2 connections
 * (EMQX has one per scheduler). ConnectionHandler: one stream per method and connection, all on one
 * HTTP/2 connection, each flushed by itself after up to 20 ms, so that events of different methods
 * overtake each other. EMQX never ends a stream; once the handler has, it drops that method's
 * events in silence.
 */
import type { Clock } from "../clock.js";
import { createChannel, RpcError, type Channel } from "../rpc/client.js";
import {
  ConnectionHandlerClientImpl,
  ConnectionUnaryHandlerClientImpl,
  type ConnInfo,
  type Message,
} from "../rpc/generated/exproto.js";

export type HandlerServiceName = "ConnectionUnaryHandler" | "ConnectionHandler";

/** The handler, as one connection sees it. Rejects with RpcError when an event is not taken. */
export interface HandlerLink {
  created(conninfo: ConnInfo): Promise<void>;
  received(bytes: Uint8Array): Promise<void>;
  messages(messages: readonly Message[]): Promise<void>;
  timer(): Promise<void>;
  closed(reason: string): Promise<void>;
}

export interface HandlerClient {
  /** @param onFailed a stream has failed by itself. */
  link(conn: string, onFailed: (error: RpcError) => void): HandlerLink;
  close(): void;
}

export interface HandlerClientOptions {
  /** `host:port`. */
  readonly address: string;
  readonly service: HandlerServiceName;
  readonly clock: Clock;
  /** How long a stream waits before it flushes, in ms; up to 20 in EMQX. */
  readonly flushDelayMs: () => number;
}

/** As many as EMQX has schedulers; two is the fewest that can show a difference. */
const CHANNELS = 2;

export function createHandlerClient(options: HandlerClientOptions): HandlerClient {
  return options.service === "ConnectionUnaryHandler"
    ? createUnaryClient(options)
    : createStreamClient(options);
}

function createUnaryClient({ address }: HandlerClientOptions): HandlerClient {
  const channels = Array.from({ length: CHANNELS }, () =>
    createChannel(address, { exclusive: true }),
  );
  const clients = channels.map((channel) => new ConnectionUnaryHandlerClientImpl(channel.rpc()));
  let calls = 0;

  /** Each call goes over the next connection, whichever client it is for. */
  async function call(
    run: (client: ConnectionUnaryHandlerClientImpl) => Promise<unknown>,
  ): Promise<void> {
    const client = clients[calls++ % CHANNELS];
    if (client !== undefined) await run(client);
  }

  return {
    link: (conn) => ({
      created: (conninfo) => call((client) => client.OnSocketCreated({ conn, conninfo })),
      received: (bytes) => call((client) => client.OnReceivedBytes({ conn, bytes })),
      messages: (messages) =>
        call((client) => client.OnReceivedMessages({ conn, messages: [...messages] })),
      timer: () => call((client) => client.OnTimerTimeout({ conn, type: "KEEPALIVE" })),
      closed: (reason) => call((client) => client.OnSocketClosed({ conn, reason })),
    }),
    close: () => closeAll(channels),
  };
}

function createStreamClient({ address, clock, flushDelayMs }: HandlerClientOptions): HandlerClient {
  const channel = createChannel(address);
  const client = new ConnectionHandlerClientImpl(channel.rpc());
  const streams = new Set<Outgoing<unknown>>();

  return {
    link(conn, onFailed) {
      function method<T>(open: (messages: AsyncIterable<T>) => Promise<unknown>) {
        let stream: Outgoing<T> | undefined;
        return (message: T): Promise<void> => {
          if (stream === undefined) {
            const opened = createOutgoing<T>(clock, flushDelayMs);
            stream = opened;
            streams.add(opened);
            // EMQX goes on opening nothing, whether the handler ended the stream well or badly.
            open(opened.messages)
              .catch((error: unknown) => {
                if (error instanceof RpcError) onFailed(error);
              })
              .finally(() => {
                opened.end();
                streams.delete(opened);
              });
          }
          stream.put(message);
          return Promise.resolve();
        };
      }
      const onCreated = method(client.OnSocketCreated.bind(client));
      const onReceived = method(client.OnReceivedBytes.bind(client));
      const onMessages = method(client.OnReceivedMessages.bind(client));
      const onTimer = method(client.OnTimerTimeout.bind(client));
      const onClosed = method(client.OnSocketClosed.bind(client));
      return {
        created: (conninfo) => onCreated({ conn, conninfo }),
        received: (bytes) => onReceived({ conn, bytes }),
        messages: (messages) => onMessages({ conn, messages: [...messages] }),
        timer: () => onTimer({ conn, type: "KEEPALIVE" }),
        closed: (reason) => onClosed({ conn, reason }),
      };
    },
    close() {
      for (const stream of streams) stream.end();
      closeAll([channel]);
    },
  };
}

function closeAll(channels: readonly Channel[]): void {
  for (const channel of channels) channel.close();
}

/** A stream's messages: put in at any time, taken out when they are flushed. */
interface Outgoing<T> {
  readonly messages: AsyncIterable<T>;
  put(message: T): void;
  /** What is not flushed is dropped. */
  end(): void;
}

function createOutgoing<T>(clock: Clock, flushDelayMs: () => number): Outgoing<T> {
  const state = { waiting: [] as T[], flushed: [] as T[], ended: false };
  let wake = (): void => undefined;
  let cancelFlush: (() => void) | undefined;

  function flush(): void {
    cancelFlush = undefined;
    state.flushed.push(...state.waiting.splice(0));
    wake();
  }

  async function* take(): AsyncGenerator<T> {
    while (!state.ended) {
      yield* state.flushed.splice(0);
      if (state.flushed.length > 0) continue;
      await new Promise<void>((resolve) => (wake = resolve));
    }
  }

  return {
    messages: { [Symbol.asyncIterator]: take },
    put(message) {
      if (state.ended) return;
      state.waiting.push(message);
      cancelFlush ??= clock.schedule(flushDelayMs(), flush);
    },
    end() {
      state.ended = true;
      cancelFlush?.();
      wake();
    },
  };
}
