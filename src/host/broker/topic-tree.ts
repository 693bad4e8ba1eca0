/** Who has subscribed to what: finds a topic's subscribers without looking at every filter. */
import { parseFilter, splitTopic } from "./topic-filter.js";

export interface TopicTree<T> {
  /** A malformed filter, and a value that the filter has already, change nothing. */
  add(filter: string, value: T): void;
  remove(filter: string, value: T): void;
  /** The values of every filter that fits: a value comes once per filter. */
  match(topic: string): readonly T[];
}

interface Node<T> {
  readonly children: Map<string, Node<T>>;
  readonly values: Set<T>;
}

function createNode<T>(): Node<T> {
  return { children: new Map(), values: new Set() };
}

export function createTopicTree<T>(): TopicTree<T> {
  const root = createNode<T>();

  function removeBelow(node: Node<T>, words: readonly string[], depth: number, value: T): void {
    const word = words[depth];
    if (word === undefined) {
      node.values.delete(value);
      return;
    }
    const child = node.children.get(word);
    if (child === undefined) return;
    removeBelow(child, words, depth + 1, value);
    if (child.values.size === 0 && child.children.size === 0) node.children.delete(word);
  }

  function collect(node: Node<T>, words: readonly string[], depth: number, found: T[]): void {
    const word = words[depth];
    const wildcards = depth > 0 || word?.startsWith("$") !== true;
    if (wildcards) found.push(...(node.children.get("#")?.values ?? []));
    if (word === undefined) {
      found.push(...node.values);
      return;
    }
    const plus = wildcards ? node.children.get("+") : undefined;
    if (plus !== undefined) collect(plus, words, depth + 1, found);
    const literal = node.children.get(word);
    if (literal !== undefined) collect(literal, words, depth + 1, found);
  }

  return {
    add(filter, value) {
      if (parseFilter(filter) === undefined) return;
      let node = root;
      for (const word of splitTopic(filter)) {
        let child = node.children.get(word);
        if (child === undefined) node.children.set(word, (child = createNode()));
        node = child;
      }
      node.values.add(value);
    },
    remove: (filter, value) => removeBelow(root, splitTopic(filter), 0, value),
    match(topic) {
      const found: T[] = [];
      collect(root, splitTopic(topic), 0, found);
      return found;
    },
  };
}
