/** The Lua scripts of lua/, each with the shape of its reply. What they do is said in their headers. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { z } from "zod";

export interface Script<Reply> {
  readonly name: string;
  readonly source: string;
  readonly sha1: string;
  readonly reply: z.ZodType<Reply>;
}

function script<Reply>(name: string, reply: z.ZodType<Reply>): Script<Reply> {
  const source = readFileSync(new URL(`./lua/${name}.lua`, import.meta.url), "utf8");
  return { name, source, sha1: createHash("sha1").update(source).digest("hex"), reply };
}

const flag = z.union([z.literal(0), z.literal(1)]).transform((value) => value === 1);

export const scripts = {
  sessionTake: script("session-take", z.tuple([z.int(), z.string().nullable()])),
  sessionSave: script("session-save", flag),
  sessionEnd: script("session-end", flag),
  presenceEnlist: script("presence-enlist", flag),
  presenceDelist: script("presence-delist", flag),
  presenceRegister: script("presence-register", z.int()),
  presenceAdopt: script("presence-adopt", z.int()),
  presenceClaim: script("presence-claim", z.int().nullable()),
  presenceUnregister: script("presence-unregister", z.int()),
  presenceJoin: script("presence-join", flag),
  presenceRemove: script("presence-remove", z.array(z.string())),
} as const;
