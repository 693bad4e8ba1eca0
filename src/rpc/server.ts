/**
 * Incoming gRPC: serves ts-proto's service definitions. A unary method is a function; a method with
 * a client stream gets the stream as `InboundStream` and may end it when it likes.
 */
import {
  Server,
  ServerCredentials,
  status,
  type ServerReadableStream,
  type UntypedHandleCall,
  type ServiceDefinition as GrpcServiceDefinition,
} from "@grpc/grpc-js";
import { RpcError } from "./client.js";

interface MessageType {
  // An encoder is contravariant in its message, so only `never` admits every one of them.
  encode(message: never): { finish(): Uint8Array };
  decode(input: Uint8Array): unknown;
}

interface MethodDefinition {
  readonly name: string;
  readonly requestType: MessageType;
  readonly requestStream: boolean;
  readonly responseType: MessageType;
  readonly responseStream: boolean;
}

/** As ts-proto's `generic-definitions` has it. */
export interface ServiceDefinition {
  readonly fullName: string;
  readonly methods: Readonly<Record<string, MethodDefinition>>;
}

type Message<T> = T extends { decode(input: Uint8Array): infer M } ? M : never;

/** A stream that the client writes to. */
export interface InboundStream<Request, Response> {
  onMessage(listener: (message: Request) => void): void;
  /** The client has ended or cancelled the stream, or its connection is lost. Called once. */
  onEnd(listener: () => void): void;
  /** Answers and ends the stream from our side; messages after it are dropped. */
  finish(response: Response): void;
}

type Method<M extends MethodDefinition> = M["requestStream"] extends true
  ? (stream: InboundStream<Message<M["requestType"]>, Message<M["responseType"]>>) => void
  : (
      request: Message<M["requestType"]>,
    ) => Message<M["responseType"]> | Promise<Message<M["responseType"]>>;

export type ServiceImplementation<D extends ServiceDefinition> = {
  readonly [M in keyof D["methods"]]: Method<D["methods"][M]>;
};

export interface RpcServer {
  /** The port it listens on, also where 0 was asked for. */
  readonly port: number;
  /** Takes no more calls, gives those in flight `graceMs`, then cuts them. */
  close(graceMs: number): Promise<void>;
}

/** What a service and its implementation come to; made by `bind`. */
export interface BoundService {
  readonly definition: GrpcServiceDefinition;
  readonly handlers: Record<string, UntypedHandleCall>;
}

export interface RpcServerOptions {
  /** A name, or an IPv4 or IPv6 address, the latter with or without brackets. */
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly services: readonly BoundService[];
  /** The longest message taken, in bytes. */
  readonly maxReceiveBytes?: number;
}

/**
 * EMQX ignores the limit that a server advertises and loses the streams above it, so it must never
 * bite.
 */
const MAX_CONCURRENT_STREAMS = 2 ** 31 - 1;

const DEFAULT_MAX_RECEIVE_BYTES = 64 * 1024 * 1024;

/** Rejects when the address can't be listened on. */
export async function startRpcServer(options: RpcServerOptions): Promise<RpcServer> {
  const server = new Server({
    "grpc.max_concurrent_streams": MAX_CONCURRENT_STREAMS,
    "grpc.max_receive_message_length": options.maxReceiveBytes ?? DEFAULT_MAX_RECEIVE_BYTES,
    "grpc.max_send_message_length": -1,
  });
  for (const { definition, handlers } of options.services) server.addService(definition, handlers);
  // Only an IPv6 address holds a colon, and gRPC wants brackets about it.
  const isBareIPv6 = options.host.includes(":") && !options.host.startsWith("[");
  const host = isBareIPv6 ? `[${options.host}]` : options.host;
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(
      `${host}:${options.port}`,
      ServerCredentials.createInsecure(),
      (error, bound) => (error === null ? resolve(bound) : reject(error)),
    );
  });
  return {
    port,
    close: (graceMs) =>
      new Promise((resolve) => {
        const cut = setTimeout(() => server.forceShutdown(), graceMs);
        server.tryShutdown(() => {
          clearTimeout(cut);
          resolve();
        });
      }),
  };
}

export function bind<D extends ServiceDefinition>(
  service: D,
  implementation: ServiceImplementation<D>,
): BoundService {
  const definition: Record<string, GrpcServiceDefinition[string]> = {};
  const handlers: Record<string, UntypedHandleCall> = {};
  for (const [key, method] of Object.entries(service.methods)) {
    definition[key] = {
      path: `/${service.fullName}/${method.name}`,
      originalName: key,
      requestStream: method.requestStream,
      responseStream: method.responseStream,
      requestSerialize: serializer(method.requestType),
      requestDeserialize: (bytes: Buffer) => method.requestType.decode(bytes),
      responseSerialize: serializer(method.responseType),
      responseDeserialize: (bytes: Buffer) => method.responseType.decode(bytes),
    };
    const run: unknown = implementation[key as keyof D["methods"]];
    handlers[key] = method.requestStream
      ? streamHandler(run as (stream: InboundStream<unknown, unknown>) => void)
      : unaryHandler(run as (request: unknown) => unknown);
  }
  return { definition, handlers };
}

function serializer(type: MessageType) {
  const encode = type.encode.bind(type) as (message: unknown) => { finish(): Uint8Array };
  return (message: unknown): Buffer => {
    const bytes = encode(message).finish();
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  };
}

function unaryHandler(run: (request: unknown) => unknown): UntypedHandleCall {
  return (
    call: { request: unknown },
    callback: (error: object | null, value?: unknown) => void,
  ) => {
    void (async () => {
      try {
        callback(null, await run(call.request));
      } catch (error) {
        callback(toServiceError(error));
      }
    })();
  };
}

function streamHandler(run: (stream: InboundStream<unknown, unknown>) => void): UntypedHandleCall {
  return (
    call: ServerReadableStream<unknown, unknown>,
    callback: (error: object | null, value?: unknown) => void,
  ) => {
    let finished = false;
    const onceEnded = (listener: () => void) => {
      let ended = false;
      return () => {
        if (ended) return;
        ended = true;
        listener();
      };
    };
    // A lost connection shows as an error or a cancellation; both mean no more than the end.
    call.on("error", () => undefined);
    run({
      onMessage: (listener) => {
        call.on("data", (message: unknown) => {
          if (!finished) listener(message);
        });
      },
      onEnd: (listener) => {
        const end = onceEnded(listener);
        call.on("end", end);
        call.on("cancelled", end);
      },
      finish: (response) => {
        if (finished) return;
        finished = true;
        callback(null, response);
      },
    });
  };
}

function toServiceError(error: unknown): object {
  if (error instanceof RpcError) return { code: status[error.status], details: error.details };
  return { code: status.INTERNAL, details: error instanceof Error ? error.message : String(error) };
}
