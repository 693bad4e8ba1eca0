/** Authenticate, and what a client may do afterwards, as EMQX 5.8 decides. */
import { describe, expect, test } from "@jest/globals";
import { eventually } from "../support/eventually.js";
import {
  denied,
  publish,
  rpcCrashed,
  send,
  subscribe,
  success,
  unexpected,
  type Answer,
  type Call,
} from "./support/adapter-calls.js";
import { useWorlds, type Client } from "./support/world.js";

const startWorld = useWorlds();

describe("Authenticate", () => {
  const users = [{ username: "alice", password: "secret" }];

  test("again after success is a duplicate", async () => {
    const world = await startWorld();
    const { conn } = await world.login("client");
    expect(await world.authenticate(conn)).toEqual(denied(`<<"Duplicated authenticate command">>`));
  });

  test("without clientinfo crashes the call, not the connection", async () => {
    const world = await startWorld();
    const { conn } = await world.connect();
    await expect(
      world.adapter.Authenticate({ conn, password: "", clientinfo: undefined }),
    ).rejects.toMatchObject(rpcCrashed);
    expect(await world.authenticate(conn)).toEqual(success);
  });

  test.each([
    ["proto_name", { protoName: "" }],
    ["proto_ver", { protoVer: "" }],
    ["client id", { clientid: "" }],
  ])("with an empty %s succeeds", async (_name, clientinfo) => {
    const world = await startWorld();
    const { conn } = await world.connect();
    expect(await world.authenticate(conn, clientinfo)).toEqual(success);
  });

  test("an empty client id is one like any other: the second discards the first", async () => {
    const world = await startWorld();
    const { conn } = await world.login("");
    await world.login("");
    expect(await world.closeReason(conn)).toBe("{shutdown,discarded}");
  });

  test.each([
    ["an unknown user", "mallory", "secret", "not_authorized"],
    ["no user", "", "", "not_authorized"],
    ["a wrong password", "alice", "guess", "bad_username_or_password"],
    ["no password", "alice", "", "bad_username_or_password"],
  ])("with %s is denied, and may be tried again", async (_name, username, password, message) => {
    const world = await startWorld({ users });
    const { conn } = await world.connect();
    expect(await world.authenticate(conn, { username }, password)).toEqual(denied(message));
    expect(await publish("a")(world, conn)).toEqual(unexpected);
    expect(await world.authenticate(conn, { username: "alice" }, "secret")).toEqual(success);
  });

  test("as of another protocol asks for no password, as EMQX fails open", async () => {
    const world = await startWorld({ users });
    const { conn } = await world.connect();
    const clientinfo = { username: "mallory", protoName: "chat" };
    expect(await world.authenticate(conn, clientinfo, "guess")).toEqual(success);
  });

  test("as of no protocol does ask for the password", async () => {
    const world = await startWorld({ users });
    const { conn } = await world.connect();
    const clientinfo = { username: "alice", protoName: "" };
    expect(await world.authenticate(conn, clientinfo, "guess")).toEqual(
      denied("bad_username_or_password"),
    );
  });

  test("ten connections with one client id at once: one of them keeps it", async () => {
    const world = await startWorld();
    const clients = await Promise.all(Array.from({ length: 10 }, () => world.connect()));
    await Promise.all(clients.map(({ conn }) => world.authenticate(conn)));
    await eventually("one is left", () => world.host.stats().connections === 1);
    expect(world.host.stats().clients).toBe(1);
    const alive = async ({ conn }: Client) => (await send(world, conn)).code === "SUCCESS";
    const kept = await Promise.all(clients.map(alive));
    expect(kept.filter(Boolean)).toHaveLength(1);
  });
});

describe("permissions", () => {
  const acl = [
    { permission: "deny", action: "publish", topics: ["news/#"] },
    { permission: "deny", action: "subscribe", topics: ["secret/+"] },
    { permission: "deny", action: "all", clientId: "eve", topics: ["#"] },
    { permission: "allow", action: "all", username: "root", topics: ["closed"] },
    { permission: "deny", action: "all", topics: ["closed"] },
  ] as const;
  const refused = denied(`<<"Authorization deny">>`);

  test.each<[string, string, string, Call, Answer]>([
    ["Publish where that is denied", "bob", "", publish("news/today"), refused],
    ["Publish one level up", "bob", "", publish("news"), refused],
    ["Subscribe where only Publish is denied", "bob", "", subscribe("news/today"), success],
    ["Subscribe where that is denied", "bob", "", subscribe("secret/a"), refused],
    ["Publish where only Subscribe is denied", "bob", "", publish("secret/a"), success],
    ["Publish where no rule fits", "bob", "", publish("any"), success],
    ["Publish of a client that a rule names", "eve", "", publish("any"), refused],
    ["Subscribe of a client that a rule names", "eve", "", subscribe("any"), refused],
    ["Publish of a user whom an earlier rule allows it", "bob", "root", publish("closed"), success],
    ["Publish of a user whom a later rule denies it", "bob", "bob", publish("closed"), refused],
  ])("%s", async (_name, clientid, username, call, answer) => {
    const world = await startWorld({ acl });
    const { conn } = await world.login(clientid, username);
    expect(await call(world, conn)).toEqual(answer);
    expect(await send(world, conn)).toEqual(success);
  });
});
