// What must hold of deploy/manifests: the API server would take every document, and no pod could harm a node or tell a secret.
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { python } from "../scripts/steps.ts";
import { at, listAt, readYaml, type Value } from "./yaml.ts";

const root = fileURLToPath(new URL("../", import.meta.url));
const folder = fileURLToPath(new URL("./manifests/", import.meta.url));
const files = readdirSync(folder).filter((file) => file.endsWith(".yaml"));
const documents = files.flatMap((file) => readYaml(join(folder, file)));
const services = ["llm-gateway", "optimizer", "rollout"];

const ofKind = (kind: string): Value[] => documents.filter((document) => at(document, "kind") === kind);
const nameOf = (value: Value | undefined): string => String(at(value, "metadata", "name") ?? at(value, "name"));
const podOf = (deployment: Value): Value | undefined => at(deployment, "spec", "template", "spec");
const deployments = ofKind("Deployment").map((deployment) => ({ name: nameOf(deployment), deployment }));

const containers = deployments.flatMap(({ name, deployment }) =>
  ["initContainers", "containers"].flatMap((list) =>
    listAt(podOf(deployment), list).map((container) => ({
      name: `${name}/${nameOf(container)}`,
      container,
      pod: podOf(deployment),
    })),
  ),
);

function env(container: Value, variable: string): Value | undefined {
  return listAt(container, "env").find((entry) => at(entry, "name") === variable);
}

describe.each(files)("%s", (file) => {
  it("is accepted by the strict schemas of Kubernetes", () => {
    const path = join(folder, file);
    const output = execFileSync(python, ["-m", "kubernetes_validate", "--strict", path], { encoding: "utf8" });
    expect(output.match(/ passed for /g)?.length).toBe(readYaml(path).length);
  });
});

it("a schema violation is seen: the validator is not asleep", () => {
  const wrong = `${JSON.stringify({ apiVersion: "v1", kind: "Service", metadata: { name: "x" }, spec: { prots: [] } })}\n`;
  const check =
    "import sys, yaml, kubernetes_validate as k; k.validate(yaml.safe_load(sys.stdin), '1.37', strict=True)";
  expect(() => execFileSync(python, ["-c", check], { input: wrong, stdio: "pipe" })).toThrow(/prots/);
});

describe.each(services)("%s", (name) => {
  it("has a deployment, a headless service and an account of its own", () => {
    for (const kind of ["Deployment", "Service", "ServiceAccount"]) {
      expect(ofKind(kind).filter((each) => nameOf(each) === name)).toHaveLength(1);
    }
    const service = ofKind("Service").find((each) => nameOf(each) === name);
    expect(at(service, "spec", "clusterIP")).toBe("None");
    const deployment = ofKind("Deployment").find((each) => nameOf(each) === name);
    const labels = at(deployment, "spec", "template", "metadata", "labels");
    for (const [key, value] of Object.entries(at(service, "spec", "selector") ?? {}))
      expect(at(labels, key)).toBe(value);
  });

  it("is reached by nobody whom a network policy does not name", () => {
    const policies = ofKind("NetworkPolicy");
    const open = policies.find((each) => nameOf(each) === "deny-all");
    expect(at(open, "spec", "podSelector")).toEqual({});
    expect(at(open, "spec", "policyTypes")).toEqual(["Ingress", "Egress"]);
    const own = policies.find((each) => nameOf(each) === name);
    expect(at(own, "spec", "podSelector", "matchLabels", "app.kubernetes.io/name")).toBe(name);
    for (const rule of listAt(own, "spec", "ingress")) expect(listAt(rule, "from")).not.toHaveLength(0);
  });
});

describe.each(deployments)("the pod of $name", ({ name, deployment }) => {
  const pod = podOf(deployment);

  it("runs as an ordinary user, under the runtime's seccomp profile, without an API token", () => {
    expect(at(pod, "securityContext", "runAsNonRoot")).toBe(true);
    expect(at(pod, "securityContext", "runAsUser")).toBe(10001);
    expect(at(pod, "securityContext", "seccompProfile", "type")).toBe("RuntimeDefault");
    expect(at(pod, "automountServiceAccountToken")).toBe(false);
    expect(at(pod, "serviceAccountName")).toBe(name);
    for (const key of ["hostNetwork", "hostPID", "hostIPC"]) expect(at(pod, key)).toBeUndefined();
    for (const volume of listAt(pod, "volumes")) expect(at(volume, "hostPath")).toBeUndefined();
  });

  it("gets the time to drain that it is told to take", () => {
    const [main] = listAt(pod, "containers");
    const drainMs = Number(at(env(main ?? null, "PROMPTPO_DRAIN_MS"), "value"));
    const before = Number(at(main, "lifecycle", "preStop", "sleep", "seconds"));
    // 15 s: what service-kit allows for closing after the drain.
    expect(Number(at(pod, "terminationGracePeriodSeconds"))).toBeGreaterThan(before + drainMs / 1000 + 15);
  });
});

