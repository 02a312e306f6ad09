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

/** Flawfinder lists calls that are dangerous in general; levels 0 to 5. Below 3 it objects to every array. */
export const flawfinder: Scanner = {
  name: 'flawfinder',
  languages: ['c'],
  looksFor: 'dangerous C functions Flawfinder knows',
  whyNot: once(async () =>
    (await isInstalled('flawfinder')) ? null : 'flawfinder is not installed: apt install flawfinder',
  ),
  async scan(file) {
    const { stdout } = await inFolder(file, (path) =>
      execute('flawfinder', ['--quiet', '--dataonly', '--sarif', '--minlevel=3', path], {
        timeout: 15_000,
        maxBuffer: 16 << 20,
      }),
    );
    const log = JSON.parse(stdout) as {
      runs: {
        results: {
          ruleId: string;
          message: { text: string };
          rank: number;
          locations: { physicalLocation: { region: { startLine: number } } }[];
        }[];
      }[];
    };
    return {
      findings: log.runs.flatMap((run) =>
        run.results.flatMap((result): RawFinding[] => {
          const line = result.locations[0]?.physicalLocation.region.startLine ?? 1;
          // `--minlevel` does nothing to its SARIF; a rank is a fifth of a level.
          if (result.rank < 0.6) return [];
          const finding: RawFinding = {
            kind: 'security',
            rule: `flawfinder/${result.ruleId}`,
            cwe: /CWE-\d+/.exec(result.message.text)?.[0] ?? null,
            // It looks at names of functions alone: only level 5 is wrong wherever it stands.
            severity: result.rank >= 1 ? 'medium' : 'info',
            confidence: 'low',
            line,
            endLine: line,
            message: result.message.text,
          };
          return [finding];
        }),
      ),
    };
  },
};

/** Errors that read or write memory that is not the program's own; the others are wrong, but open nothing. */
const MEMORY =
  /bounds|overflow|overrun|uninit|doubleFree|deallocuse|dangling|lifetime|autoVariables|gets|scanf|printf|mismatch|nullPointer/i;

const CPPCHECK_LINE = /^(?<line>\d+)\t(?<severity>\w+)\t(?<id>\w+)\t(?<cwe>\d*)\t(?<message>.*)$/;

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
        [
          '--quiet',
          '--enable=warning,portability',
          '--inconclusive',
          '--template={line}\t{severity}\t{id}\t{cwe}\t{message}',
          path,
        ],
        {
          timeout: 15_000,
          maxBuffer: 16 << 20,
        },
      ),
    );
    const findings = stderr.split('\n').flatMap((text): RawFinding[] => {
      const match = CPPCHECK_LINE.exec(text)?.groups;
      if (
        !match ||
        /^(missingInclude|syntaxError|preprocessorErrorDirective|unknownMacro|toomanyconfigs)/.test(match.id!)
      )
        return [];
      const line = Math.max(1, Number(match.line));
      return [
        {
          kind: 'security',
          rule: `cppcheck/${match.id}`,
          cwe: match.cwe && match.cwe !== '0' ? `CWE-${match.cwe}` : null,
          severity: match.severity !== 'error' ? 'low' : MEMORY.test(match.id!) ? 'high' : 'medium',
          confidence: 'medium',
          line,
          endLine: line,
          message: match.message!,
        },
      ];
    });
    return { findings };
  },
};
