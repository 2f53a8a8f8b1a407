// The scrape configurations against the manifests. prometheus/scrape.ts lets a real Prometheus read a real service.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { at, listAt, readYaml, type Value } from "./yaml.ts";

const folder = fileURLToPath(new URL("./", import.meta.url));
const manifests = readdirSync(join(folder, "manifests"))
  .filter((file) => file.endsWith(".yaml"))
  .flatMap((file) => readYaml(join(folder, "manifests", file)));
const templates = manifests
  .filter((document) => at(document, "kind") === "Deployment")
  .map((document) => ({ name: String(at(document, "metadata", "name")), template: at(document, "spec", "template") }));

function onlyJob(file: string): Value | undefined {
  const [config, ...more] = readYaml(join(folder, "prometheus", file));
  expect(more).toEqual([]);
  const jobs = listAt(config, "scrape_configs");
  expect(jobs).toHaveLength(1);
  return jobs[0];
}

/** A name as Prometheus makes a label of it. */
const label = (kind: string, name: string): string =>
  `__meta_kubernetes_pod_${kind}_${name.replaceAll(/[^a-z0-9]/g, "_")}`;

describe("prometheus.yml", () => {
  const job = onlyJob("prometheus.yml");

  it("looks for pods where the manifests put them", () => {
    const [discovery] = listAt(job, "kubernetes_sd_configs");
    expect(at(discovery, "role")).toBe("pod");
    const namespaces = manifests.filter((document) => at(document, "kind") === "Namespace");
    expect(at(discovery, "namespaces", "names")).toEqual(namespaces.map((each) => at(each, "metadata", "name")));
  });

  it.each(templates)(
    "reads of $name only labels that its pods have, and the port on which it has metrics",
    ({ template }) => {
      const annotations = Object.keys(at(template, "metadata", "annotations") ?? {}).map((each) =>
        label("annotation", each),
      );
      const labels = Object.keys(at(template, "metadata", "labels") ?? {}).map((each) => label("label", each));
      const known = [
        ...annotations,
        ...labels,
        label("container", "port_name"),
        "__meta_kubernetes_pod_ip",
        "__meta_kubernetes_pod_name",
      ];
      for (const rule of listAt(job, "relabel_configs")) {
        for (const source of listAt(rule, "source_labels")) expect(known).toContain(source);
      }
      const [container] = listAt(template, "spec", "containers");
      const port = listAt(container, "ports").find((each) => at(each, "name") === "metrics");
      expect(at(template, "metadata", "annotations", "prometheus.io/scrape")).toBe("true");
      expect(at(template, "metadata", "annotations", "prometheus.io/port")).toBe(String(at(port, "containerPort")));
      const listen = listAt(container, "env").find((each) => at(each, "name") === "PROMPTPO_METRICS_LISTEN");
      expect(at(listen, "value")).toBe(`0.0.0.0:${String(at(port, "containerPort"))}`);
    },
  );

  it("is let through by the network policies", () => {
    const policy = manifests.find(
      (each) => at(each, "kind") === "NetworkPolicy" && at(each, "metadata", "name") === "metrics",
    );
    const [rule] = listAt(policy, "spec", "ingress");
    expect(listAt(rule, "ports")).toEqual([{ protocol: "TCP", port: 9464 }]);
  });
});

describe("prometheus-loopback.yml", () => {
  it("names the same services, on ports of this machine that differ", () => {
    const targets = listAt(onlyJob("prometheus-loopback.yml"), "static_configs");
    expect(targets.map((each) => at(each, "labels", "service")).sort()).toEqual(
      templates.map(({ name }) => name).sort(),
    );
    const addresses = targets.flatMap((each) => listAt(each, "targets"));
    expect(new Set(addresses).size).toBe(targets.length);
    for (const address of addresses) expect(address).toMatch(/^127\.0\.0\.1:\d+$/);
  });
});
