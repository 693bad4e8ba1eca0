/** Brokers behind the port in broker.ts, and who may do what there. Nothing of gRPC or ExProto. */
export type { AclRule } from "./acl.js";
export { createAedesBroker } from "./aedes-broker.js";
export type { User } from "./users.js";
