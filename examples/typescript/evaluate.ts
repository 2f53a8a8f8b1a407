// Runs a policy on five seeds and prints an episode a line:
//   node evaluate.ts [ENVIRONMENT] [POLICY.py]
import { readFileSync } from "node:fs";
import { connect, FleetError, type rollout } from "@promptpo/client";

const [id = "NoiseWorld-0", file] = process.argv.slice(2);

// The addresses come from PROMPTPO_ROLLOUT and the like; connect({ rollout: "host:port" }) says them here.
await using fleet = connect();
try {
  const environment = await fleet.environment(id);
  const policySource = file === undefined ? idlePolicy(environment) : readFileSync(file, "utf8");

  const { episodes, summary } = await fleet.evaluate({ environment: id, policySource, seeds: [0n, 1n, 2n, 3n, 4n] });
  for (const { seed, returnValue, success, length, error } of episodes) {
    console.log(`seed ${seed}: return ${returnValue}, ${length} steps${success ? ", success" : ""}`);
    // A policy's failure is a result of its episode; only the fleet's own failures are thrown.
    if (error !== undefined) console.log(`  failed at step ${error.step}: ${error.message}`);
  }
  console.log(`mean return ${summary.meanReturn}, success rate ${summary.successRate}`);
} catch (error) {
  if (!(error instanceof FleetError)) throw error;
  console.error(`${error.reason}: ${error.message}`);
  process.exitCode = 1;
}

/** A policy for any environment, made from its description: the middle of every action's bounds, or action 0. */
function idlePolicy({ policyClass, actionSpace }: rollout.Environment): string {
  const { kind = "discrete", low = [], high = [], shape = [] } = actionSpace ?? {};
  const middle = low.map((least, i) => (least + (high[i] ?? least)) / 2);
  const action =
    kind === "box" ? `np.array(${JSON.stringify(middle)}).reshape(${JSON.stringify(shape.map(Number))})` : "0";
  return `import numpy as np\n\nclass ${policyClass}:\n    def act(self, obs):\n        return ${action}\n`;
}
