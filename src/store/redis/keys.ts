/**
 * Every key this project has in Redis. `<prefix>` is the configured one; what stands in braces is
 * the hash tag, so on a Redis Cluster the keys of one client, room or gateway share a slot, and
 * every script touches the keys of one tag only.
 *
 * | key                              | type and content                                      | kept                                            |
 * |----------------------------------|-------------------------------------------------------|-------------------------------------------------|
 * | `<prefix>{s:<clientId>}:epoch`   | string: the session's epoch                           | as long as the record, and a day after its end  |
 * | `<prefix>{s:<clientId>}:record`  | hash: username, expirySeconds, data (JSON)            | 7 days after take or save; expirySeconds after release |
 * | `<prefix>n:<conn>`               | string: the note about a connection                   | 7 days                                          |
 * | `<prefix>{p:<room>}:entries`     | hash: [gateway, instance] to entry (JSON)             | until the last entry is removed                 |
 * | `<prefix>{p:<room>}:clients`     | hash: client to how many of these entries it has      | the same                                        |
 * | `<prefix>m:<protocol>:<clientId>` | string: an MQTT client's rooms (JSON)                 | 180 days; 7 days while it is away               |
 * | `<prefix>{g:<gateway>}:lease`    | string: there while the gateway renews it             | leaseMs                                         |
 * | `<prefix>{g:<gateway>}:generation` | string: counts up whenever the entries are reaped   | a day after the last join or reaping            |
 * | `<prefix>{g:<gateway>}:entries`  | hash: [room, instance] to the generation it joined in | until the last entry is removed                 |
 * | `<prefix>{l:<topic>}:meta`       | hash: epoch, last, first, firstTs, epochs, run, safe  | 8 days longer than entries, after the last append |
 * | `<prefix>{l:<topic>}:stream`     | stream: `<offset>-0` to entry; group `archive`        | maxAgeMs after the last append (with an archive: after it has all) |
 * | `<prefix>{l:<topic>}:ids`        | hash: message id to epoch and offset                  | the same; a field: as its entry                 |
 * | `<prefix>{l:<topic>}:k:<sha1>`   | hash: username; id, epoch, offset once settled        | windowMs after it was announced                 |
 * | `<prefix>{l:<topic>}:w:<sha1>`   | list: the `k` that wait for a publisher's payload     | windowMs after the last was announced           |
 * | `<prefix>logs`                   | sorted set: topic by when it was appended to (ms)     | a member: until the archive has all             |
 * | `<prefix>gateways`               | sorted set: gateway by when it was last seen (ms)     | a member: a day after it was last seen          |
 */

export interface SessionKeys {
  readonly epoch: string;
  readonly record: string;
}

export interface RoomKeys {
  readonly entries: string;
  readonly clients: string;
}

export interface GatewayKeys {
  readonly lease: string;
  readonly generation: string;
  readonly entries: string;
}

export interface LogKeys {
  readonly meta: string;
  readonly stream: string;
  readonly ids: string;
  /** What the keys of its publications begin with. */
  readonly base: string;
  /** @param name As hex digits. */
  publication(name: string): string;
  waiting(name: string): string;
}

export interface Keys {
  readonly gateways: string;
  readonly logs: string;
  session(clientId: string): SessionKeys;
  note(conn: string): string;
  room(room: string): RoomKeys;
  mqttClient(protocol: string, clientId: string): string;
  gateway(gateway: string): GatewayKeys;
  log(topic: string): LogKeys;
}

export function createKeys(prefix: string): Keys {
  return {
    gateways: `${prefix}gateways`,
    logs: `${prefix}logs`,
    session(clientId) {
      const tag = `${prefix}{s:${clientId}}`;
      return { epoch: `${tag}:epoch`, record: `${tag}:record` };
    },
    note: (conn) => `${prefix}n:${conn}`,
    room(room) {
      const tag = `${prefix}{p:${room}}`;
      return { entries: `${tag}:entries`, clients: `${tag}:clients` };
    },
    mqttClient: (protocol, clientId) => `${prefix}m:${protocol}:${clientId}`,
    gateway(gateway) {
      const tag = `${prefix}{g:${gateway}}`;
      return {
        lease: `${tag}:lease`,
        generation: `${tag}:generation`,
        entries: `${tag}:entries`,
      };
    },
    log(topic) {
      const base = `${prefix}{l:${topic}}:`;
      return {
        meta: `${base}meta`,
        stream: `${base}stream`,
        ids: `${base}ids`,
        base,
        publication: (name) => `${base}k:${name}`,
        waiting: (name) => `${base}w:${name}`,
      };
    },
  };
}
