/**
 * What must never be read in a log: known secret values, and text that looks like one.
 *
 * Owns the process's list of secret values and the cleaning of a finished line. It works on the line as it is written,
 * after serialisation, so that a secret in a stack trace, a nested object or an error of a library is caught as well.
 */

const CENSOR = "[redacted]";

/** Shorter values are words that occur by chance; masking them would garble every line. */
const SECRET_CHARACTERS_LEAST = 6;

const known = new Set<string>();
let knownPattern: RegExp | undefined;

/** From now on no log line shows this value, as it is, JSON-escaped (also twice: a body in a line) or URL-encoded. Config loading calls it for secrets. */
export function registerSecret(value: string): void {
  if (value.length < SECRET_CHARACTERS_LEAST) return;
  const once = JSON.stringify(value).slice(1, -1);
  const twice = JSON.stringify(once).slice(1, -1);
  for (const form of [value, once, twice, encodeURIComponent(value.toWellFormed())]) known.add(form);
  // Longest first: a secret that holds another one is masked whole.
  const forms = [...known]
    .sort((a, b) => b.length - a.length)
    .map((form) => form.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  knownPattern = new RegExp(forms.join("|"), "g");
}

/** `"authorization":"…"`, `"apiKey":["…"]`, in JSON or JSON within JSON. Plain `token` counts of models are numbers and stay. */
const NAMED =
  /(\\*"[\w.-]*(?:authorization|api[-_]?key|password|passwd|secret|cookie|credential|(?:access|bearer|auth|service|session)[-_]?token|private[-_]?key|\btoken)\\*"\s*:\s*\[?\s*\\*")((?:[^"\\]|\\(?!")[\s\S]|\\\\+")*?)(\\*")/gi;
/** The password of `scheme://user:password@host`. Greedy to the last `@` before a path, for a password may hold one. */
const URL_PASSWORD = /(\b[a-z][a-z0-9+.-]*:\/\/[^\s:/@"']*:)([^\s/"']+)(@)/gi;
const BEARER = /\b(bearer|basic)\s+[\w.~+/=-]{6,}/gi;
const PROVIDER_KEY = /\b(?:sk|pk|rk)-[\w-]{8,}/g;
const PEM = /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?-----END [A-Z ]*PRIVATE KEY-----/g;

/** The line without what must not be read. */
export function withoutSecrets(line: string): string {
  const cleaned = line
    .replace(PEM, CENSOR)
    .replace(NAMED, `$1${CENSOR}$3`)
    .replace(URL_PASSWORD, `$1${CENSOR}$3`)
    .replace(BEARER, `$1 ${CENSOR}`)
    .replace(PROVIDER_KEY, CENSOR);
  return knownPattern === undefined ? cleaned : cleaned.replace(knownPattern, CENSOR);
}