describe.each(containers)("the container $name", ({ container, pod }) => {
  it("can neither gain rights nor write into its image", () => {
    expect(at(container, "securityContext")).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    });
  });

  it("says what it needs and has a bound on memory", () => {
    expect(at(container, "resources", "requests", "cpu")).toBeDefined();
    expect(at(container, "resources", "requests", "memory")).toBeDefined();
    expect(at(container, "resources", "limits", "memory")).toBeDefined();
  });

  it("is watched while it starts and while it runs", () => {
    expect(at(container, "startupProbe")).toBeDefined();
    expect(at(container, "livenessProbe")).toBeDefined();
  });

  it("names a fixed image and writes only into volumes that exist", () => {
    expect(String(at(container, "image"))).toMatch(/^promptpo\/[a-z-]+:\d+\.\d+\.\d+$/);
    const volumes = listAt(pod, "volumes").map((volume) => nameOf(volume));
    const mounts = listAt(container, "volumeMounts");
    expect(mounts.map((mount) => at(mount, "mountPath"))).toContain("/tmp");
    for (const mount of mounts) expect(volumes).toContain(nameOf(mount));
  });

  it("holds no secret's text", () => {
    for (const entry of listAt(container, "env")) {
      if (!/KEY|TOKEN|SECRET|PASSWORD|DATABASE_URL/.test(nameOf(entry))) continue;
      expect(at(entry, "value")).toBeUndefined();
      expect(at(entry, "valueFrom", "secretKeyRef", "key")).toBeDefined();
    }
  });
});

describe("secrets", () => {
  it("no manifest carries one, and no text looks like one", () => {
    expect(ofKind("Secret")).toHaveLength(0);
    for (const file of files) {
      expect(readFileSync(join(folder, file), "utf8")).not.toMatch(
        /sk-[A-Za-z0-9]{8}|postgres(ql)?:\/\/|BEGIN [A-Z ]*KEY/,
      );
    }
  });

  it("every one that is asked for is told of in the folder's README", () => {
    const readme = readFileSync(join(dirname(folder), "README.md"), "utf8");
    for (const { container } of containers) {
      for (const entry of listAt(container, "env")) {
        const reference = at(entry, "valueFrom", "secretKeyRef");
        if (reference === undefined) continue;
        expect(readme).toContain(String(at(reference, "name")));
        expect(readme).toContain(`${String(at(reference, "key"))}=`);
      }
    }
  });
});

describe("settings", () => {
  const settingsIn = (path: string): string[] =>
    [...readFileSync(join(root, path), "utf8").matchAll(/\benv: "([A-Z][A-Z0-9_]*)"/g)].map(([, name]) => name ?? "");

  it.each(services)("of %s are such that the service knows", (name) => {
    const known = [
      ...settingsIn("packages/service-kit/src/config/base-config.ts"),
      ...settingsIn(`services/${name}/config.ts`),
    ];
    const main = containers.find((each) => each.name === `${name}/${name}`);
    const given = listAt(main?.container, "env").map((entry) => nameOf(entry));
    expect(given).not.toHaveLength(0);
    // POD_IP is no setting: other values of the manifest are made of it.
    for (const setting of given) if (setting !== "POD_IP") expect(known).toContain(setting);
  });
});

describe("services and their probes", () => {
  it.each([
    ["llm-gateway", "promptpo.llm.v1.LlmGateway"],
    ["optimizer", "promptpo.optimizer.v1.Optimizer"],
    ["rollout", "promptpo.rollout.v1.RolloutService"],
  ])("%s is ready when gRPC health says so of %s", (name, service) => {
    const main = containers.find((each) => each.name === `${name}/${name}`);
    expect(at(main?.container, "readinessProbe", "grpc")).toEqual({ port: 50051, service });
    expect(at(env(main?.container ?? null, "PROMPTPO_LISTEN"), "value")).toBe("0.0.0.0:50051");
  });
});

describe("the simulators of a rollout pod", () => {
  const sidecars = containers.filter(({ container }) => at(container, "restartPolicy") === "Always");

  it("are native sidecars on loopback, all known to the service, none with a secret", () => {
    const addresses = sidecars.map(({ container }) => String(listAt(container, "args")[1]));
    expect(addresses.length).toBeGreaterThan(0);
    for (const address of addresses) expect(address).toMatch(/^127\.0\.0\.1:\d+$/);
    const service = containers.find(({ name }) => name === "rollout/rollout")?.container;
    expect(at(env(service ?? null, "PROMPTPO_SIDECAR_TARGETS"), "value")).toBe(addresses.join(","));
    for (const { container } of sidecars) expect(listAt(container, "env")).toEqual([]);
  });

  it("are asked at the address at which they listen", () => {
    for (const { container } of sidecars) {
      const [, address] = listAt(container, "args");
      for (const probe of ["startupProbe", "livenessProbe"]) {
        expect(listAt(container, probe, "exec", "command").at(-1)).toBe(address);
      }
    }
  });
});
