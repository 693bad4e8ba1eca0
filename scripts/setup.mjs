// Brings a fresh clone to where it can run, and does nothing where it is there already:
// dependencies as the lock file has them, and the build. With --test also what the tests need of the
// system.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";

const root = new URL("..", import.meta.url).pathname;
const inRoot = (...parts) => join(root, ...parts);

function run(command, ...args) {
  console.error(`> ${command} ${args.join(" ")}`);
  execFileSync(command, args, { cwd: root, stdio: ["ignore", 2, 2] });
}

function installDependencies() {
  const stamp = inRoot("node_modules", ".setup");
  const wanted = createHash("sha256")
    .update(readFileSync(inRoot("package-lock.json")))
    .digest("hex");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return;
  // Not npm ci: it wants the binaries of every platform in the lock file, and where a registry lacks
  // those of another platform they can't be put there. Versions are the lock file's all the same.
  run("npm", "install", "--no-save", "--no-progress");
  writeFileSync(stamp, wanted);
}

function newest(path) {
  const info = statSync(path);
  if (!info.isDirectory()) return info.mtimeMs;
  return Math.max(0, ...readdirSync(path).map((name) => newest(join(path, name))));
}

function build() {
  const built = inRoot("dist", "main.js");
  const sources = ["src", "tsconfig.json", "tsconfig.build.json", "package-lock.json"];
  if (
    existsSync(built) &&
    Math.max(...sources.map((name) => newest(inRoot(name)))) < statSync(built).mtimeMs
  ) {
    return;
  }
  run("npm", "run", "--silent", "build");
}

function onPath(program) {
  return (process.env.PATH ?? "")
    .split(delimiter)
    .some((folder) => existsSync(join(folder, program)));
}

/** Debian keeps PostgreSQL's programs out of the path. */
function hasPostgres() {
  const versions = "/usr/lib/postgresql";
  return (
    onPath("initdb") ||
    (existsSync(versions) &&
      readdirSync(versions).some((version) => existsSync(join(versions, version, "bin", "initdb"))))
  );
}

/** What the tests run on, where it is not there yet. */
function installServers() {
  const missing = [];
  if (!onPath("redis-server")) missing.push("redis-server");
  if (!hasPostgres()) missing.push("postgresql");
  if (missing.length === 0) return;
  const why = `the tests run on a real Redis and a real PostgreSQL: install ${missing.join(" and ")}`;
  if (!onPath("apt-get") || process.getuid?.() !== 0) {
    console.error(
      `${why} (Debian, Ubuntu: sudo apt-get install ${missing.join(" ")}; macOS: brew install redis postgresql)`,
    );
    process.exit(1);
  }
  console.error(why);
  run("apt-get", "update", "-qq");
  run("apt-get", "install", "-y", "-qq", "--no-install-recommends", ...missing);
}

installDependencies();
build();
if (process.argv.includes("--test")) installServers();
