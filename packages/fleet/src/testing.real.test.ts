import pg from "pg";
import { expect, test } from "vitest";
import { freshDatabase } from "./testing.ts";

test("two fresh databases of one process know nothing of each other", async () => {
  await using first = await freshDatabase();
  await using second = await freshDatabase();
  const open = async (url: string) => {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    return client;
  };
  const a = await open(first.url);
  const b = await open(second.url);
  await a.query("create table t (n int)");
  await expect(b.query("select * from t")).rejects.toMatchObject({ code: "42P01" });
  await a.end();
  await b.end();
});
