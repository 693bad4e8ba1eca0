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
 * | `<prefix>{p:<room>}:clients`     | hash: client id to how many of these entries it has   | the same                                        |
 * | `<prefix>{g:<gateway>}:lease`    | string: there while the gateway renews it             | leaseMs                                         |
 * | `<prefix>{g:<gateway>}:generation` | string: counts up whenever the entries are reaped   | a day after the last join or reaping            |
 * | `<prefix>{g:<gateway>}:entries`  | hash: [room, instance] to the generation it joined in | until the last entry is removed                 |
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

export interface Keys {
  readonly gateways: string;
  session(clientId: string): SessionKeys;
  note(conn: string): string;
  room(room: string): RoomKeys;
  gateway(gateway: string): GatewayKeys;
}

export function createKeys(prefix: string): Keys {
  return {
    gateways: `${prefix}gateways`,
    session(clientId) {
      const tag = `${prefix}{s:${clientId}}`;
      return { epoch: `${tag}:epoch`, record: `${tag}:record` };
    },
    note: (conn) => `${prefix}n:${conn}`,
    room(room) {
      const tag = `${prefix}{p:${room}}`;
      return { entries: `${tag}:entries`, clients: `${tag}:clients` };
    },
    gateway(gateway) {
      const tag = `${prefix}{g:${gateway}}`;
      return {
        lease: `${tag}:lease`,
        generation: `${tag}:generation`,
        entries: `${tag}:entries`,
      };
    },
  };
}
