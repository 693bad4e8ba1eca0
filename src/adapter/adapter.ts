/**
 * The port to what EMQX does for a connection. Every method rejects with a GatewayError; one that
 * is `gone` says that EMQX no longer has the connection.
 *
 * EMQX runs each call in a process of its own: two calls in flight for one connection may swap, so
 * callers make them one after the other (outbox.ts).
 */
export interface ConnectionAdapter {
  /** Writes to the client's socket. Sending no bytes does nothing: a probe. */
  send(conn: string, bytes: Uint8Array): Promise<void>;
  close(conn: string): Promise<void>;
  /** EMQX closes the socket 1.5 × `seconds` (at least 1) after the client's last byte. */
  startTimer(conn: string, seconds: number): Promise<void>;
  authenticate(conn: string, credentials: Credentials): Promise<void>;
  /** Again: changes the qos. */
  subscribe(conn: string, topic: string, qos: number): Promise<void>;
  unsubscribe(conn: string, topic: string): Promise<void>;
  publish(conn: string, topic: string, qos: number, payload: Uint8Array): Promise<void>;
  /** For no connection: no permission is asked. Not in EMQX before 5.1 (UNSUPPORTED). */
  rawPublish(topic: string, qos: number, payload: Uint8Array): Promise<void>;
  /** Fails what is in flight. */
  end(): void;
}

export interface Credentials {
  readonly clientId: string;
  readonly username: string;
  readonly password: string;
}
