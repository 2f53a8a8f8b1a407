/**
 * How values go into the driver and come out of it: exact, in the type that can hold them.
 */
import pg from "pg";

const { builtins } = pg.types;
/** int8[]; the driver names no arrays. */
const INT8_ARRAY = 1016;

/** int8 as bigint, int8[] as bigint[]; everything else as the driver does it (float8 exact, json parsed, numeric text). */
export const valueTypes: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: "text" | "binary") => {
    if (format !== "binary") {
      if (oid === builtins.INT8) return BigInt;
      if (oid === INT8_ARRAY) return bigintArray;
    }
    return pg.types.getTypeParser(oid, format);
  }) as typeof pg.types.getTypeParser,
};

/** `{1,NULL,{…}}`, with the bounds `[0:1]=` that arrays not counted from 1 show. */
function bigintArray(text: string): unknown {
  const json = text
    .replace(/^[^{]*=/, "")
    .replace(/-?\d+/g, '"$&"')
    .replaceAll("NULL", "null")
    .replaceAll("{", "[")
    .replaceAll("}", "]");
  return JSON.parse(json, (_, value: unknown) => (typeof value === "string" ? BigInt(value) : value));
}

/** A statement's value as the driver sends it unharmed: it would write -0 as 0. */
export function toParameter(value: unknown): unknown {
  if (Object.is(value, -0)) return "-0";
  return Array.isArray(value) ? value.map(toParameter) : value;
}
