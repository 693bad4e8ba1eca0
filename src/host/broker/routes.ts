/** Routes messages to ExProto subscribers: each of a subscriber's filters gives a copy, as in EMQX. */
import type { RoutedMessage, Subscriber } from "./broker.js";
import { hasWildcard, matches } from "./topic-filter.js";

export interface Routes {
  /** False: it was subscribed already. */
  add(subscriber: Subscriber, filter: string): boolean;
  remove(subscriber: Subscriber, filter: string): void;
  removeAll(subscriber: Subscriber): void;
  route(message: RoutedMessage): void;
}

export function createRoutes(): Routes {
  /** Filters without a wildcard are found by the topic itself. */
  const exact = new Map<string, Set<Subscriber>>();
  const wild = new Map<string, Set<Subscriber>>();
  const filtersOf = new Map<Subscriber, Set<string>>();

  const side = (filter: string) => (hasWildcard(filter) ? wild : exact);

  function remove(subscriber: Subscriber, filter: string): void {
    const subscribers = side(filter).get(filter);
    subscribers?.delete(subscriber);
    if (subscribers?.size === 0) side(filter).delete(filter);
    filtersOf.get(subscriber)?.delete(filter);
  }

  return {
    add(subscriber, filter) {
      const filters = filtersOf.get(subscriber) ?? new Set();
      filtersOf.set(subscriber, filters);
      if (filters.has(filter)) return false;
      filters.add(filter);
      const subscribers = side(filter).get(filter) ?? new Set();
      side(filter).set(filter, subscribers.add(subscriber));
      return true;
    },
    remove,
    removeAll(subscriber) {
      for (const filter of filtersOf.get(subscriber) ?? []) remove(subscriber, filter);
      filtersOf.delete(subscriber);
    },
    route(message) {
      for (const subscriber of exact.get(message.topic) ?? []) subscriber.deliver(message);
      for (const [filter, subscribers] of wild) {
        if (!matches(filter, message.topic)) continue;
        for (const subscriber of subscribers) subscriber.deliver(message);
      }
    },
  };
}
