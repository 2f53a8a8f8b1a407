// What each service is told and what it is not: provider keys reach the gateway alone, a database's URL only its own service,
// and nothing of the user's environment that is not named here. Pure.
import type { ServiceName } from "./fleet-state.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** What any program needs to run, speak TLS through a company's proxy, and be traced. */
const COMMON =
  /^(PATH|HOME|USER|LANG|LC_[A-Z]+|TZ|TMPDIR|TERM|NODE_EXTRA_CA_CERTS|NODE_USE_SYSTEM_CA|SSL_CERT_(FILE|DIR)|(HTTPS?|NO|ALL)_PROXY|(https?|no|all)_proxy|OTEL_[A-Z_]+)$/;
/** The fleet decides these itself. */
const DECIDED =
  /^PROMPTPO_(LISTEN|METRICS_LISTEN|GATEWAY|ROLLOUT|OPTIMIZER|RECORDING|RECORDING_MODE|DIE_WITH_PARENT|CONFIG)$/;
const DATABASES = /^PROMPTPO_[A-Z]+_DATABASE_URL$/;

const OWN: Record<ServiceName, RegExp> = {
  gateway: /^(OPENAI_[A-Z_]+)$/,
  // How numbers are computed and pictures drawn is the sidecars' business.
  rollout: /^(MUJOCO_GL|PYOPENGL_PLATFORM|LD_LIBRARY_PATH|OPENBLAS_[A-Z0-9_]+|NPY_[A-Z_]+)$/,
  optimizer: /^$/,
};

/**
 * The environment of a service.
 * @param from the user's environment
 * @param decided what the fleet sets; wins over everything
 */
export function serviceEnvironment(
  service: ServiceName,
  from: Environment,
  decided: Environment,
): Record<string, string> {
  const result: Record<string, string> = {};
  for (const [name, value] of Object.entries(from)) {
    if (value === undefined) continue;
    const ours = name.startsWith("PROMPTPO_") && !DECIDED.test(name) && !DATABASES.test(name);
    if (COMMON.test(name) || OWN[service].test(name) || ours) result[name] = value;
  }
  // The pinned Node brings its own list of authorities; a company's may be known to the system alone.
  result["NODE_USE_SYSTEM_CA"] ??= "1";
  for (const [name, value] of Object.entries(decided)) if (value !== undefined) result[name] = value;
  return result;
}
