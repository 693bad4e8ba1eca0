/** The command in a pipe and at a terminal, against a server that does what the test says. */
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { bye, message, ok, welcome } from "../client/support/frames.js";
import {
  startScriptedServer,
  type Peer,
  type ScriptedServer,
} from "../client/support/scripted-server.js";
import { startChat } from "../support/chat-run.js";
import { eventually } from "../support/eventually.js";

let server: ScriptedServer;

beforeEach(async () => {
  server = await startScriptedServer();
});

afterEach(() => server.end());

const here = () => ["--port", String(server.port), "--user", "alice"];

async function enter(): Promise<Peer> {
  const peer = await server.accepts();
  await peer.hears("hello");
  peer.says(welcome());
  const join = await peer.hears("join");
  expect(join).toMatchObject({ room: "lobby", presence: true });
  peer.says(ok(join.ref));
  return peer;
}

describe("in a pipe", () => {
  test("says each line, shows what comes as plain lines, and ends with its input", async () => {
    const run = startChat(here());
    const peer = await enter();
    peer.says(message(1, { text: "\u001b[31mred" }));
    await eventually("the message", () => run.output.includes("bob"));
    run.types("hi\n/msg bob psst\n");
    run.ends();
    const first = await peer.hears("say");
    expect(first).toMatchObject({ room: "lobby", text: "hi" });
    peer.says(ok(first.ref));
    const second = await peer.hears("say");
    expect(second).toMatchObject({ user: "bob", text: "psst" });
    peer.says(ok(second.ref));
    await peer.hears("bye");
    peer.drops();
    expect(await run.exit).toBe(0);
    expect(run.output).toBe("[lobby] bob: \\x1b[31mred\n");
  });

  test("fails when a line could not be said", async () => {
    const run = startChat(here());
    const peer = await enter();
    run.types("/leave lobby\nhi\n");
    run.ends();
    peer.says(ok((await peer.hears("leave")).ref));
    await peer.hears("bye");
    peer.drops();
    expect(await run.exit).toBe(1);
    expect(run.errors).toContain("! hi: join lobby first");
  });

  test("fails when there is nobody to talk to", async () => {
    await server.end();
    const run = startChat(here());
    expect(await run.exit).toBe(1);
    expect(run.errors).toContain(`! can't reach 127.0.0.1:${server.port}`);
    server = await startScriptedServer();
  });

  test("fails when the server does not let it in", async () => {
    const run = startChat(here());
    const peer = await server.accepts();
    await peer.hears("hello");
    peer.says(bye("UNAUTHENTICATED"));
    expect(await run.exit).toBe(1);
    expect(run.errors).toContain("! [UNAUTHENTICATED] because");
  });

  test("ends when it is told to, and keeps the session of a client with a name", async () => {
    const run = startChat([...here(), "--client-id", "alice-1"]);
    const peer = await enter();
    await eventually("it is in", () => run.errors.includes("in lobby"));
    run.stop.abort();
    await peer.isClosed();
    expect(await run.exit).toBe(0);
  });
});

test("at a terminal, what comes moves the prompt down, in colours unless they are not wanted", async () => {
  const run = startChat(here(), true, { NO_COLOR: "1" });
  const peer = await enter();
  peer.drops();
  await eventually("the loss", () => run.output.includes("-- connection lost"));
  run.types("/quit\r");
  expect(await run.exit).toBe(0);
  expect(run.output).not.toContain("\u001b[2m");
  expect(run.errors).toBe("");
});

test("at a terminal the prompt comes back behind each line that is typed", async () => {
  const run = startChat(here(), true, { NO_COLOR: "1" });
  const peer = await enter();
  await eventually("it is in", () => run.output.includes("in lobby"));
  const before = run.output.length;
  run.types("hi\r");
  await peer.hears("say");
  expect(run.output.slice(before)).toMatch(/hi\r\n.*> /su);
  run.types("/quit\r");
  await peer.hears("bye");
  peer.drops();
  expect(await run.exit).toBe(0);
});

test("ends when nobody reads what it writes", async () => {
  const run = startChat(here());
  const peer = await enter();
  await eventually("it is in", () => run.errors.includes("in lobby"));
  run.breaks();
  await peer.hears("bye");
  peer.drops();
  expect(await run.exit).toBe(0);
});

test("--help tells the options, and is no fault", async () => {
  const run = startChat(["--help"]);
  expect(await run.exit).toBe(0);
  expect(run.output).toContain("usage: exproto-gateway chat");
  expect(run.errors).toBe("");
});

test.each([
  [["--nonsense"], "--nonsense"],
  [["--port", "x"], "--port is a number"],
  [["--user", "a/b"], "a username is"],
])("refuses %j", async (args, reason) => {
  const run = startChat(args);
  expect(await run.exit).toBe(2);
  expect(run.errors).toContain(reason);
});
