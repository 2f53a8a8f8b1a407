export interface Holder {
  readonly pid: number;
  readonly start: string;
  /** RFC 3339. */
  readonly since: string;
  readonly purpose: string;
}
export interface Taken {
  readonly held: true;
  release(): void;
}
export interface Refused {
  readonly held: false;
  readonly holder: Holder;
}
export function tryLockFolder(folder: string, name: string, purpose: string): Taken | Refused;
export function lockHolder(folder: string, name: string): Holder | undefined;
