// npm run bench -- <codec|memory|load|resume> [arguments]: builds what test/bench measures, and runs it.
import { execFileSync } from "node:child_process";
import { cpSync } from "node:fs";
import { join } from "node:path";

const root = new URL("..", import.meta.url).pathname;
const out = join(root, "node_modules", ".cache", "bench");
const [name = "codec", ...args] = process.argv.slice(2);
const run = (...command) =>
  execFileSync(process.execPath, command, { cwd: root, stdio: "inherit" });

const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
run(tsc, "-p", ".", "--noEmit", "false", "--rootDir", ".", "--outDir", out);
cpSync(join(root, "src/store/redis/lua"), join(out, "src/store/redis/lua"), { recursive: true });
cpSync(join(root, "src/archive/schema.sql"), join(out, "src/archive/schema.sql"));
run("--expose-gc", join(out, "test", "bench", `${name}.js`), ...args);
