// Does what the README tells a new user to do, and checks what they would see: npm start, two people
// with nc, an ndjson program, mosquitto_sub and mosquitto_pub, all in one room; then Ctrl-C.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";

const root = new URL("..", import.meta.url).pathname;
const GIVE_UP_AFTER_MS = 120_000;
const children = new Set();

function start(command, args) {
  const child = spawn(command, args, {
    cwd: root,
    stdio: ["pipe", "pipe", "pipe"],
    detached: true,
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text) => (output += text));
  }
  children.add(child);
  const exited = once(child, "exit").then(([code]) => {
    children.delete(child);
    return code;
  });
  return {
    child,
    exited,
    types: (line) => child.stdin.write(`${line}\n`),
    async sees(text) {
      const giveUpAt = Date.now() + GIVE_UP_AFTER_MS;
      while (!output.includes(text)) {
        if (Date.now() > giveUpAt || (child.exitCode !== null && !output.includes(text))) {
          throw new Error(`${command} ${args.join(" ")} never showed "${text}" but:\n${output}`);
        }
        await delay(20);
      }
      console.log(`  ${command}: ${text}`);
    },
  };
}

async function main() {
  const gateway = start("npm", ["start"]);
  await gateway.sees("Ctrl-C stops it.");

  const sub = start("mosquitto_sub", ["-p", "1883", "-t", "chat/room/lobby", "-v"]);
  const alice = start("nc", ["127.0.0.1", "7993"]);
  alice.types("/login alice");
  await alice.sees("ok welcome, alice-");
  alice.types("/join lobby");
  await alice.sees("ok joined lobby");

  const bob = start("nc", ["127.0.0.1", "7993"]);
  bob.types("/login bob\n/join lobby");
  await bob.sees("ok joined lobby");
  await alice.sees("* bob joined lobby");
  bob.types("hi, grüße 🎉");
  await alice.sees("[lobby] bob: hi, grüße 🎉");
  await sub.sees("chat/room/lobby hi, grüße 🎉");

  const pub = start("mosquitto_pub", ["-p", "1883", "-t", "chat/room/lobby", "-m", "hi from MQTT"]);
  if ((await pub.exited) !== 0) throw new Error("mosquitto_pub failed");
  await alice.sees("hi from MQTT");
  await bob.sees("hi from MQTT");

  const bot = start("nc", ["127.0.0.1", "7993"]);
  bot.types('{"hello":{"username":"bot"}}\n{"join":{"ref":1,"room":"lobby"}}');
  await bot.sees('{"ok":{"ref":1,"recoverable":true}}');

  const chat = () =>
    start("node", ["dist/main.js", "chat", "--user", "carol", "--client-id", "carol-1"]);
  const carol = chat();
  await alice.sees("* carol joined lobby");
  carol.types("hi from a client that forgets nothing");
  await alice.sees("[lobby] carol: hi from a client that forgets nothing");
  process.kill(carol.child.pid, "SIGTERM");
  await alice.sees("* carol left lobby");
  bob.types("did you miss me?");
  await alice.sees("[lobby] bob: did you miss me?");
  const again = chat();
  await again.sees("did you miss me?");
  alice.types("/history lobby 3");
  await alice.sees("hi from MQTT");
  alice.types("/who");
  await alice.sees("- lobby: ");
  alice.types("/quit");
  await bob.sees("* alice left lobby");

  process.kill(-gateway.child.pid, "SIGINT");
  await bob.sees("! bye SHUTTING_DOWN");
  await gateway.exited;

  const exported = start("node", ["dist/main.js", "archive", "export", "lobby"]);
  await exported.sees("did you miss me?");
  if ((await exported.exited) !== 0) throw new Error("archive export failed");
}

function killAll() {
  for (const child of children) process.kill(-child.pid, "SIGKILL");
}

// What hangs must not outlive the run.
setTimeout(() => {
  killAll();
  throw new Error("smoke: not done in time");
}, 2 * GIVE_UP_AFTER_MS).unref();

try {
  await main();
  console.log("smoke: what the README shows works");
} finally {
  killAll();
}
