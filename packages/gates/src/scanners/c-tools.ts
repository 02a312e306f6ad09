import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { RawFinding, SourceFile } from '../finding.ts';
import type { Scanner } from './scanner.ts';

const execute = promisify(execFile);

/** Puts the file alone into a folder of its own, so that the tool cannot look around. */
async function inFolder<T>(file: SourceFile, work: (path: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'lathe-scan-'));
  try {
    const path = join(folder, file.path.endsWith('.h') ? 'file.h' : 'file.c');
    await writeFile(path, file.text);
    return await work(path);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function isInstalled(program: string): Promise<boolean> {
  return execute(program, ['--version'], { timeout: 5_000 }).then(
    () => true,
    () => false,
  );
}

function once(check: () => Promise<string | null>): () => Promise<string | null> {
  let answer: Promise<string | null> | null = null;
  return () => (answer ??= check());
}

interface FlawfinderLog {
  readonly runs: readonly {
    readonly results: readonly {
      readonly ruleId: string;
      readonly message: { readonly text: string };
      readonly rank: number;
      readonly locations: readonly { readonly physicalLocation: { readonly region: { readonly startLine: number } } }[];
    }[];
  }[];
}

/** Findings in the SARIF that `flawfinder --sarif` prints. Below level 3 of 5 it objects to every array. */
export function flawfinderFindings(sarif: string): RawFinding[] {
  return (JSON.parse(sarif) as FlawfinderLog).runs.flatMap((run) =>
    run.results.flatMap((result): RawFinding[] => {
      // `--minlevel` does nothing to its SARIF; a rank is a fifth of a level.
      if (result.rank < 0.6) return [];
      const line = result.locations[0]?.physicalLocation.region.startLine ?? 1;
      return [
        {
          kind: 'security',
          rule: `flawfinder/${result.ruleId}`,
          cwe: /CWE-\d+/.exec(result.message.text)?.[0] ?? null,
          // It looks at names of functions alone: only level 5 is wrong wherever it stands.
          severity: result.rank >= 1 ? 'medium' : 'info',
          confidence: 'low',
          line,
          endLine: line,
          message: result.message.text,
        },
      ];
    }),
  );
}

/** Flawfinder lists calls that are dangerous in general, by name. */
export const flawfinder: Scanner = {
  name: 'flawfinder',
  languages: ['c'],
  looksFor: 'dangerous C functions Flawfinder knows',
  whyNot: once(async () =>
    (await isInstalled('flawfinder')) ? null : 'flawfinder is not installed: apt install flawfinder',
  ),
  async scan(file) {
    // Its own comments would silence it without being counted.
    const { stdout } = await inFolder(file, (path) =>
      execute('flawfinder', ['--quiet', '--dataonly', '--neverignore', '--sarif', path], {
        timeout: 15_000,
        maxBuffer: 16 << 20,
      }),
    );
    return { findings: flawfinderFindings(stdout) };
  },
};

/** Errors that read or write memory that is not the program's own; the others are wrong, but open nothing. */
const MEMORY =
  /bounds|overflow|overrun|uninit|doubleFree|deallocuse|dangling|lifetime|autoVariables|gets|scanf|printf|mismatch|nullPointer/i;

const CPPCHECK_LINE = /^(?<line>\d+)\t(?<severity>\w+)\t(?<id>\w+)\t(?<cwe>\d*)\t(?<message>.*)$/;

/** The form `cppcheckFindings` reads, as Cppcheck's `--template`. */
const CPPCHECK_TEMPLATE = '{line}\t{severity}\t{id}\t{cwe}\t{message}';

/** Findings in what `cppcheck` prints. Throws where it could not read the file: it found nothing because it did not look. */
export function cppcheckFindings(printed: string): RawFinding[] {
  return printed.split('\n').flatMap((text): RawFinding[] => {
    const match = CPPCHECK_LINE.exec(text)?.groups as
      | Record<'line' | 'severity' | 'id' | 'cwe' | 'message', string>
      | undefined;
    if (!match || /^(missingInclude|toomanyconfigs|checkersReport|normalCheckLevelMaxBranches)/.test(match.id))
      return [];
    if (/^(syntaxError|preprocessorErrorDirective|unknownMacro|internal\w*|cppcheckError)$/.test(match.id))
      throw new Error(`cppcheck cannot read line ${match.line}: ${match.message}`);
    const line = Math.max(1, Number(match.line));
    return [
      {
        kind: 'security',
        rule: `cppcheck/${match.id}`,
        cwe: match.cwe && match.cwe !== '0' ? `CWE-${match.cwe}` : null,
        severity: match.severity !== 'error' ? 'low' : MEMORY.test(match.id) ? 'high' : 'medium',
        confidence: 'medium',
        line,
        endLine: line,
        message: match.message,
      },
    ];
  });
}

export const cppcheck: Scanner = {
  name: 'cppcheck',
  languages: ['c'],
  looksFor: 'memory errors Cppcheck knows',
  whyNot: once(async () =>
    (await isInstalled('cppcheck')) ? null : 'cppcheck is not installed: apt install cppcheck',
  ),
  async scan(file) {
    const { stderr } = await inFolder(file, (path) =>
      execute(
        'cppcheck',
        ['--quiet', '--enable=warning,portability', '--inconclusive', `--template=${CPPCHECK_TEMPLATE}`, path],
        { timeout: 15_000, maxBuffer: 16 << 20 },
      ),
    );
    return { findings: cppcheckFindings(stderr) };
  },
};
