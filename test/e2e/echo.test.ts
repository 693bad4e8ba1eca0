import { afterEach, expect, test } from "@jest/globals";
import { readFileSync } from "node:fs";
import { echo } from "../../examples/echo.js";
import { startStack, type Stack } from "../support/stack.js";

let stack: Stack | undefined;
afterEach(() => stack?.end());

test("examples/echo.ts is a protocol of one's own, in under 40 lines", async () => {
  stack = await startStack({ gateway: { protocol: echo } });
  const client = await stack.text();
  client.write("one\ntw");
  client.write("o\n");
  await client.sees("1: one\n2: two\n");
  await stack.stopGateway();
  await client.isClosed();
  const source = readFileSync(new URL("../../examples/echo.ts", import.meta.url), "utf8");
  expect(source.split("\n").length).toBeLessThanOrEqual(40);
});
