/** The user list: who may log in, over MQTT and over ExProto alike. */
import { createHash, timingSafeEqual } from "node:crypto";
import type { Credentials, Refusal } from "./broker.js";

export interface User {
  readonly username: string;
  readonly password: string;
}

/** Undefined: let in. */
export type Authenticate = (credentials: Credentials) => Refusal | undefined;

export function createAuthenticate(users: readonly User[] = []): Authenticate {
  const digests = new Map(users.map(({ username, password }) => [username, digest(password)]));
  return ({ username, password }) => {
    const expected = digests.get(username);
    if (expected === undefined) return "not_authorized";
    return timingSafeEqual(expected, digest(password)) ? undefined : "bad_username_or_password";
  };
}

/** Of one length, so that they can be compared in constant time. */
function digest(password: string): Buffer {
  return createHash("sha256").update(password).digest();
}
