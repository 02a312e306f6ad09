/**
 * Security gates on vulnerable snippets and their safe twins (packages/gates/pairs). A vulnerable snippet is found when it
 * has a security or secret finding of severity low or worse; a twin that has one is a false alarm. `--strict` counts a
 * finding only if it is of the pair's own weakness (CWE) or a relative of it. Lathe with its own rules, and the libraries alone.
 */
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { atLeast, createScannerPool, defaultGateConfig, findingsOf, type ScannerName } from '@lathe/gates';
import type { Finding, Tree } from '@lathe/protocol';
import { parse } from 'yaml';

const { values } = parseArgs({
  options: { json: { type: 'boolean' }, misses: { type: 'boolean', default: false }, folder: { type: 'string' } },
});
const folder = values.folder ?? join(import.meta.dirname, '../packages/gates/pairs');
const EXTENSION: Readonly<Record<string, string>> = {
  javascript: 'js',
  typescript: 'ts',
  tsx: 'tsx',
  python: 'py',
  c: 'c',
};

interface Pair {
  readonly name: string;
  readonly cwe: string;
  readonly language: string | undefined;
  readonly vulnerable: string;
  readonly safe: string;
}
const pairs: (Pair & { readonly language: string })[] = ['javascript', 'python', 'c'].flatMap((language) =>
  (parse(readFileSync(join(folder, `${language}.yml`), 'utf8')) as Pair[]).map((pair) => ({
    ...pair,
    language: pair.language ?? language,
  })),
);

const print = values.json ? console.error : console.log;
const config = { ...defaultGateConfig, scanTimeoutMs: 120_000 };
const pool = createScannerPool(config.workers);

async function findingsByFile(kind: 'vulnerable' | 'safe', scanners?: readonly ScannerName[]): Promise<Finding[][]> {
  const paths = pairs.map((pair, index) => `code-${index}.${EXTENSION[pair.language]}`);
  const tree: Tree = {
    list: async () => [...paths].sort(),
    read: async (path) => (paths.includes(path) ? Buffer.from(pairs[paths.indexOf(path)]![kind]) : null),
  };
  const { findings, syntaxErrors } = await findingsOf(tree, { config, pool, ...(scanners && { scanners }) });
  for (const { path, line, message } of syntaxErrors)
    throw new Error(`${pairs[paths.indexOf(path)]!.name} (${kind}), line ${line}: ${message}`);
  return paths.map((path) =>
    findings.filter((one) => one.path === path && one.kind !== 'quality' && atLeast(one.severity, 'low')),
  );
}

interface Score {
  readonly pairs: number;
  readonly found: number;
  readonly falseAlarms: number;
}
const scores: Record<string, Record<string, Score>> = {};
for (const [reader, scanners] of [
  ['Lathe', undefined],
  ['libraries alone', ['eslint', 'sonarjs', 'ruff', 'secrets', 'flawfinder', 'cppcheck']],
] as const) {
  const vulnerable = await findingsByFile('vulnerable', scanners);
  const safe = await findingsByFile('safe', scanners);
  scores[reader] = {};
  for (const language of ['javascript', 'typescript', 'tsx', 'python', 'c', 'all']) {
    const own = pairs.flatMap((pair, index) => (language === 'all' || pair.language === language ? [index] : []));
    scores[reader][language] = {
      pairs: own.length,
      found: own.filter((index) => vulnerable[index]!.length > 0).length,
      falseAlarms: own.filter((index) => safe[index]!.length > 0).length,
    };
  }
  if (values.misses && reader === 'Lathe') {
    pairs.forEach((pair, index) => {
      if (vulnerable[index]!.length === 0) print(`missed: ${pair.language} ${pair.cwe} ${pair.name}`);
      else if (!vulnerable[index]!.some((one) => one.cwe === pair.cwe))
        print(
          `  other: ${pair.cwe} ${pair.name}: ${vulnerable[index]!.map((one) => `${one.rule} ${one.cwe}`).join(', ')}`,
        );
      for (const one of safe[index]!)
        print(`false alarm: ${pair.language} ${pair.cwe} ${pair.name}: ${one.severity} ${one.rule}:${one.line}`);
    });
  }
}
await pool.close();

print('| language | pairs | reader | found | false alarms | recall | precision |');
print('|---|---|---|---|---|---|---|');
for (const language of Object.keys(scores.Lathe!)) {
  for (const reader of Object.keys(scores)) {
    const { pairs: count, found, falseAlarms } = scores[reader]![language]!;
    const precision = found + falseAlarms > 0 ? (found / (found + falseAlarms)).toFixed(2) : '–';
    print(
      `| ${language} | ${count} | ${reader} | ${found} | ${falseAlarms} | ${(found / count).toFixed(2)} | ${precision} |`,
    );
  }
}
if (values.json) {
  const recall = (reader: string): number =>
    Number((scores[reader]!.all!.found / scores[reader]!.all!.pairs).toFixed(3));
  console.log(
    JSON.stringify({
      name: 'pairs',
      unit: 'share of vulnerable snippets found',
      ours: recall('Lathe'),
      peers: { 'libraries alone': recall('libraries alone') },
      ratio: { 'libraries alone': Number((recall('Lathe') / recall('libraries alone')).toFixed(2)) },
      spread: null,
      scores,
      machine: `${cpus()[0]?.model ?? 'unknown'}, ${availableParallelism()} threads, Node ${process.version}`,
    }),
  );
}
