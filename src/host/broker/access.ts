/** Who may log in, and who may do what: for MQTT and ExProto clients alike. */
import { createHash, timingSafeEqual } from "node:crypto";
import type { Action, Client, Credentials, Verdict } from "./broker.js";
import { matches } from "./topic-filter.js";

export interface User {
  readonly username: string;
  readonly password: string;
}

/** The first rule that fits decides; where none does, it is allowed. */
export interface AclRule {
  readonly permission: "allow" | "deny";
  readonly action: Action | "all";
  /** Absent: everybody. */
  readonly username?: string;
  readonly clientId?: string;
  /** Filters; `%u` and `%c` stand for the client's username and client id. */
  readonly topics: readonly string[];
}

export interface Access {
  readonly isOpen: boolean;
  authenticate(credentials: Credentials): Verdict;
  authorize(client: Client, action: Action, topic: string): boolean;
}

/** Without `users` everybody is let in. */
export function createAccess(users: readonly User[] | undefined, acl: readonly AclRule[]): Access {
  const digests =
    users && new Map(users.map(({ username, password }) => [username, digest(password)]));

  function fits(rule: AclRule, client: Client, action: Action, topic: string): boolean {
    if (rule.action !== "all" && rule.action !== action) return false;
    if (rule.username !== undefined && rule.username !== client.username) return false;
    if (rule.clientId !== undefined && rule.clientId !== client.clientId) return false;
    return rule.topics.some((filter) => {
      const own = filter.replaceAll("%u", client.username).replaceAll("%c", client.clientId);
      return own === topic || matches(own, topic);
    });
  }

  return {
    isOpen: digests === undefined,
    authenticate({ username, password }) {
      if (digests === undefined) return "ok";
      const expected = digests.get(username);
      if (expected === undefined) return "not_authorized";
      return timingSafeEqual(expected, digest(password)) ? "ok" : "bad_username_or_password";
    },
    authorize(client, action, topic) {
      const rule = acl.find((one) => fits(one, client, action, topic));
      return rule?.permission !== "deny";
    },
  };
}

/** Of one length, whatever the password's. */
function digest(password: string): Buffer {
  return createHash("sha256").update(password).digest();
}
