/** The one door to a connection: both gRPC services come through it. */
import type { BrokerMessage, Peer } from "../protocol.js";
import type { Logger } from "../logger.js";
import type { Registry } from "./registry.js";

export type DoorEvent =
  | { readonly kind: "created"; readonly peer: Peer }
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  | { readonly kind: "messages"; readonly messages: readonly BrokerMessage[] }
  | { readonly kind: "timer" }
  | { readonly kind: "closed"; readonly reason: string };

export interface Door {
  /** An event of a connection that is not known closes that connection. Never throws. */
  apply(conn: string, event: DoorEvent): void;
  knows(conn: string): boolean;
  isOver(conn: string): boolean;
  orphan(conn: string): void;
  /** Tells of every connection that has ended, however it did. */
  onOver(listener: (conn: string) => void): void;
}

export function createDoor(registry: Registry, logger: Logger): Door {
  function pass(conn: string, event: DoorEvent): void {
    if (event.kind === "created") {
      registry.create(conn, event.peer);
      return;
    }
    const connection = registry.find(conn);
    if (connection === undefined) {
      if (event.kind !== "closed" && !registry.isOver(conn)) registry.closeOrphan(conn);
      return;
    }
    switch (event.kind) {
      case "messages":
        connection.deliver(registry.attribute(event.messages));
        return;
      case "timer":
        connection.dispatch({ kind: "keepalive.expired" });
        return;
      case "bytes":
      case "closed":
        connection.dispatch(event);
        return;
    }
  }

  return {
    knows: (conn) => registry.find(conn) !== undefined,
    isOver: (conn) => registry.isOver(conn),
    orphan: (conn) => registry.closeOrphan(conn),
    onOver: (listener) => registry.onOver(listener),
    apply(conn, event) {
      try {
        pass(conn, event);
      } catch (error) {
        // A bug costs its connection, never another one or the process.
        logger.error({ err: error, conn, event: event.kind }, "a bug in the handler");
        registry.closeOrphan(conn);
      }
    },
  };
}
