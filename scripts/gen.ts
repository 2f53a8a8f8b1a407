// Writes everything that is generated from proto/: TypeScript (ts-proto), the reflection image, Python stubs.
// `--check` writes into a scratch folder instead and fails when the committed files are not in step.
import "./pinned.ts";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const python = join(root, ".promptpo/venv/bin/python");
const packages = ["types", "llm", "rollout", "optimizer", "sim"];

const tsProto = {
  local: "protoc-gen-ts_proto",
  include_imports: true,
  opt: [
    "outputServices=grpc-js",
    "esModuleInterop=true",
    "importSuffix=.ts",
    "env=node",
    "forceLong=bigint",
    "oneof=unions-value",
    "enumsAsLiterals=true",
    "useExactTypes=false",
    "useOptionals=messages",
    "unrecognizedEnum=true",
    "useDate=false",
  ],
};

function run(command: string, args: readonly string[], cwd: string): void {
  const folders = [join(root, "node_modules/.bin"), dirname(process.execPath), dirname(python), process.env["PATH"]];
  execFileSync(command, args, {
    cwd,
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, PATH: folders.join(":") },
  });
}

/** ts-proto leaves out a double that equals 0, and so loses the sign of -0.0, which other languages' codecs keep. */
function keepMinusZero(file: string): void {
  const source = readFileSync(file, "utf8");
  writeFileSync(
    file,
    source.replaceAll(
      /if \((message\.\w+) !== 0\) \{(\s+writer\.uint32\(\d+\)\.double)/g,
      "if (!Object.is($1, 0)) {$2",
    ),
  );
}

function filesBelow(folder: string, ending = ""): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(ending) && !entry.parentPath.includes("__pycache__"))
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
}

function generate(tsOut: string, pyOut: string): void {
  mkdirSync(tsOut, { recursive: true });
  mkdirSync(pyOut, { recursive: true });
  const proto = join(root, "proto");
  run(
    "buf",
    ["generate", "--template", JSON.stringify({ version: "v2", plugins: [{ ...tsProto, out: tsOut }] })],
    proto,
  );
  for (const file of filesBelow(tsOut, ".ts")) keepMinusZero(join(tsOut, file));
  run("buf", ["build", "-o", join(tsOut, "image.binpb")], proto);
  const sources = filesBelow(join(proto, "promptpo"), ".proto").map((file) => join("promptpo", file));
  const outs = ["python", "grpc_python", "mypy", "mypy_grpc"].map((kind) => `--${kind}_out=${pyOut}`);
  run(python, ["-m", "grpc_tools.protoc", "-I", ".", ...outs, ...sources], proto);
  for (const name of packages) {
    writeFileSync(join(pyOut, "promptpo", name, "v1/__init__.py"), "");
    const init = join(pyOut, "promptpo", name, "__init__.py");
    if (!existsSync(init)) writeFileSync(init, "");
  }
}

// Every generated file, by path below the root.
function generatedFiles(tsOut: string, pyOut: string): Map<string, Buffer> {
  const files = new Map<string, Buffer>();
  for (const file of filesBelow(tsOut))
    files.set(`packages/contracts/src/gen/${file}`, readFileSync(join(tsOut, file)));
  for (const name of packages) {
    const folder = join(pyOut, "promptpo", name, "v1");
    for (const file of filesBelow(folder))
      files.set(`python/promptpo/${name}/v1/${file}`, readFileSync(join(folder, file)));
  }
  return files;
}

const tsTarget = join(root, "packages/contracts/src/gen");
const pyTarget = join(root, "python");

if (process.argv.includes("--check")) {
  const scratch = mkdtempSync(join(tmpdir(), "promptpo-gen-"));
  try {
    generate(join(scratch, "ts"), join(scratch, "py"));
    const fresh = generatedFiles(join(scratch, "ts"), join(scratch, "py"));
    const committed = generatedFiles(tsTarget, pyTarget);
    const stale = [...new Set([...fresh.keys(), ...committed.keys()])]
      .filter((file) => !fresh.get(file)?.equals(committed.get(file) ?? Buffer.alloc(0)))
      .filter((file) => fresh.get(file)?.length !== 0 || committed.get(file)?.length !== 0)
      .sort();
    if (stale.length > 0) {
      console.error(`not in step with proto/: ${stale.join(", ")}\nrun: npm run gen`);
      process.exitCode = 1;
    }
  } finally {
    rmSync(scratch, { recursive: true });
  }
} else {
  rmSync(tsTarget, { recursive: true, force: true });
  for (const name of packages) rmSync(join(pyTarget, "promptpo", name, "v1"), { recursive: true, force: true });
  generate(tsTarget, pyTarget);
}
