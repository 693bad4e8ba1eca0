/** MQTT's topic filters: `+` stands for one level, a last `#` for the level before it and all below. */

const MAX_TOPIC_BYTES = 65_535;

/** One level of a filter. */
export type Level = { readonly literal: string } | "+" | "#";

export function splitTopic(topic: string): readonly string[] {
  return topic.split("/");
}

/** Undefined for a filter that MQTT does not allow. */
export function parseFilter(filter: string): readonly Level[] | undefined {
  if (!isMqttString(filter)) return undefined;
  const words = splitTopic(filter);
  const malformed = words.some(
    (word, index) =>
      (word.includes("#") && (word !== "#" || index < words.length - 1)) ||
      (word.includes("+") && word !== "+"),
  );
  return malformed ? undefined : words.map(toLevel);
}

export function toLevel(word: string): Level {
  return word === "+" || word === "#" ? word : { literal: word };
}

/** Wildcards of the first level do not fit topics that begin with `$`. */
export function fits(filter: readonly Level[], topic: readonly string[]): boolean {
  if (typeof filter[0] === "string" && topic[0]?.startsWith("$") === true) return false;
  for (const [index, level] of filter.entries()) {
    if (level === "#") return true;
    const word = topic[index];
    if (word === undefined || (level !== "+" && level.literal !== word)) return false;
  }
  return filter.length === topic.length;
}

export function hasWildcard(topic: string): boolean {
  return splitTopic(topic).some((word) => word === "+" || word === "#");
}

/** Whether a message may be published on it. */
export function isTopic(topic: string): boolean {
  return isMqttString(topic) && !topic.includes("+") && !topic.includes("#");
}

function isMqttString(text: string): boolean {
  return text !== "" && !text.includes("\0") && Buffer.byteLength(text) <= MAX_TOPIC_BYTES;
}
