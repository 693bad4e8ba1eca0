import { expect, test } from "@jest/globals";
import { parseUptimeMs } from "../../src/hook/exhook-v1.js";

test.each<readonly [string, number | undefined]>([
  ["0 seconds", 0],
  ["59 seconds", 59_000],
  ["1 minutes, 1 seconds", 61_000],
  ["2 hours, 0 minutes, 5 seconds", 7_205_000],
  ["1 days, 2 hours, 3 minutes, 4 seconds", 93_784_000],
  ["1 day, 1 hour, 1 minute, 1 second", 90_061_000],
  ["", undefined],
  ["long", undefined],
  ["5 weeks, 1 seconds", undefined],
  ["5", undefined],
])("an uptime of %j is %s ms", (text, uptimeMs) => {
  expect(parseUptimeMs(text)).toBe(uptimeMs);
});
