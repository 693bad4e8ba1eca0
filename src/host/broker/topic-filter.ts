/** MQTT topic filters (MQTT 3.1.1, section 4.7). */

/** A publisher may not name one: it would be a filter. */
export function hasWildcard(topic: string): boolean {
  return topic.includes("+") || topic.includes("#");
}

export function matches(filter: string, topic: string): boolean {
  if (filter === topic) return !hasWildcard(filter);
  // Wildcards do not reach what the broker itself publishes.
  if (topic.startsWith("$") && !filter.startsWith("$")) return false;
  const filterLevels = filter.split("/");
  const topicLevels = topic.split("/");
  for (const [i, level] of filterLevels.entries()) {
    if (level === "#") return i === filterLevels.length - 1;
    const actual = topicLevels[i];
    if (actual === undefined || (level !== "+" && level !== actual)) return false;
  }
  return filterLevels.length === topicLevels.length;
}
