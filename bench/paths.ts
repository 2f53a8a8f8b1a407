// Where the bench finds and puts things.
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
export const benchPython = join(root, "bench", "python");
export const policies = join(root, "bench", "policies");
/** What it installs; git ignores it. */
export const state = join(root, ".promptpo", "bench");
/** The lock set's interpreter: ours, and the peers that are among its packages. */
export const lockedPython = join(root, ".promptpo", "venv", "bin", "python");
