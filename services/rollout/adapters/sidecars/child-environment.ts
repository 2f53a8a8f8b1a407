/**
 * The environment of a sidecar process: built from nothing, so that no secret of the service is in it, and fixed where
 * a result could depend on it.
 */

export interface ChildSettings {
  readonly pythonPath: string;
  readonly unconfined: boolean;
  readonly muJoCoGl?: string | undefined;
  readonly osmesa?: string | undefined;
  /** Folders, separated as in PATH. */
  readonly environments?: string | undefined;
}

/** Libraries that would otherwise start a thread a core, and sum in another order with each. */
const ONE_THREAD = [
  "OPENBLAS_NUM_THREADS",
  "OMP_NUM_THREADS",
  "MKL_NUM_THREADS",
  "NUMEXPR_NUM_THREADS",
  "VECLIB_MAXIMUM_THREADS",
  "BLIS_NUM_THREADS",
];
/**
 * Where programs and temporary files are; nothing of who we are. And which numeric kernels an operator chose for this
 * machine: a policy must compute as a bare loop beside the service does.
 */
const PASSED_ON = [
  "PATH",
  "HOME",
  "TMPDIR",
  "LD_LIBRARY_PATH",
  "OPENBLAS_CORETYPE",
  "OPENBLAS_L2_SIZE",
  "NPY_DISABLE_CPU_FEATURES",
];

export function childEnvironment(
  settings: ChildSettings,
  own: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const environment: Record<string, string> = {
    PYTHONPATH: settings.pythonPath,
    // Order of sets and dicts of strings, the same in every process.
    PYTHONHASHSEED: "0",
    PYTHONUNBUFFERED: "1",
    PYTHONNOUSERSITE: "1",
    LANG: "C.UTF-8",
  };
  for (const name of ONE_THREAD) environment[name] = "1";
  for (const name of PASSED_ON) {
    const value = own[name];
    if (value !== undefined) environment[name] = value;
  }
  if (settings.muJoCoGl !== undefined) environment["MUJOCO_GL"] = settings.muJoCoGl;
  if (settings.osmesa !== undefined) environment["PROMPTPO_OSMESA"] = settings.osmesa;
  if (settings.environments !== undefined) environment["PROMPTPO_ENVIRONMENTS"] = settings.environments;
  if (settings.unconfined) environment["PROMPTPO_UNCONFINED"] = "1";
  return environment;
}
