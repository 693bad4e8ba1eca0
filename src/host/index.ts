/**
 * EMQX's side of ExProto on another broker: where a chat client's socket, the MQTT clients and the
 * gateway meet when there is no EMQX. It knows the gateway by the gRPC contracts alone.
 *
 * It behaves as EMQX 5.8 was seen to behave. Known differences: a client id that several connections
 * take in the same moment goes to each in turn (EMQX refuses some); a second StartTimer that is much
 * shorter may fire up to two intervals earlier; topics of more than 100 levels reach ExProto clients
 * only; there is no limit on a connection's memory.
 */
export type { AclRule, User } from "./broker/access.js";
export type { ConnectionTimeouts } from "./connection.js";
export type { HandlerServiceName } from "./handler-client.js";
export { createHost, type Host, type HostOptions, type HostPorts } from "./host.js";
