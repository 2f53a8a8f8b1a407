// The filters and page tokens of lists: a subset of AIP-160 (`state=RUNNING AND environment="NoiseWorld-0"`), and tokens
// that callers need not understand. What cannot be understood is INVALID_PAGE, with what can.
import { FleetError, nearest } from "@promptpo/service-kit/errors.ts";

/** Field -> value, for the fields that a list knows. */
export function parseFilter<F extends string>(filter: string, fields: readonly F[]): Partial<Record<F, string>> {
  const found: Partial<Record<F, string>> = {};
  const text = filter.trim();
  if (text === "") return found;
  for (const term of text.split(/\s+AND\s+/)) {
    const match = /^([a-z_]+)\s*=\s*(?:"([^"]*)"|([^\s"=]+))$/.exec(term.trim());
    if (match === null)
      throw invalid(`the filter's part ${JSON.stringify(term)} is not of the form field=value, joined by AND`);
    const field = fields.find((known) => known === match[1]);
    if (field === undefined) {
      const [near] = nearest(match[1] ?? "", fields, 1);
      const hint = near === undefined ? "" : `; did you mean ${near}?`;
      throw invalid(`the list has no field ${match[1]}${hint} It can be filtered by ${fields.join(", ")}`);
    }
    if (found[field] !== undefined) throw invalid(`the filter names ${field} twice`);
    found[field] = match[2] ?? match[3] ?? "";
  }
  return found;
}

/** The page's size: 0 is `usual`, more than `most` is `most`. */
export function pageSize(asked: number, usual: number, most: number): number {
  if (asked < 0) throw invalid(`the page size must not be negative, received ${asked}`);
  return asked === 0 ? usual : Math.min(asked, most);
}

/** A token that carries `words`; `of` is what list it belongs to (filter and order), so that it fits no other. */
export function pageToken(of: string, words: readonly string[]): string {
  return Buffer.from(JSON.stringify([of, ...words])).toString("base64url");
}

/** The words of a token; undefined for the first page. */
export function readPageToken(token: string, of: string, count: number): string[] | undefined {
  if (token === "") return undefined;
  try {
    const words: unknown = JSON.parse(Buffer.from(token, "base64url").toString());
    if (Array.isArray(words) && words.length === count + 1 && words.every((word) => typeof word === "string")) {
      const [list, ...rest] = words;
      if (list === of) return rest;
    }
  } catch {
    // Not one of ours: said below.
  }
  throw invalid("the page token is not from a list with this filter and order; begin again without it");
}

/** A value of an enum by its short name: `RUNNING` for RUN_STATE_RUNNING. */
export function enumValue<V extends number>(
  field: string,
  word: string,
  prefix: string,
  values: Readonly<Record<string, V>>,
): V {
  const names = Object.keys(values).filter((name) => name.startsWith(prefix) && !name.endsWith("UNSPECIFIED"));
  const name = names.find((known) => known === word || known === `${prefix}${word}`);
  const value = name === undefined ? undefined : values[name];
  if (value === undefined)
    throw invalid(
      `${field} has no value ${word}; it has ${names.map((known) => known.slice(prefix.length)).join(", ")}`,
    );
  return value;
}

function invalid(message: string): FleetError {
  return new FleetError("INVALID_PAGE", message);
}
