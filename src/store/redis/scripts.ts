/** The Lua scripts of lua/, each with the shape of its reply. What they do is said in their headers. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { z } from "zod";

export interface Script<Reply> {
  readonly name: string;
  readonly source: string;
  readonly sha1: string;
  /** Its reply's strings come as bytes. */
  readonly isBinary: boolean;
  readonly reply: z.ZodType<Reply>;
}

function read(name: string): string {
  return readFileSync(new URL(`./lua/${name}.lua`, import.meta.url), "utf8");
}

function create<Reply>(
  name: string,
  reply: z.ZodType<Reply>,
  source: string,
  isBinary: boolean,
): Script<Reply> {
  const sha1 = createHash("sha1").update(source).digest("hex");
  return { name, source, sha1, isBinary, reply };
}

function script<Reply>(name: string, reply: z.ZodType<Reply>): Script<Reply> {
  return create(name, reply, read(name), false);
}

const logLibrary = read("log");

function logScript<Reply>(name: string, reply: z.ZodType<Reply>): Script<Reply> {
  return create(name, reply, `${logLibrary}\n${read(name)}`, true);
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
  mqttClientReplace: script("mqtt-client-replace", flag),
} as const;

const bytes = z.custom<Buffer>((value) => Buffer.isBuffer(value));

/** Checked as a whole and not one by one, as there may be thousands of them. */
const logEntries = z.custom<readonly Buffer[]>(
  (value) =>
    Array.isArray(value) && value.length % 9 === 0 && value.every((one) => Buffer.isBuffer(one)),
);

const logHead = z.tuple([z.int(), z.int(), z.int(), bytes]);

const otherEpoch = z.tuple([z.literal(0)]).transform(() => "other epoch" as const);

const appended = z.union([otherEpoch, z.array(z.int())]);

const settled = z.union([otherEpoch, z.tuple([bytes, z.int(), z.int()]), z.tuple([])]);

/** The scripts of the logs; lua/log.lua, which they share, is a part of each. */
export const logScripts = {
  open: logScript("log-open", logHead),
  append: logScript("log-append", appended),
  read: logScript("log-read", z.tuple([logHead, logEntries])),
  readBack: logScript("log-read-back", z.tuple([logHead, logEntries, flag])),
  announce: logScript("log-announce", settled),
  settle: logScript("log-settle", settled),
  claim: logScript("log-claim", logEntries),
  confirm: logScript("log-confirm", z.int()),
  lag: logScript("log-lag", z.int()),
  enlist: logScript("log-enlist", flag),
  delist: logScript("log-delist", flag),
} as const;
