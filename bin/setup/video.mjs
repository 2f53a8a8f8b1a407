// Off-screen rendering for the videos: EGL or OSMesa of the system, else OSMesa fetched without root into .promptpo/video.
// Writes down which one works (the fleet hands it to the simulators). Never fatal: without any, videos are left out.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { runLogged } from "./commands.mjs";
import { root, stamps, venvPython, video } from "./paths.mjs";
import { onPath } from "./prerequisites.mjs";
import { writeWhole } from "./step.mjs";

export const videoFile = join(video, "video.json");
const fetched = join(video, "osmesa");
const log = join(stamps, "video.log");

/** One small picture, drawn as a simulator would draw it. */
const PROBE = `
import mujoco
m = mujoco.MjModel.from_xml_string("<mujoco><worldbody><light pos='0 0 3'/><geom size='.3'/></worldbody></mujoco>")
d = mujoco.MjData(m)
mujoco.mj_forward(m, d)
r = mujoco.Renderer(m, 32, 32)
r.update_scene(d)
assert r.render().max() > 0
r.close()
`;

/** @type {import("./step.mjs").Step} */
export const videoStep = {
  name: "video",
  title: "off-screen rendering for videos (EGL or OSMesa)",
  optional: true,
  inputs: () => [join(root, "python", "requirements.lock"), "=1"],
  present: () => existsSync(videoFile),
  async run(say) {
    mkdirSync(video, { recursive: true });
    const found = await firstThatDraws();
    writeWhole(videoFile, `${JSON.stringify(found)}\n`);
    if (found.gl === "none") say(`videos are left out: ${found.why}`);
    else say(`videos are drawn with ${found.gl}${found.libraries === "" ? "" : ", fetched into .promptpo/video"}`);
  },
};

async function firstThatDraws() {
  if (process.platform === "darwin") return { gl: "cgl", libraries: "", why: "" };
  for (const gl of ["egl", "osmesa"]) if (draws(gl, "")) return { gl, libraries: "", why: "" };
  const none = (/** @type {string} */ why) => ({ gl: "none", libraries: "", why });
  if (onPath("apt-get") === undefined || onPath("dpkg") === undefined)
    return none("neither EGL nor OSMesa works here; install Mesa's libOSMesa or libEGL, then remove .promptpo/video");
  try {
    const libraries = await fetchOsmesa();
    if (draws("osmesa", libraries)) return { gl: "osmesa", libraries, why: "" };
    return none(
      "the fetched libOSMesa does not draw; as root, `apt-get install libosmesa6`, then remove .promptpo/video",
    );
  } catch {
    return none(
      `libosmesa6 could not be fetched (${log}); as root, \`apt-get install libosmesa6\`, then remove .promptpo/video`,
    );
  }
}

/** @param {string} gl @param {string} libraries */
function draws(gl, libraries) {
  try {
    const path = [libraries, process.env["LD_LIBRARY_PATH"]].filter((part) => part !== undefined && part !== "");
    execFileSync(venvPython, ["-I", "-c", PROBE], {
      env: {
        ...process.env,
        MUJOCO_GL: gl,
        PYOPENGL_PLATFORM: gl,
        ...(path.length > 0 ? { LD_LIBRARY_PATH: path.join(":") } : {}),
      },
      stdio: "ignore",
      timeout: 60_000,
    });
    return true;
  } catch {
    return false;
  }
}

/** Downloads the packages that libOSMesa needs and the system lacks, and unpacks them. Returns the libraries' folder. */
async function fetchOsmesa() {
  const work = join(video, "fetching");
  rmSync(work, { recursive: true, force: true });
  rmSync(fetched, { recursive: true, force: true });
  mkdirSync(join(work, "lists", "partial"), { recursive: true });
  mkdirSync(join(work, "archives", "partial"), { recursive: true });
  mkdirSync(join(work, "tree"));
  const remedy = "As root: apt-get install libosmesa6";
  const download = async (/** @type {string[]} */ options) =>
    runLogged({ command: "apt-get", args: [...options, "download", ...lacking(options)], cwd: work, log, remedy });
  try {
    await download([]);
  } catch {
    // No package lists on this system, or old ones: lists of our own need no root.
    const own = [
      "-o",
      `Dir::State::Lists=${join(work, "lists")}`,
      "-o",
      `Dir::Cache=${work}`,
      "-o",
      "Debug::NoLocking=1",
    ];
    await runLogged({ command: "apt-get", args: [...own, "update"], cwd: work, log, remedy });
    await download(own);
  }
  for (const file of readdirSync(work).filter((name) => name.endsWith(".deb")))
    await runLogged({ command: "dpkg", args: ["-x", join(work, file), join(work, "tree")], cwd: work, log, remedy });
  renameSync(join(work, "tree"), fetched);
  rmSync(work, { recursive: true, force: true });
  const folder = join(fetched, "usr", "lib");
  const triplet = readdirSync(folder).find((name) =>
    readdirSync(join(folder, name)).some((file) => /^libOSMesa/.test(file)),
  );
  return join(folder, triplet ?? "");
}

/** libosmesa6 and what it depends on, less what is installed. @param {readonly string[]} options of apt */
function lacking(options) {
  const flags = ["recommends", "suggests", "conflicts", "breaks", "replaces", "enhances"].map((kind) => `--no-${kind}`);
  const output = execFileSync("apt-cache", [...options, "depends", "--recurse", ...flags, "libosmesa6"], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  const names = output.split("\n").filter((line) => /^[a-z0-9]/.test(line));
  return [...new Set(names)].filter((name) => name === "libosmesa6" || !installed(name));
}

/** @param {string} name */
function installed(name) {
  try {
    const format = "-f=$" + "{Status}"; // dpkg's own placeholder
    const status = execFileSync("dpkg-query", ["-W", format, name], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    return status.endsWith(" installed");
  } catch {
    return false;
  }
}
