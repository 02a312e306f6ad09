import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

/**
 * Lathe's folder in the repository that holds `directory`: the one question of git that `lathe list` has, asked without
 * loading what works on repositories. Where git does not answer, the repository package says what is wrong.
 */
export async function findLatheDir(directory: string, env: NodeJS.ProcessEnv): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)('git', ['rev-parse', '--path-format=absolute', '--git-common-dir'], {
      cwd: directory,
      env: withoutRedirections(env),
    });
    return join(stdout.replace(/\n$/, ''), 'lathe');
  } catch {
    const { openRepository } = await import('@lathe/repository');
    const repository = await openRepository(directory);
    repository.close();
    return repository.location.latheDir;
  }
}

/** A surrounding git (a hook, an alias) sets variables that would name its repository instead of this one. */
function withoutRedirections(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { GIT_DIR: _dir, GIT_WORK_TREE: _tree, GIT_COMMON_DIR: _common, GIT_INDEX_FILE: _index, ...rest } = env;
  return rest;
}
