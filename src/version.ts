import { readFileSync } from "node:fs";
import { z } from "zod";

const manifest = z
  .object({ name: z.string(), version: z.string() })
  .parse(JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")));

/** Name and version, such as `exproto-gateway/0.1.0`. */
export const SERVER = `${manifest.name}/${manifest.version}`;
