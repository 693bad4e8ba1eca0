/** Which hooks a provider wants, and for which topics. */
import type { Logger } from "../logger.js";
import type { HookSpec } from "../rpc/generated/exhook.v3.js";
import { fits, parseFilter, splitTopic, type Level } from "./broker/topic-filter.js";

const hookNames = [
  "client.connect",
  "client.connack",
  "client.connected",
  "client.disconnected",
  "client.authenticate",
  "client.authorize",
  "client.subscribe",
  "client.unsubscribe",
  "session.created",
  "session.subscribed",
  "session.unsubscribed",
  "session.resumed",
  "session.discarded",
  "session.takenover",
  "session.terminated",
  "message.publish",
  "message.delivered",
  "message.dropped",
  "message.acked",
] as const;

export type HookName = (typeof hookNames)[number];

export interface HookRegistry {
  /** @param topic of the message, for a hook of messages. */
  wants(hook: HookName, topic?: string): boolean;
}

export const emptyRegistry: HookRegistry = { wants: () => false };

/** @param renamed names that the provider's generation has for hooks of ours. */
export function createHookRegistry(
  specs: readonly HookSpec[],
  renamed: Readonly<Record<string, string>>,
  logger: Logger,
): HookRegistry {
  const hooks = new Map<string, readonly (readonly Level[])[]>();
  for (const { name, topics } of specs) {
    const hook = renamed[name] ?? name;
    if (hookNames.some((known) => known === hook)) {
      // A malformed filter fits no topic.
      hooks.set(
        hook,
        topics.map((filter) => parseFilter(filter) ?? []),
      );
    } else {
      logger.warn({ hook: name }, "the hook provider wants a hook that there is not");
    }
  }
  return {
    wants(hook, topic) {
      const filters = hooks.get(hook);
      if (filters === undefined) return false;
      if (topic === undefined || filters.length === 0) return true;
      const words = splitTopic(topic);
      return filters.some((filter) => fits(filter, words));
    },
  };
}
