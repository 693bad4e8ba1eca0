/**
 * Where an ExProto client causes hooks. As in EMQX its process waits for each of them, and what it is
 * to do next waits too: all but `gone` are called, and awaited, by a task of `line`.
 */
import type { BrokerMessage, HookedClient, Qos } from "./broker/broker.js";
import type { Hooks } from "./broker/hooks.js";
import { createTaskLine, type TaskLine } from "./broker/task-line.js";

export interface HookPoints {
  /** What the client's process does, one thing after another. */
  readonly line: TaskLine;
  connecting(client: HookedClient, protoName: string, protoVer: string): Promise<void>;
  connected(client: HookedClient): Promise<void>;
  /** Told where the filter is new. */
  subscribed(filter: string, qos: Qos): Promise<void>;
  /** Told where the filter was subscribed. */
  unsubscribed(filter: string): Promise<void>;
  delivered(message: BrokerMessage): Promise<void>;
  /** Told once, after all else, of a client that had connected. */
  gone(reason: string): void;
}

export function createHookPoints(hooks: Hooks): HookPoints {
  const line = createTaskLine();
  const filters = new Set<string>();
  let known: HookedClient | undefined;
  return {
    line,
    connecting: ({ clientId, username, peerhost, peerport, sockport }, protoName, protoVer) =>
      hooks.notify({
        hook: "client.connect",
        connection: {
          clientId,
          username,
          peerhost,
          peerport,
          sockport,
          protoName,
          protoVer,
          keepaliveSeconds: 0,
        },
      }),
    connected(client) {
      known = client;
      return hooks.notify({ hook: "client.connected", client });
    },
    async subscribed(filter, qos) {
      if (known === undefined || filters.has(filter)) return;
      filters.add(filter);
      const subscription = { filter, qos };
      await hooks.notify({ hook: "session.subscribed", client: known, subscription });
    },
    async unsubscribed(filter) {
      if (known === undefined || !filters.delete(filter)) return;
      await hooks.notify({ hook: "session.unsubscribed", client: known, filter });
    },
    async delivered(message) {
      if (known === undefined) return;
      await hooks.notify({ hook: "message.delivered", client: known, message });
    },
    gone(reason) {
      const client = known;
      known = undefined;
      if (client === undefined) return;
      void line.run(() => hooks.notify({ hook: "client.disconnected", client, reason }));
    },
  };
}
