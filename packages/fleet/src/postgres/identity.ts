// Under which identity the database runs. PostgreSQL refuses root, so as root we become nobody inside
// a user namespace: no user is added, no file changes its owner, folders closed to others stay
// reachable. Where namespaces are refused, root can still give the server a user id that the system
// already has, with programs and data in a folder of its own. What is left over is told with a remedy.
import { execFileSync, spawnSync } from "node:child_process";
import { userInfo } from "node:os";
import { FleetProblem } from "../problem.ts";

export type Identity =
  | { readonly kind: "plain" }
  | { readonly kind: "namespace" }
  | { readonly kind: "user"; readonly uid: number; readonly gid: number };

const NAMESPACE = ["unshare", "--user", "--map-user=65534", "--map-group=65534", "--"] as const;

export function chooseIdentity(forced?: Identity["kind"]): Identity {
  const isRoot = process.getuid?.() === 0;
  if (forced === "plain" || (forced === undefined && !isRoot && hasName())) return { kind: "plain" };
  if (forced === "namespace" || (forced === undefined && canUnshare())) return { kind: "namespace" };
  const nobody = isRoot ? idOf("nobody") : undefined;
  if (nobody !== undefined) return { kind: "user", ...nobody };
  throw new FleetProblem(
    isRoot
      ? "PostgreSQL does not run as root, this system refuses user namespaces, and it has no user `nobody`"
      : "this user id has no name in /etc/passwd, which PostgreSQL asks for, and user namespaces are refused",
    "Run as an ordinary user, or set DATABASE_URL to a PostgreSQL server of your own (15 or newer).",
  );
}

/**
 * The argument vector that runs a program under the identity. With `dieWithParent` the kernel sends
 * SIGINT (a fast, clean shutdown) when the process that started it dies, so that a killed fleet leaves
 * no server behind; where util-linux lacks that, the next start finds the orphan by its pid file.
 */
export function commandFor(
  identity: Identity,
  program: string,
  args: readonly string[],
  dieWithParent: boolean,
): string[] {
  const lifeline = dieWithParent && canFollowParent() ? ["setpriv", "--pdeathsig", "SIGINT", "--"] : [];
  return [...(identity.kind === "namespace" ? NAMESPACE : []), ...lifeline, program, ...args];
}

/** initdb wants to know the user's name; a container may run under an id without one. */
function hasName(): boolean {
  try {
    return userInfo().username !== "";
  } catch {
    return false;
  }
}

function canUnshare(): boolean {
  return process.platform === "linux" && succeeds([...NAMESPACE, "true"]);
}

let followsParent: boolean | undefined;
function canFollowParent(): boolean {
  followsParent ??= process.platform === "linux" && succeeds(["setpriv", "--pdeathsig", "SIGINT", "--", "true"]);
  return followsParent;
}

function succeeds(command: readonly string[]): boolean {
  const [program = "false", ...args] = command;
  return spawnSync(program, args, { stdio: "ignore", timeout: 10_000 }).status === 0;
}

function idOf(name: string): { uid: number; gid: number } | undefined {
  try {
    const id = (flag: string) =>
      Number(execFileSync("id", [flag, name], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }));
    return { uid: id("-u"), gid: id("-g") };
  } catch {
    return undefined;
  }
}
