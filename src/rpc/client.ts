/**
 * Outgoing gRPC: generated clients sit on ts-proto's `Rpc` seam, this file is the transport below
 * it. Another transport is another `Channel`; no caller changes.
 */
import {
  Client,
  Metadata,
  credentials,
  status,
  type ClientWritableStream,
  type ServiceError,
} from "@grpc/grpc-js";

/** What ts-proto's generated clients call. */
export interface Rpc {
  request(service: string, method: string, data: Uint8Array): Promise<Uint8Array>;
  clientStreamingRequest(
    service: string,
    method: string,
    data: AsyncIterable<Uint8Array>,
  ): Promise<Uint8Array>;
  serverStreamingRequest(
    service: string,
    method: string,
    data: Uint8Array,
  ): AsyncIterable<Uint8Array>;
  bidirectionalStreamingRequest(
    service: string,
    method: string,
    data: AsyncIterable<Uint8Array>,
  ): AsyncIterable<Uint8Array>;
}

export type RpcStatus = keyof typeof status;

/** A call that did not end with status OK. */
export class RpcError extends Error {
  override readonly name = "RpcError";

  constructor(
    readonly status: RpcStatus,
    readonly details: string,
    options?: ErrorOptions,
  ) {
    super(`gRPC ${status}: ${details}`, options);
  }
}

export interface CallOptions {
  /** Milliseconds until the call fails with DEADLINE_EXCEEDED; absent: never. */
  readonly deadlineMs?: number;
  /** Wait for a connection instead of failing with UNAVAILABLE while there is none. */
  readonly waitForReady?: boolean;
}

export interface Channel {
  /** The calls made through the answer are made with `options`. */
  rpc(options?: CallOptions): Rpc;
  /** Fails the calls in flight with CANCELLED. */
  close(): void;
}

export interface ChannelOptions {
  /** Keep several channels to one address apart (each has an HTTP/2 connection of its own). */
  readonly exclusive?: boolean;
}

/** A peer that comes back is found again within this time. */
const MAX_RECONNECT_BACKOFF_MS = 2_000;

/** While calls wait, a peer that vanished without a word is found out. */
const KEEPALIVE_MS = 30_000;
const KEEPALIVE_TIMEOUT_MS = 10_000;

/** @param address `host:port` of a plaintext gRPC server. */
export function createChannel(
  address: string,
  { exclusive = false }: ChannelOptions = {},
): Channel {
  const client = new Client(address, credentials.createInsecure(), {
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.min_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": MAX_RECONNECT_BACKOFF_MS,
    "grpc.keepalive_time_ms": KEEPALIVE_MS,
    "grpc.keepalive_timeout_ms": KEEPALIVE_TIMEOUT_MS,
    "grpc.max_receive_message_length": -1,
    "grpc.max_send_message_length": -1,
    "grpc.enable_retries": 0,
    "grpc.use_local_subchannel_pool": exclusive ? 1 : 0,
  });
  const calls = new Set<Call>();
  return {
    rpc: (options = {}) => createRpc(client, calls, options),
    close() {
      client.close();
      // grpc-js lets them run on.
      for (const call of calls) call.cancel();
    },
  };
}

interface Call {
  cancel(): void;
}

type Callback = (error: ServiceError | null, value?: Uint8Array) => void;

function createRpc(
  client: Client,
  calls: Set<Call>,
  { deadlineMs, waitForReady }: CallOptions,
): Rpc {
  const callOptions = () => (deadlineMs === undefined ? {} : { deadline: Date.now() + deadlineMs });
  const metadata = () => new Metadata(waitForReady === true ? { waitForReady } : {});

  function run(start: (callback: Callback) => Call): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const call = start((error, value) => {
        calls.delete(call);
        if (error !== null) reject(toRpcError(error));
        else if (value !== undefined) resolve(value);
        else reject(new RpcError("INTERNAL", "an answer without a message"));
      });
      calls.add(call);
    });
  }

  async function send(
    call: ClientWritableStream<Uint8Array>,
    data: AsyncIterable<Uint8Array>,
  ): Promise<void> {
    try {
      // Once the peer has ended the stream, grpc-js drops what is written, as EMQX does.
      for await (const message of data) call.write(message);
      call.end();
    } catch {
      // The call ends with CANCELLED, and so its promise.
      call.cancel();
    }
  }

  return {
    request: (service, method, data) =>
      run((callback) =>
        client.makeUnaryRequest(
          `/${service}/${method}`,
          toBuffer,
          same,
          data,
          metadata(),
          callOptions(),
          callback,
        ),
      ),
    clientStreamingRequest: (service, method, data) =>
      run((callback) => {
        const call = client.makeClientStreamRequest(
          `/${service}/${method}`,
          toBuffer,
          same,
          metadata(),
          callOptions(),
          callback,
        );
        void send(call, data);
        return call;
      }),
    serverStreamingRequest: refuseServerStreams,
    bidirectionalStreamingRequest: refuseServerStreams,
  };
}

/** None of EMQX's services streams towards the caller. */
function refuseServerStreams(service: string, method: string): never {
  throw new RpcError("UNIMPLEMENTED", `/${service}/${method}: no streams towards the caller here`);
}

function toRpcError(error: ServiceError): RpcError {
  return new RpcError(status[error.code] as RpcStatus, error.details, { cause: error });
}

function toBuffer(data: Uint8Array): Buffer {
  return Buffer.isBuffer(data) ? data : Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}

function same(data: Buffer): Uint8Array {
  return data;
}
