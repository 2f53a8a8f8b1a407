// Writes the wire bytes of every golden message anew from its JSON: `node packages/contracts/src/write-golden.ts`.
// To be run after a golden JSON was added or a contract was widened; a change to bytes that exist already is a broken contract.
import { writeFileSync } from "node:fs";
import { goldens } from "./golden.ts";
import { bytesOfProtoJson } from "./proto-json.ts";

for (const { typeName, json, bytesUrl } of goldens()) writeFileSync(bytesUrl, bytesOfProtoJson(typeName, json));
