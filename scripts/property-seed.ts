// Properties are tried on the same cases each time, so that a red build is about the change that made it red. To look for new
// counterexamples: PROMPTPO_PROPERTY_SEED=random, or a number to come back to one.
import fc from "fast-check";

const wanted = process.env["PROMPTPO_PROPERTY_SEED"] ?? "20261124";
if (wanted !== "random") fc.configureGlobal({ seed: Number(wanted) });
