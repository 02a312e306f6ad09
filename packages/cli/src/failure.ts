import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { isProblem, type Problem } from '@lathe/protocol';
import envPaths from 'env-paths';
import { EXIT, type ExitStatus } from './exit-status.ts';
import type { Output } from './terminal.ts';

/**
 * Tell the user about an error in one message, and give the exit status for it. A `Problem` carries its own words; what
 * the operating system refused is said with its path; anything else is a defect of Lathe, whose stack goes to a file.
 */
export async function reportFailure(error: unknown, err: Output): Promise<ExitStatus> {
  if (isProblem(error)) {
    err.write(renderProblem(error, err));
    return exitStatus(error);
  }
  const details = await saveDetails(error);
  const system = systemError(error);
  if (system !== null) err.write(renderProblem({ message: system, remedy: `details: ${details}` }, err));
  else {
    const what = error instanceof Error ? error.message : String(error);
    err.write(
      renderProblem(
        { message: `internal error: ${firstLine(what)}`, remedy: `please report it; details: ${details}` },
        err,
      ),
    );
  }
  return EXIT.error;
}

function exitStatus({ code }: Problem): ExitStatus {
  if (code.startsWith('LATHE_USAGE')) return EXIT.usage;
  if (code.startsWith('LATHE_NOT_FOUND')) return EXIT.notFound;
  if (code.startsWith('LATHE_CANCELLED')) return EXIT.cancelled;
  return EXIT.error;
}

function renderProblem(problem: { message: string; remedy: string | null }, { colors }: Output): string {
  const [first = '', ...rest] = problem.message.trimEnd().split('\n');
  const lines = [`${colors.red('error:')} ${first}`, ...rest.map((line) => `  ${line}`)];
  if (problem.remedy !== null) lines.push(...problem.remedy.split('\n').map((line) => `  ${colors.cyan('→')} ${line}`));
  return `${lines.join('\n')}\n`;
}

/** What the operating system refused, in words; null where it was not the operating system. */
function systemError(error: unknown): string | null {
  if (!(error instanceof Error) || !('syscall' in error) || !('code' in error)) return null;
  const { code, path } = error as NodeJS.ErrnoException;
  const where = path === undefined ? '' : `: ${path}`;
  if (code === 'ENOSPC') return `the disk is full${where} ('lathe clean' removes what is no longer needed)`;
  if (code === 'EACCES' || code === 'EPERM') return `permission denied${where}`;
  if (code === 'EROFS') return `the file system is read-only${where}`;
  return firstLine(error.message);
}

async function saveDetails(error: unknown): Promise<string> {
  const directory = envPaths('lathe', { suffix: '' }).log;
  const file = join(directory, `error-${new Date().toISOString().replaceAll(':', '-')}-${process.pid}.txt`);
  const text = `lathe ${process.argv.slice(2).join(' ')}\nNode ${process.version}, ${process.platform} ${process.arch}\n\n`;
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await writeFile(file, `${text}${inspect(error, { depth: 4 })}\n`, { mode: 0o600 });
    return file;
  } catch (cause) {
    return `could not be saved to ${file} (${cause instanceof Error ? firstLine(cause.message) : cause})`;
  }
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}
