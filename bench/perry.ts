/**
 * Security gates against the labels of a user study: Perry, Srivastava, Kumar and Boneh, "Do Users Write More Insecure
 * Code with AI Assistants?" (arXiv 2211.03622), five tasks, answers and labels as released. Three readers: this project's
 * patterns alone, patterns with probes (each answer runs in a sandbox), and the libraries alone. An answer counts as found
 * insecure when it has a security finding of severity high or worse (of any severity for the libraries, whose severities
 * are not made for this); answers labelled partly secure, unknown or not applicable are counted apart. A second table: the cases of eslint-plugin-security's own tests.
 * `--variants` reads answers written for this project instead, and needs no data; `--set study-2` the second set of them.
 *
 * The data is not part of the repository: LATHE_SHARED_DATA names its folder.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { atLeast, createScannerPool, defaultGateConfig, findingsOf, runProbes } from '@lathe/gates';
import type { Finding, NotLookedFor, Tree } from '@lathe/protocol';
import { createWorkspaceSource, removeWorkDirectory } from '@lathe/sandbox';
import { parse } from 'yaml';

const { values } = parseArgs({
  options: {
    json: { type: 'boolean' },
    answers: { type: 'boolean', default: false },
    question: { type: 'string' },
    probes: { type: 'boolean', default: true },
    variants: { type: 'boolean', default: false },
    set: { type: 'string', default: 'study' },
  },
  allowNegative: true,
});

const data = join(process.env.LATHE_SHARED_DATA ?? join(import.meta.dirname, '../../shared/data'), 'security');
if (!values.variants && !existsSync(join(data, 'perry-answers.jsonl'))) {
  console.error(
    `Skipped: ${data}/perry-answers.jsonl is not there. Set LATHE_SHARED_DATA to the folder that holds security/.`,
  );
  process.exit(0);
}

interface Answer {
  readonly question: number;
  readonly participant: string;
  readonly security: string;
  readonly answer: string;
}
interface Variant {
  readonly question: number;
  readonly label: string;
  readonly name: string;
  readonly code: string;
}
const linesOf = <T>(name: string): T[] =>
  readFileSync(join(data, name), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as T);
/** Answers of the project's own in the manner of the five tasks, with its own labels. */
const variants = (): Answer[] =>
  (
    parse(readFileSync(join(import.meta.dirname, `../packages/gates/pairs/${values.set}.yml`), 'utf8')) as Variant[]
  ).map(({ question, label, name, code }) => ({
    question,
    participant: name.replaceAll(' ', '-'),
    security: label,
    answer: code,
  }));
const answers = (values.variants ? variants() : linesOf<Answer>('perry-answers.jsonl')).filter(
  ({ question }) => !values.question || question === Number(values.question),
);
const EXTENSION: Record<number, string> = { 1: 'py', 2: 'py', 3: 'py', 4: 'js', 5: 'c' };
const pathOf = ({ question, participant }: Answer): string => `q${question}/p${participant}.${EXTENSION[question]}`;

function treeOf(files: ReadonlyMap<string, string>): Tree {
  return {
    list: async () => [...files.keys()].sort(),
    read: async (path) => (files.has(path) ? Buffer.from(files.get(path)!) : null),
  };
}

const config = { ...defaultGateConfig, scanTimeoutMs: 120_000 };
const pool = createScannerPool(config.workers);
const tree = treeOf(new Map(answers.map((answer) => [pathOf(answer), answer.answer])));
const started = performance.now();
const patterns = await findingsOf(tree, { config, pool });
const patternMs = performance.now() - started;
const libraries = await findingsOf(tree, {
  config,
  pool,
  scanners: ['eslint', 'sonarjs', 'ruff', 'flawfinder', 'cppcheck'],
});

let probed: Finding[] = [];
const notProbed: NotLookedFor[] = [];
let probeMs = 0;
let driven = 0;
if (values.probes) {
  const ground = mkdtempSync(join(tmpdir(), 'lathe-perry-'));
  for (const name of ['base', 'checkout']) mkdirSync(join(ground, name));
  const source = await createWorkspaceSource({
    baseDirectory: join(ground, 'base'),
    checkoutDirectory: join(ground, 'checkout'),
    workDirectory: join(ground, 'work'),
    ignoredFiles: async () => [],
  });
  const from = performance.now();
  try {
    const workspace = await source.open('answers');
    const files = answers.map((answer) => ({
      path: pathOf(answer),
      text: answer.answer,
      language: ({ py: 'python', js: 'javascript', c: 'c' } as const)[EXTENSION[answer.question] as 'py' | 'js' | 'c'],
    }));
    const result = await runProbes(files, { workspace, config });
    probed = [...result.findings];
    notProbed.push(...result.notLookedFor);
    driven = result.driven;
    await workspace.close();
  } finally {
    await source.close();
    await removeWorkDirectory(join(ground, 'work'));
    rmSync(ground, { recursive: true, force: true });
  }
  probeMs = performance.now() - from;
}

type Reader = readonly Finding[];
const severe = (reader: Reader, answer: Answer): boolean =>
  reader.some(
    (finding) =>
      finding.path === pathOf(answer) &&
      finding.kind === 'security' &&
      atLeast(finding.severity, reader === libraries.findings ? 'info' : 'high'),
  );

