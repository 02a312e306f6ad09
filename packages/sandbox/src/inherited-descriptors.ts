import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs';

const O_CLOEXEC = 0o2000000;

/**
 * Descriptors of this process that its children would get although nobody gives them: Node opens its own with
 * O_CLOEXEC, but whoever started Lathe may have left some open, and native libraries may open others. Linux only.
 */
export function inheritedDescriptors(): number[] {
  if (process.platform !== 'linux') return [];
  return readdirSync('/proc/self/fd')
    .map(Number)
    .filter((descriptor) => descriptor > 2 && !closesOnExec(descriptor));
}

function closesOnExec(descriptor: number): boolean {
  try {
    const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${descriptor}`, 'latin1'))?.[1];
    return (Number.parseInt(flags ?? '0', 8) & O_CLOEXEC) !== 0;
  } catch {
    // It was the one that listed the directory.
    return true;
  }
}

/** Calls `start` with a `stdio` for `spawn` in which each inherited descriptor is /dev/null. */
export function withoutInherited<T, S>(stdio: readonly S[], start: (stdio: (S | number | 'ignore')[]) => T): T {
  const inherited = inheritedDescriptors().filter((descriptor) => descriptor >= stdio.length);
  if (inherited.length === 0) return start([...stdio]);
  const nothing = openSync('/dev/null', 'r+');
  try {
    const all: (S | number | 'ignore')[] = [...stdio];
    // "ignore" leaves a descriptor above 2 as it is, which is right for those that close by themselves.
    for (let i = stdio.length; i <= Math.max(...inherited); i++) all.push(inherited.includes(i) ? nothing : 'ignore');
    return start(all);
  } finally {
    closeSync(nothing);
  }
}
