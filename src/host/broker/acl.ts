/** The rules of who may publish and subscribe where: the first that fits decides, none allows. */
import type { Action, ClientIdentity } from "./broker.js";
import { fits, splitTopic, toLevel, type Level } from "./topic-filter.js";

export interface AclRule {
  readonly permission: "allow" | "deny";
  readonly action: Action | "all";
  /** Absent: everybody. */
  readonly username?: string;
  readonly clientId?: string;
  /**
   * Topic filters; `%u` stands for the username, `%c` for the client id, both taken literally. A
   * subscription's filter is looked at as if it were a topic, as EMQX does.
   */
  readonly topics: readonly string[];
}

export type Authorize = (client: ClientIdentity, action: Action, topic: string) => boolean;

export function createAuthorize(rules: readonly AclRule[]): Authorize {
  return (client, action, topic) => {
    const words = splitTopic(topic);
    const decisive = rules.find(
      (rule) =>
        (rule.action === "all" || rule.action === action) &&
        isAbout(rule, client) &&
        rule.topics.some((template) => {
          const filter = fillIn(template, client);
          return filter !== undefined && fits(filter, words);
        }),
    );
    return decisive?.permission !== "deny";
  };
}

function isAbout(rule: AclRule, { clientId, username }: ClientIdentity): boolean {
  return (rule.username ?? username) === username && (rule.clientId ?? clientId) === clientId;
}

/**
 * What is filled in is never a wildcard, whatever the client calls itself. Undefined: the client has
 * no username to fill in.
 */
function fillIn(
  template: string,
  { clientId, username }: ClientIdentity,
): readonly Level[] | undefined {
  if (template.includes("%u") && username === "") return undefined;
  return splitTopic(template).flatMap((word): readonly Level[] => {
    if (!/%[uc]/.test(word)) return [toLevel(word)];
    const filled = word.replace(/%[uc]/g, (name) => (name === "%u" ? username : clientId));
    return splitTopic(filled).map((literal) => ({ literal }));
  });
}
