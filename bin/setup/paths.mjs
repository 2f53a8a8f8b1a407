// Where set-up puts things. Everything that is not npm's lies under .promptpo/, which git ignores.
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
export const state = join(root, ".promptpo");
export const stamps = join(state, "setup");
export const venv = join(state, "venv");
export const venvPython = join(venv, "bin", "python");
export const toolchain = join(root, "toolchain");
export const video = join(state, "video");
