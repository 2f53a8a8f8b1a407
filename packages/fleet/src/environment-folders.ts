// PROMPTPO_ENVIRONMENTS as the user wrote it, made absolute: services run in another folder than the user. Pure.
import { delimiter, resolve } from "node:path";

/** Folders of environments, separated as in PATH; undefined where none are named. */
export function environmentFolders(named: string | undefined, from: string): string | undefined {
  const folders = (named ?? "").split(delimiter).flatMap((folder) => folder.trim() || []);
  return folders.length === 0 ? undefined : folders.map((folder) => resolve(from, folder)).join(delimiter);
}
