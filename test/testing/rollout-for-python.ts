// For the Python client's tests (python/promptpo/client/real_fleet.py): a database, the rollout service and its sidecars, for as long as standard
// input is open. Prints one line of JSON with the address. The argument is the number of sidecars.
import { freshDatabase } from "@promptpo/fleet/testing.ts";
import { startRollout } from "../../services/rollout/testing/rollout-under-test.ts";
import { realSidecars } from "../../services/rollout/testing/with-sidecars.ts";

async function serve(sidecars: number): Promise<void> {
  const ended = new Promise((resolve) => process.stdin.on("end", resolve).resume());
  await using database = await freshDatabase();
  await using service = await startRollout({
    ...realSidecars(sidecars),
    DATABASE_URL: database.url,
    PROMPTPO_LISTEN: "127.0.0.1:0",
  });
  console.log(JSON.stringify({ address: service.address }));
  await ended;
}

await serve(Number(process.argv[2] ?? "2"));
// The database server lives as long as this process.
process.exit(0);
