/** What EMQX does for a connection, as a port, and over gRPC. */
export type { ConnectionAdapter, Credentials } from "./adapter.js";
export { createGrpcAdapter, type GrpcAdapterOptions } from "./grpc-adapter.js";
export { nodeOf, parseAdapterAddress, type AddressOf } from "./node-address.js";
export { createOutbox, type Outbox } from "./outbox.js";
