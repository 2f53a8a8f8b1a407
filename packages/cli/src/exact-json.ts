// JSON whose numbers come back to the last bit, the sign of zero included; bigints are written as numbers. What JSON cannot
// say (NaN, the infinities) is null.
export type ExactJson =
  | null
  | boolean
  | number
  | bigint
  | string
  | readonly ExactJson[]
  | { readonly [key: string]: ExactJson };

export function exactJson(value: ExactJson): string {
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "number") {
    if (!Number.isFinite(value)) return "null";
    return Object.is(value, -0) ? "-0.0" : JSON.stringify(value);
  }
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((item: ExactJson) => exactJson(item)).join(", ")}]`;
  const fields = Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}: ${exactJson(item)}`);
  return `{${fields.join(", ")}}`;
}
