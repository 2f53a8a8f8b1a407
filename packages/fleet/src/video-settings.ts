// How sidecars draw, as set-up found out (bin/setup/video.mjs writes it down). Empty where nothing draws, or set-up did not run.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

const Found = z.object({ gl: z.string(), libraries: z.string(), why: z.string() });

export interface VideoSettings {
  readonly env: Readonly<Record<string, string>>;
  /** Why there are no videos; empty when there are. */
  readonly why: string;
}

export function videoSettings(root: string): VideoSettings {
  let found: z.infer<typeof Found>;
  try {
    found = Found.parse(JSON.parse(readFileSync(join(root, ".promptpo", "video", "video.json"), "utf8")));
  } catch {
    return { env: {}, why: "" };
  }
  if (found.gl !== "egl" && found.gl !== "osmesa") return { env: {}, why: found.why };
  return {
    env: { MUJOCO_GL: found.gl, ...(found.libraries === "" ? {} : { PROMPTPO_OSMESA: found.libraries }) },
    why: "",
  };
}
