/**
 * Reads a numpy `.npz` archive as sidecars write them: a zip of stored (uncompressed) `.npy` members. Pure.
 *
 * Refuses, with a plain Error, whatever is none: compressed members, Fortran order, big-endian numbers.
 */

export interface NpyArray {
  /** numpy's name of the dtype, e.g. `<f8`, `|b1`. */
  readonly dtype: string;
  readonly shape: readonly number[];
  /** The numbers packed, C order. */
  readonly data: Uint8Array;
}

const END_BYTES = 22;
const END = 0x06054b50;
const ENTRY = 0x02014b50;
const LOCAL = 0x04034b50;
const STORED = 0;
/** `\x93NUMPY`. */
const MAGIC = "\u0093NUMPY";

/** Arrays by name, in the archive's order. */
export function readNpz(bytes: Uint8Array): Map<string, NpyArray> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = bytes.length - END_BYTES;
  if (end < 0 || view.getUint32(end, true) !== END) throw new Error("it does not end as a zip archive");
  const count = view.getUint16(end + 10, true);
  const arrays = new Map<string, NpyArray>();
  let at = view.getUint32(end + 16, true);
  for (let entry = 0; entry < count; entry += 1) {
    if (view.getUint32(at, true) !== ENTRY) throw new Error("its directory is broken");
    const nameBytes = view.getUint16(at + 28, true);
    const name = text(bytes.subarray(at + 46, at + 46 + nameBytes), "utf8");
    if (view.getUint16(at + 10, true) !== STORED) throw new Error(`${name} is compressed`);
    const size = view.getUint32(at + 20, true);
    arrays.set(name.replace(/\.npy$/, ""), readNpy(memberAt(view, bytes, view.getUint32(at + 42, true), size), name));
    at += 46 + nameBytes + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
  return arrays;
}

/** The seed that a trajectory's archive holds; undefined for bytes that hold none. */
export function seedOfNpz(bytes: Uint8Array): bigint | undefined {
  try {
    const seed = readNpz(bytes).get("seed");
    if (seed?.dtype !== "<i8" || seed.shape.length > 0) return undefined;
    return new DataView(seed.data.buffer, seed.data.byteOffset).getBigInt64(0, true);
  } catch {
    return undefined;
  }
}

function memberAt(view: DataView, bytes: Uint8Array, at: number, size: number): Uint8Array {
  if (view.getUint32(at, true) !== LOCAL) throw new Error("a member is not where the directory says");
  const start = at + 30 + view.getUint16(at + 26, true) + view.getUint16(at + 28, true);
  if (start + size > bytes.length) throw new Error("it is cut off");
  return bytes.subarray(start, start + size);
}

function readNpy(bytes: Uint8Array, name: string): NpyArray {
  if (text(bytes.subarray(0, 6), "latin1") !== MAGIC) throw new Error(`${name} is no array`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [start, length] = bytes[6] === 1 ? [10, view.getUint16(8, true)] : [12, view.getUint32(8, true)];
  const header = text(bytes.subarray(start, start + length), "latin1");
  const dtype = /'descr': '([<|][biuf](\d+))'/.exec(header);
  const shape = /'shape': \(([\d, ]*)\)/.exec(header)?.[1];
  if (dtype?.[1] === undefined || shape === undefined || !header.includes("'fortran_order': False")) {
    throw new Error(`${name} is an array of another kind: ${header.trim()}`);
  }
  const extents = shape.split(",").flatMap((extent) => (extent.trim() === "" ? [] : [Number(extent)]));
  const data = bytes.subarray(start + length);
  const due = extents.reduce((product, extent) => product * extent, Number(dtype[2]));
  if (data.length !== due) throw new Error(`${name} has ${data.length} bytes where ${due} are due`);
  return { dtype: dtype[1], shape: extents, data };
}

function text(bytes: Uint8Array, encoding: "latin1" | "utf8"): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString(encoding);
}
