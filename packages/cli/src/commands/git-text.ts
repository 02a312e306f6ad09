import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** What a reading git command prints, run so that nothing of the repository's settings is executed. */
export async function git(args: readonly string[], cwd: string): Promise<string> {
  const fixed = ['-c', 'core.fsmonitor=false', '-c', 'core.hooksPath=/dev/null', '-c', 'log.showSignature=false'];
  const { stdout } = await promisify(execFile)('git', ['--literal-pathspecs', ...fixed, ...args], {
    cwd,
    maxBuffer: 256 * 2 ** 20,
  });
  return stdout;
}
