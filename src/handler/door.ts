/** The one door to a connection: both gRPC services come through it. */
import type { BrokerMessage, Peer } from "../protocol.js";
import { withUsernames, type Registry } from "./registry.js";

export type DoorEvent =
  | { readonly kind: "created"; readonly peer: Peer }
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  | { readonly kind: "messages"; readonly messages: readonly BrokerMessage[] }
  | { readonly kind: "timer" }
  | { readonly kind: "closed"; readonly reason: string };

export interface Door {
  /** An event of a connection that is not known closes that connection. */
  apply(conn: string, event: DoorEvent): void;
  knows(conn: string): boolean;
  isOver(conn: string): boolean;
  orphan(conn: string): void;
}

export function createDoor(registry: Registry): Door {
  return {
    knows: (conn) => registry.find(conn) !== undefined,
    isOver: (conn) => registry.isOver(conn),
    orphan: (conn) => registry.closeOrphan(conn),
    apply(conn, event) {
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
        case "bytes":
          connection.dispatch(event);
          return;
        case "messages":
          connection.dispatch({
            kind: "messages",
            messages: withUsernames(event.messages, registry),
          });
          return;
        case "timer":
          connection.dispatch({ kind: "keepalive.expired" });
          return;
        case "closed":
          connection.dispatch(event);
          return;
      }
    },
  };
}
