/** A protocol of one's own, whole: every line comes back, with the line's number before it. */
import { pathToFileURL } from "node:url";
import { createGateway, type Effect, type Protocol } from "exproto-gateway";

export const echo: Protocol = {
  name: "echo",
  farewell: () => new Uint8Array(),
  accept() {
    let rest = "";
    let count = 0;
    return {
      get pendingBytes() {
        return rest.length;
      },
      handle(event): Effect[] {
        if (event.kind === "opened") return [{ kind: "keepalive", seconds: 60 }];
        if (event.kind === "shutdown") return [{ kind: "close" }];
        if (event.kind !== "bytes") return [];
        const lines = (rest + Buffer.from(event.bytes).toString("latin1")).split("\n");
        rest = lines.pop() ?? "";
        return lines.map((line) => {
          count += 1;
          return { kind: "send", bytes: Buffer.from(`${count}: ${line}\n`, "latin1") };
        });
      },
    };
  },
};

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const gateway = await createGateway({ protocol: echo });
  process.stdout.write(`echo: waiting for EMQX on port ${gateway.port}\n`);
}
