/**
 * EMQX's side of ExProto on another broker, as EMQX 5.8 does it: it owns the clients' sockets, calls
 * the handler and a hook provider (ExHook, in any of its generations), and serves ConnectionAdapter.
 * A stranger to the gateway, so that each side checks the other: nothing here may import codec,
 * session, handler, adapter or store.
 *
 * What is not as in EMQX:
 * - Channels to the handler are opened by the first event, not at start.
 * - Which adapter calls of one connection overtake each other when in flight together is up to gRPC
 *   alone; a Close never overtakes a Send here.
 * - Many connections that authenticate one client id at once all succeed, one after the other
 *   (`client_id_unavailable` is never answered).
 * - A client that does not read holds up the calls for it, but not its own bytes and timers.
 * - What waits for a slow unary handler is bounded in bytes of payload, not of heap. What waits on
 *   the streams of ConnectionHandler is not bounded.
 * - The streams' flow is that of grpc-js: flushes are late by chance, within EMQX's 20 ms.
 * - Messages on topics that MQTT does not allow, below $SYS/, or of more than 100 levels are accepted
 *   and go nowhere. $SYS topics have nothing of EMQX's.
 * - No mountpoint, no shared subscriptions, no TLS, no cluster.
 * - MQTT is aedes': versions 3.1 and 3.1.1; a publish without permission closes the connection, and
 *   messages of different qos may overtake each other.
 * - Of the hooks of an MQTT client, only client.connect, client.authenticate, client.authorize,
 *   client.subscribe and message.publish (a will's too) are waited for before aedes goes on. The
 *   others are told in their order, and the client's next publish or subscription waits for them; so
 *   client.connack comes after CONNACK, session.subscribed after SUBACK, and client.unsubscribe after
 *   UNSUBACK. client.subscribe is called for each filter.
 * - message.acked is called for qos 1 of kept sessions only, message.dropped for want of subscribers
 *   only, message.delivered when aedes begins to deliver. A qos 2 publish that is sent again before
 *   its PUBREL calls message.publish again, and is routed once.
 * - A kept MQTT session that replaces a clean one is new: EMQX would resume it.
 * - Of two connections of one client id, what hooks are told of the one may come between what they
 *   are told of the other. client.disconnected is told of every connection but one killed for what
 *   waits, or one that is there when the host is closed.
 */
export type { AclRule, User } from "./broker/index.js";
export type { ConnectionLimits } from "./connection.js";
export type { HandlerServiceName } from "./handler-client.js";
export type { HandlerMethod } from "./handler-port.js";
export type { HookGeneration } from "./hook-generation.js";
export {
  createHost,
  defaultLimits,
  defaultPorts,
  type HookOptions,
  type Host,
  type HostOptions,
  type HostPorts,
  type HostStats,
} from "./host.js";
export type { FlushDelayMs } from "./stream-handler-client.js";
