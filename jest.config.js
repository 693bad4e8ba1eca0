/** @type {import("jest").Config} */
export default {
  testEnvironment: "node",
  // For those that wait for real servers; nothing waits for it when all is well.
  testTimeout: 30_000,
  roots: ["<rootDir>/test"],
  testMatch: ["**/*.test.ts"],
  extensionsToTreatAsEsm: [".ts"],
  // Sources import each other by the name they have once built.
  moduleNameMapper: { "^(\\.{1,2}/.*)\\.js$": "$1", "^exproto-gateway$": "<rootDir>/src/index.ts" },
  transform: { "^.+\\.ts$": "@swc/jest" },
  // protobuf's wire format and grpc-js come as they are.
  transformIgnorePatterns: ["/node_modules/"],
};
