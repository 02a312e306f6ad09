import { createReadStream } from 'node:fs';
import { resolve } from 'node:path';
import { exportRuns, readExport } from '@lathe/ledger';
import { LatheError } from '@lathe/protocol';
import { EXIT, type ExitStatus } from '../exit-status.ts';
import { plural } from '../format.ts';
import { withRuns } from '../open-runs.ts';
import { type Terminal, writeJson } from '../terminal.ts';

/** Every event of every run as JSON Lines on standard output. */
export function exportLedger(terminal: Terminal): Promise<ExitStatus> {
  return withRuns(terminal.cwd, async ({ store }) => {
    for await (const line of exportRuns(store)) terminal.out.write(line);
    return EXIT.done;
  });
}

/** Takes an export in, all of it or nothing. `-` is standard input. */
export function importLedger(file: string, { json }: { json?: boolean }, terminal: Terminal): Promise<ExitStatus> {
  return withRuns(terminal.cwd, async ({ store }) => {
    const runs = await readExport(linesOf(file, terminal.cwd));
    const events = await store.merge(runs);
    if (json === true) writeJson(terminal.out, { schemaVersion: 1, runs: runs.length, newEvents: events });
    else {
      const what = events === 0 ? 'nothing new' : `${plural(events, 'new event')}`;
      terminal.out.write(`read ${plural(runs.length, 'run')}: ${what}\n`);
    }
    return EXIT.done;
  });
}

async function* linesOf(file: string, cwd: string): AsyncGenerator<string, void, void> {
  const input = file === '-' ? process.stdin : createReadStream(resolve(cwd, file));
  try {
    // Only line feeds end lines: JSON may hold U+2028, and readline's default takes that for an end.
    let rest = '';
    for await (const piece of input.setEncoding('utf8')) {
      const lines = (rest + piece).split('\n');
      rest = lines.pop()!;
      yield* lines;
    }
    if (rest !== '') yield rest;
  } catch (error) {
    if (!(error instanceof Error && 'syscall' in error)) throw error;
    throw new LatheError('LATHE_NOT_FOUND_FILE', `${file} could not be read: ${error.message}`, { cause: error });
  }
}