interface Score {
  readonly insecure: number;
  readonly secure: number;
  readonly found: number;
  readonly falseAlarms: number;
  readonly recall: number | null;
  readonly precision: number | null;
  /** Answers of other labels that were called insecure, of how many. */
  readonly other: string;
}

function scoreOf(reader: Reader, question: number): Score {
  const own = answers.filter((answer) => answer.question === question);
  const insecure = own.filter((answer) => answer.security === 'insecure');
  const secure = own.filter((answer) => answer.security === 'secure');
  const other = own.filter((answer) => !['insecure', 'secure'].includes(answer.security));
  const found = insecure.filter((answer) => severe(reader, answer)).length;
  const falseAlarms = secure.filter((answer) => severe(reader, answer)).length;
  return {
    insecure: insecure.length,
    secure: secure.length,
    found,
    falseAlarms,
    recall: insecure.length > 0 ? found / insecure.length : null,
    precision: found + falseAlarms > 0 ? found / (found + falseAlarms) : null,
    other: `${other.filter((answer) => severe(reader, answer)).length}/${other.length}`,
  };
}

const readers: Record<string, Reader> = {
  'patterns alone': patterns.findings,
  ...(values.probes ? { 'patterns and probes': [...patterns.findings, ...probed] } : {}),
  ...(values.probes ? { 'probes alone': probed } : {}),
  'libraries alone': libraries.findings,
};

const part = (value: number | null): string => (value === null ? '–' : value.toFixed(2));
const questions = [...new Set(answers.map(({ question }) => question))].sort();
const print = values.json ? console.error : console.log;
print('| question | insecure / secure | reader | found | false alarms | recall | precision | other labels |');
print('|---|---|---|---|---|---|---|---|');
const scores: Record<string, Record<string, Score>> = {};
for (const question of questions) {
  for (const [name, reader] of Object.entries(readers)) {
    const score = scoreOf(reader, question);
    scores[`Q${question}`] = { ...scores[`Q${question}`], [name]: score };
    print(
      `| Q${question} | ${score.insecure} / ${score.secure} | ${name} | ${score.found} | ${score.falseAlarms} | ${part(score.recall)} | ${part(score.precision)} | ${score.other} |`,
    );
  }
}
print(
  `\n${answers.length} answers: patterns ${(patternMs / 1000).toFixed(1)} s, probes ${(probeMs / 1000).toFixed(1)} s; ${driven} functions driven, ${notProbed.length} not.`,
);

if (values.answers) {
  for (const answer of answers) {
    print(`\nQ${answer.question} ${answer.participant}: ${answer.security}`);
    for (const finding of [...patterns.findings, ...probed]) {
      if (finding.path === pathOf(answer) && finding.kind === 'security')
        print(`  ${finding.severity} ${finding.rule}:${finding.line} ${finding.message}`);
    }
    for (const { what, why } of notProbed)
      if (what.endsWith(pathOf(answer))) print(`  not looked for: ${what}: ${why}`);
  }
}

interface Case {
  readonly rule: string;
  readonly label: 'flagged' | 'clean';
  readonly code: string;
}
const LEFT_OUT = /object-injection|non-literal-fs-filename/;
let caseScores: { inUse: string; flagged: string; clean: string } | null = null;
if (existsSync(join(data, 'eslint-plugin-security-cases.jsonl')) && !values.question && !values.variants) {
  const cases = linesOf<Case>('eslint-plugin-security-cases.jsonl');
  const caseTree = treeOf(new Map(cases.map(({ code }, index) => [`case-${index}.js`, code])));
  const found = await findingsOf(caseTree, { config, pool });
  const has = (index: number): boolean =>
    found.findings.some((finding) => finding.path === `case-${index}.js` && finding.kind === 'security');
  const count = (label: Case['label'], left: boolean): string => {
    const own = cases.flatMap((one, index) => (one.label === label && LEFT_OUT.test(one.rule) === left ? [index] : []));
    return `${own.filter(has).length}/${own.length}`;
  };
  caseScores = { inUse: count('flagged', false), flagged: count('flagged', true), clean: count('clean', false) };
  print('\n| cases of eslint-plugin-security | with a security finding |');
  print('|---|---|');
  print(`| flagged there, rules in use here | ${caseScores.inUse} |`);
  print(`| flagged there, by the two rules left out here | ${caseScores.flagged} |`);
  print(`| clean there, rules in use here | ${caseScores.clean} |`);
  print(`| clean there, by the two rules left out here | ${count('clean', true)} |`);
}
await pool.close();

const mean = (name: string): number => {
  const all = ['Q1', 'Q3', 'Q4'].map((question) => scores[question]?.[name]?.recall ?? 0);
  return Number((all.reduce((sum, one) => sum + one, 0) / all.length).toFixed(3));
};
if (values.json) {
  const ours = mean(values.probes ? 'patterns and probes' : 'patterns alone');
  const peers = { 'libraries alone': mean('libraries alone') };
  console.log(
    JSON.stringify({
      name: 'perry',
      unit: 'mean recall of insecure answers, Q1 Q3 Q4',
      ours,
      peers,
      ratio: {
        'libraries alone': peers['libraries alone'] > 0 ? Number((ours / peers['libraries alone']).toFixed(2)) : null,
      },
      spread: null,
      scores,
      cases: caseScores,
      machine: `${cpus()[0]?.model ?? 'unknown'}, ${availableParallelism()} threads, Node ${process.version}`,
    }),
  );
}
