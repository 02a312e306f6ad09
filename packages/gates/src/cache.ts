import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { deserialize, serialize } from 'node:v8';
import type { GateConfig } from './config.ts';
import type { FileReport, SourceFile } from './finding.ts';
import type { Lines } from './quality/lines.ts';
import type { ScannerName } from './scanners/scanner.ts';

/** Where what was found is kept between runs, and for what: one file of the folder for each scope, e.g. a repository's path. */
export interface CachePlace {
  readonly directory: string;
  readonly scope: string;
}

/**
 * What scanners said of a file, and the hashes of its lines, by content: a second run looks only at what changed.
 * Everything is keyed by this package's own code and rules too, so that a new version asks again.
 */
export interface GateCache {
  report(scanner: ScannerName, file: SourceFile, config: GateConfig): FileReport | null;
  keepReport(scanner: ScannerName, file: SourceFile, config: GateConfig, report: FileReport): void;
  /** By an id of the content: git's, or its hash. */
  lines(contentId: string): Lines | null;
  keepLines(contentId: string, lines: Lines): void;
  /** Writes what is new. Never throws: a cache that cannot be written costs time, not the run. */
  save(): Promise<void>;
}

/** Entries kept at most; those unused for the longest go first. About 200 bytes each. */
const MOST_ENTRIES = 200_000;
/** Runs after which an entry nobody asked for goes. */
const UNUSED_RUNS = 20;
/** Files of other scopes that are kept in the folder. */
const MOST_SCOPES = 100;

interface Entry {
  value: unknown;
  /** Number of the run that used it last. */
  used: number;
}

interface Stored {
  readonly version: string;
  readonly run: number;
  readonly entries: ReadonlyMap<string, Entry>;
}

let ownVersion: string | null = null;

/** Hash of the code and rules of this package: what any of them says may change with any of them. */
function versionOfThis(): string {
  if (ownVersion) return ownVersion;
  const root = fileURLToPath(new URL('..', import.meta.url));
  const hash = createHash('sha256')
    .update(process.version)
    .update(readFileSync(join(root, 'package.json')));
  for (const folder of ['src', 'rules']) {
    const names = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).sort();
    for (const name of names) {
      if (/(?<!\.test)\.(ts|yml)$/.test(name)) hash.update(name).update(readFileSync(join(root, folder, name)));
    }
  }
  ownVersion = hash.digest('hex');
  return ownVersion;
}

/** Scanners whose answer depends on what else is installed, and may change with nothing of ours changing. */
const NOT_KEPT: ReadonlySet<ScannerName> = new Set(['sonarjs', 'flawfinder', 'cppcheck']);

export function isKept(scanner: ScannerName): boolean {
  return !NOT_KEPT.has(scanner);
}

/** Opens the cache of a scope; one that is missing, of another version or damaged is an empty one. */
export async function openGateCache({ directory, scope }: CachePlace): Promise<GateCache> {
  const name = `${createHash('sha256').update(scope).digest('hex').slice(0, 24)}.v1`;
  const path = join(directory, name);
  const version = versionOfThis();
  const stored = await readStored(path, version);
  const run = (stored?.run ?? 0) + 1;
  const entries = new Map(stored?.entries);
  const configs = new WeakMap<GateConfig, string>();
  const texts = new WeakMap<SourceFile, string>();
  let changed = false;

  const keyOf = (scanner: ScannerName, file: SourceFile, config: GateConfig): string => {
    const settings = configs.get(config) ?? sha256(JSON.stringify(config));
    const content = texts.get(file) ?? sha256(`${file.language}\0${file.path}\0${file.text}`);
    configs.set(config, settings);
    texts.set(file, content);
    return `${scanner} ${settings} ${content}`;
  };
  const get = (key: string): unknown => {
    const entry = entries.get(key);
    if (!entry) return undefined;
    if (entry.used !== run) {
      entry.used = run;
      changed = true;
    }
    return entry.value;
  };
  const set = (key: string, value: unknown): void => {
    entries.set(key, { value, used: run });
    changed = true;
  };

  return {
    report(scanner, file, config) {
      const value = get(keyOf(scanner, file, config));
      if (value === undefined) return null;
      return value === null
        ? { path: file.path, findings: [], suppressed: [], syntaxError: null }
        : (value as FileReport);
    },
    keepReport(scanner, file, config, report) {
      const empty = report.findings.length === 0 && report.suppressed.length === 0 && !report.syntaxError;
      set(keyOf(scanner, file, config), empty ? null : report);
    },
    lines: (contentId) => (get(`lines ${contentId}`) as Lines | undefined) ?? null,
    keepLines: (contentId, lines) => set(`lines ${contentId}`, lines),
    async save() {
      if (!changed) return;
      changed = false;
      const kept = [...entries].filter(([, entry]) => run - entry.used < UNUSED_RUNS);
      kept.sort(([, a], [, b]) => b.used - a.used);
      await write(directory, name, { version, run, entries: new Map(kept.slice(0, MOST_ENTRIES)) }).catch(
        () => undefined,
      );
    },
  };
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}

async function readStored(path: string, version: string): Promise<Stored | null> {
  try {
    const bytes = await readFile(path);
    const body = bytes.subarray(32);
    if (!createHash('sha256').update(body).digest().equals(bytes.subarray(0, 32))) return null;
    const stored = deserialize(body) as Stored;
    return stored.version === version ? stored : null;
  } catch {
    return null;
  }
}

/** Written beside and renamed, so that a reader sees a whole file or none; the last of two writers wins. */
async function write(directory: string, name: string, stored: Stored): Promise<void> {
  await mkdir(directory, { recursive: true });
  const body = serialize(stored);
  const temporary = join(directory, `${name}.${process.pid}`);
  try {
    await writeFile(temporary, [createHash('sha256').update(body).digest(), body]);
    await rename(temporary, join(directory, name));
  } finally {
    await rm(temporary, { force: true });
  }
  await removeOldest(directory);
}

async function removeOldest(directory: string): Promise<void> {
  const names = (await readdir(directory)).filter((name) => name.endsWith('.v1'));
  if (names.length <= MOST_SCOPES) return;
  const aged = await Promise.all(
    names.map(async (name) => ({ name, at: (await stat(join(directory, name)).catch(() => null))?.mtimeMs ?? 0 })),
  );
  aged.sort((a, b) => b.at - a.at);
  await Promise.all(aged.slice(MOST_SCOPES).map(({ name }) => rm(join(directory, name), { force: true })));
}
