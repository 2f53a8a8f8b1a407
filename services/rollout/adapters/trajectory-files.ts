/**
 * A recorded trajectory in the format that was asked for: the sidecar's numpy archive as it is, or a Parquet file.
 *
 * The same archive gives the same bytes: nothing of the time or of the machine goes in. docs/trajectories.md tells users
 * what they get.
 */
import { FleetError } from "@promptpo/service-kit";
import { parquetWriteBuffer } from "hyparquet-writer";
import { type NpyArray, readNpz } from "../core/npz.ts";
import type { TrajectoryFile, TrajectoryFiles, TrajectoryRecord } from "../handlers/ports.ts";

type Schema = NonNullable<Parameters<typeof parquetWriteBuffer>[0]["schema"]>;
type Element = Schema[number];
type Numbers = Float32Array | Float64Array | Int32Array | BigInt64Array | BigUint64Array;

interface Column {
  readonly type: Dtype["type"];
  readonly data: Numbers;
}

interface Dtype {
  readonly bytes: number;
  readonly type: Omit<Element, "name" | "repetition_type">;
  make(length: number): Numbers;
  /** One number from its bytes. */
  read(view: DataView, at: number): number | bigint;
}

const ONE_GROUP = 1_000_000;

const int32 = (length: number) => new Int32Array(length);
const int64 = (length: number) => new BigInt64Array(length);
const uint64 = (length: number) => new BigUint64Array(length);
const double = (length: number) => new Float64Array(length);
const float = (length: number) => new Float32Array(length);

/** numpy's dtypes as Parquet has them. Parquet's own half floats are read by few, so they are widened, which is exact. */
const DTYPES: Readonly<Record<string, Dtype>> = {
  "<f8": { bytes: 8, type: { type: "DOUBLE" }, make: double, read: (view, at) => view.getFloat64(at, true) },
  "<f4": { bytes: 4, type: { type: "FLOAT" }, make: float, read: (view, at) => view.getFloat32(at, true) },
  "<f2": { bytes: 2, type: { type: "FLOAT" }, make: float, read: (view, at) => half(view.getUint16(at, true)) },
  "<i8": { bytes: 8, type: { type: "INT64" }, make: int64, read: (view, at) => view.getBigInt64(at, true) },
  "<i4": { bytes: 4, type: { type: "INT32" }, make: int32, read: (view, at) => view.getInt32(at, true) },
  "<i2": { bytes: 2, type: integer("INT_16"), make: int32, read: (view, at) => view.getInt16(at, true) },
  "|i1": { bytes: 1, type: integer("INT_8"), make: int32, read: (view, at) => view.getInt8(at) },
  "<u8": { bytes: 8, type: integer("UINT_64"), make: uint64, read: (view, at) => view.getBigUint64(at, true) },
  // The writer takes these as numbers of any kind, and makes the signed ones of the file of them.
  "<u4": { bytes: 4, type: integer("UINT_32"), make: double, read: (view, at) => view.getUint32(at, true) },
  "<u2": { bytes: 2, type: integer("UINT_16"), make: int32, read: (view, at) => view.getUint16(at, true) },
  "|u1": { bytes: 1, type: integer("UINT_8"), make: int32, read: (view, at) => view.getUint8(at) },
};

export class TrajectoryFileFormats implements TrajectoryFiles {
  encode({ npz, seed, format, stride }: TrajectoryRecord): TrajectoryFile {
    if (format === "NPZ") return { bytes: npz, mediaType: "application/x-npz" };
    try {
      return { bytes: parquetOf(npz, seed, stride), mediaType: "application/vnd.apache.parquet" };
    } catch (error) {
      throw new FleetError("INTERNAL", "a recorded trajectory could not be written as Parquet", { cause: error });
    }
  }
}

function parquetOf(npz: Uint8Array, seed: bigint, stride: number): Uint8Array {
  const arrays = readNpz(npz);
  const rowCount = arrays.get("reward")?.shape[0];
  if (rowCount === undefined) throw new Error("it has no rewards");
  const steps = BigInt64Array.from({ length: rowCount }, (_, row) => BigInt(row * stride));
  const columns = new Map<string, Column>();
  // A name that two arrays make is told apart by underscores; the arrays' own names go first.
  const add = (name: string, column: Column): void => {
    if (columns.has(name)) add(`${name}_`, column);
    else columns.set(name, column);
  };
  for (const [name, array] of arrays) {
    // The archive's own seed is a scalar; a field of that name has a row a step.
    if (array.shape.length > 0) for (const [each, column] of columnsOf(name, array, rowCount)) add(each, column);
  }
  add("step", { type: { type: "INT64" }, data: steps });
  // The step's number comes first.
  const ordered = [...columns].toSorted(([, a], [, b]) => Number(b.data === steps) - Number(a.data === steps));
  const buffer = parquetWriteBuffer({
    schema: [
      { name: "trajectory", num_children: ordered.length },
      ...ordered.map(([name, { type }]): Element => ({ name, repetition_type: "REQUIRED", ...type })),
    ],
    columnData: ordered.map(([name, { data }]) => ({ name, data, encoding: "PLAIN", offsetIndex: false })),
    codec: "UNCOMPRESSED",
    statistics: false,
    rowGroupSize: ONE_GROUP,
    createdBy: "promptpo",
    kvMetadata: [{ key: "seed", value: String(seed) }],
  });
  return new Uint8Array(buffer);
}

/** One column a number of a row: `name`, or `name_0`, `name_1`, ... in C order. */
function columnsOf(name: string, { dtype, shape, data }: NpyArray, rowCount: number): [string, Column][] {
  const kind = DTYPES[dtype];
  if (kind === undefined) throw new Error(`${name} has the dtype ${dtype}`);
  if (shape[0] !== rowCount) throw new Error(`${name} has ${shape[0]} rows where there are ${rowCount} rewards`);
  const width = shape.slice(1).reduce((product, extent) => product * extent, 1);
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  return Array.from({ length: width }, (_, column) => {
    const numbers = kind.make(rowCount);
    for (let row = 0; row < rowCount; row += 1) {
      numbers[row] = kind.read(view, (row * width + column) * kind.bytes);
    }
    return [shape.length === 1 ? name : `${name}_${column}`, { type: kind.type, data: numbers }];
  });
}

function integer(converted: NonNullable<Element["converted_type"]>): Dtype["type"] {
  return { type: converted === "UINT_64" ? "INT64" : "INT32", converted_type: converted };
}

/** IEEE 754 half precision. */
function half(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1_024) * 2 ** (exponent - 15);
}
