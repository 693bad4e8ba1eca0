/**
 * What aedes asks before an MQTT client may do something. aedes acknowledges a publish before it
 * routes it, and can neither change nor drop one without cutting the client; so a publish is routed
 * here, once hooks have decided, and aedes' own attempt to do it is caught.
 */
import { Socket } from "node:net";
import type { Aedes, Client, PublishPacket, PubrelPacket } from "aedes";
import type { Action, Broker, BrokerMessage } from "./broker.js";
import type { HookedConnection, Hooks } from "./hooks.js";
import type { MqttClient, MqttSessions } from "./mqtt-sessions.js";

export interface MqttHooksOptions extends Pick<Broker, "authenticate" | "authorize"> {
  readonly hooks: Hooks;
  readonly sessions: MqttSessions;
  /** By the rules alone. */
  isAllowed(client: MqttClient, action: Action, topic: string): boolean;
  /** A message under an id of its own. */
  create(packet: PublishPacket, client: MqttClient): BrokerMessage;
  /** What hooks let through of it, and tells them where nobody is there to get it. */
  decide(message: BrokerMessage): Promise<BrokerMessage | undefined>;
  /** The message that aedes forwards; undefined: none that hooks are told of. */
  find(packet: Pick<PublishPacket, "payload">): BrokerMessage | undefined;
  /** The packet that stands for it inside aedes. */
  toPacket(message: BrokerMessage, retain: boolean): PublishPacket;
}

type Done = (error?: Error | null) => void;

/** What `publish` of aedes takes and its types leave out: the publisher, before the callback. */
type Publisher = Client | ((error?: Error) => void) | null;
type Publish = (packet: PublishPacket, client: Publisher, done?: Done) => void;

const BAD_USERNAME_OR_PASSWORD = 4;
const NOT_AUTHORIZED = 5;

export function installMqttHooks(aedes: Aedes, options: MqttHooksOptions): void {
  const { hooks, sessions } = options;
  const route = aedes.publish.bind(aedes) as Publish;
  /** What became of a publish that was asked for; undefined: it goes nowhere. */
  const decisions = new WeakMap<PublishPacket, (done: Done) => void>();

  aedes.preConnect = (client, packet, done) => {
    const connection: HookedConnection = {
      ...peerOf(client),
      clientId: packet.clientId,
      username: packet.username ?? "",
      protoName: packet.protocolId ?? "MQTT",
      protoVer: String(packet.protocolVersion ?? 4),
      keepaliveSeconds: packet.keepalive ?? 0,
    };
    const { line } = sessions.admit(client, connection);
    void line
      .run(() => hooks.notify({ hook: "client.connect", connection }))
      .then(() => done(null, true));
  };

  aedes.authenticate = (client, _username, password, done) => {
    const { connection } = known(sessions, client);
    // aedes gives an id to a client that has none.
    const { hooked, line } = sessions.admit(client, { ...connection, clientId: client.id });
    void line
      .run(() => options.authenticate(hooked, password?.toString() ?? "", "users"))
      .then((refusal) => {
        if (refusal === undefined) {
          done(null, true);
          return;
        }
        const returnCode = refusal === "not_authorized" ? NOT_AUTHORIZED : BAD_USERNAME_OR_PASSWORD;
        done(Object.assign(new Error(refusal), { returnCode } as const), false);
      });
  };

  async function decidePublish(client: Client, packet: PublishPacket): Promise<Error | null> {
    const member = known(sessions, client);
    const { topic, retain } = packet;
    if (!(await options.authorize(member.hooked, "publish", topic))) {
      return new Error(`publishing to "${topic}" is not authorized`);
    }
    const message = await options.decide(options.create(packet, member));
    if (message === undefined) {
      decisions.set(packet, (done) => done());
      return null;
    }
    const start = (done: Done) => route(options.toPacket(message, retain), client, done);
    if (packet.qos === 2) {
      // aedes has yet to see whether it is a duplicate.
      decisions.set(packet, start);
      return null;
    }
    const routed = new Promise<Error | null | undefined>((resolve) => start(resolve));
    decisions.set(packet, (done) => void routed.then(done));
    return null;
  }

  aedes.authorizePublish = (client, packet, done) => {
    if (client === null) {
      done(null);
      return;
    }
    const decide = () => {
      void known(sessions, client)
        .line.run(() => decidePublish(client, packet))
        .then(done);
    };
    // A will comes after the news that its client is gone.
    if (client.closed) setImmediate(decide);
    else decide();
  };

  aedes.publish = (packet: PublishPacket, client: Publisher, done?: Done) => {
    const decided = decisions.get(packet);
    if (decided === undefined) route(packet, client, done);
    else decided((error) => done?.(error));
  };

  aedes.authorizeSubscribe = (client, subscription, done) => {
    const member = known(sessions, client);
    const { topic: filter, qos } = subscription;
    const answer = (allowed: boolean) => done(null, allowed ? subscription : null);
    if (!member.isRegistered) {
      answer(options.isAllowed(member, "subscribe", filter));
      return;
    }
    void member.line
      .run(async () => {
        if (!(await options.authorize(member.hooked, "subscribe", filter))) return false;
        const subscriptions = [{ filter, qos }];
        await hooks.notify({ hook: "client.subscribe", client: member.hooked, subscriptions });
        return true;
      })
      .then(answer);
  };

  aedes.authorizeForward = (client, packet) => {
    tellOf("message.delivered", client, packet);
    return packet;
  };

  // Undefined, whatever its types say, for a message to a clean session: aedes keeps no note of it.
  aedes.on("ack", (packet: PublishPacket | PubrelPacket | undefined, client: Client) => {
    if (packet?.cmd === "publish") tellOf("message.acked", client, packet);
  });

  function tellOf(
    hook: "message.delivered" | "message.acked",
    client: Client,
    packet: Pick<PublishPacket, "payload">,
  ): void {
    const member = sessions.get(client);
    const message = options.find(packet);
    if (member === undefined || message === undefined) return;
    sessions.tell(member, { hook, client: member.hooked, message });
  }
}

/** Every client comes through `preConnect`. */
function known(sessions: MqttSessions, client: Client): MqttClient {
  const member = sessions.get(client);
  if (member === undefined) throw new Error("an MQTT client that has not connected");
  return member;
}

function peerOf({
  conn,
  req,
}: Client): Pick<HookedConnection, "peerhost" | "peerport" | "sockport"> {
  // Over WebSocket it is a stream on the request's socket.
  const socket = req?.socket ?? conn;
  if (!(socket instanceof Socket)) return { peerhost: "", peerport: 0, sockport: 0 };
  return {
    peerhost: socket.remoteAddress?.replace(/^::ffff:/, "") ?? "",
    peerport: socket.remotePort ?? 0,
    sockport: socket.localPort ?? 0,
  };
}
