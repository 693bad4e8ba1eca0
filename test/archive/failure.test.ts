import { describe, expect, test } from "@jest/globals";
import { toGatewayError } from "../../src/archive/failure.js";
import { GatewayError } from "../../src/errors.js";

const sql = (code: string) => Object.assign(new Error("said"), { name: "error", code });

describe("an error of the database", () => {
  test.each([
    ["28P01", "UNAVAILABLE"],
    ["25006", "UNAVAILABLE"],
    ["3D000", "UNAVAILABLE"],
    ["40P01", "UNAVAILABLE"],
    ["42501", "UNAVAILABLE"],
    ["42P01", "UNAVAILABLE"],
    ["53100", "UNAVAILABLE"],
    ["57014", "UNAVAILABLE"],
    ["57P01", "UNAVAILABLE"],
    ["XX001", "UNAVAILABLE"],
    ["22021", "INTERNAL"],
    ["23502", "INTERNAL"],
    ["42601", "INTERNAL"],
    ["42703", "INTERNAL"],
    ["54000", "INTERNAL"],
  ])("of SQLSTATE %s is %s", (state, code) => {
    expect(toGatewayError(sql(state))).toMatchObject({
      code,
      cause: { message: `SQL ${state}: said` },
    });
  });

  test.each([
    [Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" }), "UNAVAILABLE"],
    [new Error("Connection terminated unexpectedly"), "UNAVAILABLE"],
    [Object.assign(new Error("unreachable"), { name: "RuntimeError" }), "UNAVAILABLE"],
    [new TypeError("x is not a function"), "INTERNAL"],
    [new RangeError("out of range"), "INTERNAL"],
  ])("%s is %s", (error, code) => {
    expect(toGatewayError(error)).toMatchObject({
      code,
      cause: { message: `SQL: ${error.message}` },
    });
  });

  test("without a text shows its code", () => {
    const refused = Object.assign(new AggregateError([]), { code: "ECONNREFUSED" });
    expect(toGatewayError(refused)).toMatchObject({ cause: { message: "SQL: ECONNREFUSED" } });
  });

  test("leaves behind what hangs on it: the statement's values", () => {
    const error = Object.assign(sql("22021"), { params: ["a secret"], query: "INSERT" });
    const { cause } = toGatewayError(error);
    expect(Object.keys(cause as Error)).toEqual([]);
  });

  test("that is ours stays as it is", () => {
    const error = new GatewayError("UNAVAILABLE", "away");
    expect(toGatewayError(error)).toBe(error);
  });
});
