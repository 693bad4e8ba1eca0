/** The connections of the host, by connection id and by client id. */

export interface ConnectionTable<T> {
  add(conn: string, connection: T): void;
  remove(conn: string): void;
  get(conn: string): T | undefined;
  /** Gives the client id to the connection, and tells who had it before. */
  claim(clientId: string, connection: T): T | undefined;
  /** Frees the client id, unless another connection has it by now. */
  release(clientId: string, connection: T): void;
  holderOf(clientId: string): T | undefined;
  all(): readonly T[];
  readonly size: number;
  /** Connections with a client id. */
  readonly clients: number;
}

export function createConnectionTable<T>(): ConnectionTable<T> {
  const byConn = new Map<string, T>();
  const byClientId = new Map<string, T>();
  return {
    add: (conn, connection) => void byConn.set(conn, connection),
    remove: (conn) => void byConn.delete(conn),
    get: (conn) => byConn.get(conn),
    claim(clientId, connection) {
      const previous = byClientId.get(clientId);
      byClientId.set(clientId, connection);
      return previous;
    },
    release(clientId, connection) {
      if (byClientId.get(clientId) === connection) byClientId.delete(clientId);
    },
    holderOf: (clientId) => byClientId.get(clientId),
    all: () => [...byConn.values()],
    get size() {
      return byConn.size;
    },
    get clients() {
      return byClientId.size;
    },
  };
}
