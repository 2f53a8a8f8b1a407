/**
 * Kinds of settings: what a value in the environment (always text) or in the JSON file (its own type) is read as.
 *
 * Owns parsing of single values and the link from a field to its environment variable. Refuses silent coercion: "12x"
 * is no number, "yes" is no flag.
 */
import { z } from "zod";

/** What is known of a field beside its type. */
export interface SettingInfo {
  /** The environment variable. */
  readonly env: string;
  /** One sentence: meaning, unit, default. Shown in errors as the remedy. */
  readonly about: string;
  /** True: the value is kept out of logs and errors. */
  readonly secret?: boolean;
}

const infos = new WeakMap<z.ZodType, SettingInfo>();

/** The schema as a setting. Call it last, after `.default()` or `.optional()`. */
export function setting<T extends z.ZodType>(schema: T, info: SettingInfo): T {
  // A clone, so that one schema can serve two settings.
  const own = schema.clone();
  infos.set(own, info);
  return own;
}

/** What `setting` was told; undefined for a field that has no environment variable. */
export function settingInfo(schema: z.ZodType): SettingInfo | undefined {
  return infos.get(schema);
}

/** A whole number, `min..max` inclusive. */
export function integer(range: { min: number; max: number }): z.ZodType<number, unknown> {
  const why = `must be a whole number from ${range.min} to ${range.max}`;
  return z
    .union(
      [
        z.number(),
        z
          .string()
          .regex(/^-?\d{1,15}$/, why)
          .transform(Number),
      ],
      why,
    )
    .refine((value) => Number.isSafeInteger(value) && value >= range.min && value <= range.max, why);
}

/** true/false, 1/0. */
export function flag(): z.ZodType<boolean, unknown> {
  return z.union(
    [z.boolean(), z.enum(["true", "1"]).transform(() => true), z.enum(["false", "0"]).transform(() => false)],
    "must be true or false (or 1 or 0)",
  );
}

/** A JSON value of a shape: as it is in the file, as text in the environment. */
export function json<T>(shape: z.ZodType<T>): z.ZodType<T, unknown> {
  return z.preprocess((value) => (typeof value === "string" ? parseJson(value) : value), shape);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // The shape's own error then says what is expected, without showing the text.
  }
}

/** A comma-separated list of names, or an array in the file. */
export function list(): z.ZodType<string[], unknown> {
  return z.union([
    z.array(z.string().min(1)),
    z.string().transform((text) =>
      text
        .split(",")
        .map((part) => part.trim())
        .filter((part) => part !== ""),
    ),
  ]);
}
