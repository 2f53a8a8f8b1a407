// The policies that the bench plays: one file each, for the bare loop and the jail alike.
import { join } from "node:path";
import { policies } from "../paths.ts";

export function policyFile(name: string): string {
  return join(policies, `${name}.py`);
}
