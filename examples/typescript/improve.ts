// Lets a model write and improve a policy, watches it, and prints the best one:
//   node improve.ts [ENVIRONMENT] [MODEL]
import { connect, FleetError, optimizer } from "@promptpo/client";

const [environment = "NoiseWorld-0", model = "gpt-x"] = process.argv.slice(2);

await using fleet = connect(); // PROMPTPO_OPTIMIZER
try {
  const { id } = await fleet.createRun({ environment, model, rounds: 3, candidates: 4 }, { displayName: "example" });
  console.log(`${id} started`);

  // Ends with the run. A connection that breaks, or an optimizer that restarts, is waited for; no event is lost or told twice.
  for await (const { event, run } of fleet.watchRun(id)) {
    console.log(`${event.sequence} ${event.place}: ${event.kind?.$case ?? "nothing"}, round ${run.round}`);
  }

  const { state, result, cause } = await fleet.run(id);
  console.log(optimizer.runStateToJSON(state), cause);
  console.log(`held-out return ${result?.heldoutScore?.meanReturn}, success rate ${result?.heldoutScore?.successRate}`);
  console.log(result?.source);
} catch (error) {
  if (!(error instanceof FleetError)) throw error;
  console.error(`${error.reason}: ${error.message}`);
  process.exitCode = 1;
}
