export function processStart(pid: number): string | undefined;
export function isSameProcess(pid: number, start: string): boolean;
