/** All items of a list, page by page, each page asked for when its turn comes. */

export async function* pages<Item>(
  page: (token: string) => Promise<{ readonly items: readonly Item[]; readonly nextPageToken: string }>,
): AsyncGenerator<Item> {
  let token = "";
  do {
    const { items, nextPageToken } = await page(token);
    yield* items;
    token = nextPageToken;
  } while (token !== "");
}
