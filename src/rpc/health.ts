/**
 * `grpc.health.v1`, as far as EMQX 5.9 and later ask for it: `Check`. `Watch` is not there, which
 * gRPC has an answer for. Its two messages are of one field each, so they are written by hand.
 */
import { BinaryReader, BinaryWriter } from "@bufbuild/protobuf/wire";
import { bind, type BoundService } from "./server.js";

export interface HealthCheckRequest {
  /** Empty: the server as a whole. */
  readonly service: string;
}

export interface HealthCheckResponse {
  /** 0 unknown, 1 serving, 2 not serving, 3 service unknown. */
  readonly status: number;
}

export const SERVING = 1;

/** The field's number and its wire type, as they stand before it. */
const SERVICE_TAG = (1 << 3) | 2;
const STATUS_TAG = (1 << 3) | 0;

/** What `decode` of both messages does: the one field it knows is read, whatever else is skipped. */
function readField(input: Uint8Array, tag: number, read: (reader: BinaryReader) => void): void {
  const reader = new BinaryReader(input);
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    if (((number << 3) | wireType) === tag) read(reader);
    else reader.skip(wireType);
  }
}

export const HealthCheckRequest = {
  encode({ service }: HealthCheckRequest): BinaryWriter {
    const writer = new BinaryWriter();
    return service === "" ? writer : writer.uint32(SERVICE_TAG).string(service);
  },
  decode(input: Uint8Array): HealthCheckRequest {
    let service = "";
    readField(input, SERVICE_TAG, (reader) => (service = reader.string()));
    return { service };
  },
};

export const HealthCheckResponse = {
  encode({ status }: HealthCheckResponse): BinaryWriter {
    const writer = new BinaryWriter();
    return status === 0 ? writer : writer.uint32(STATUS_TAG).int32(status);
  },
  decode(input: Uint8Array): HealthCheckResponse {
    let status = 0;
    readField(input, STATUS_TAG, (reader) => (status = reader.int32()));
    return { status };
  },
};

const HealthDefinition = {
  fullName: "grpc.health.v1.Health",
  methods: {
    check: {
      name: "Check",
      requestType: HealthCheckRequest,
      requestStream: false,
      responseType: HealthCheckResponse,
      responseStream: false,
    },
  },
} as const;

/** A server that answers is well: whatever service is asked for, it serves. */
export function createHealthService(): BoundService {
  return bind(HealthDefinition, { check: () => ({ status: SERVING }) });
}
