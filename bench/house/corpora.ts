/**
 * What a project's model may learn from and what it is asked about: the tree of the day on which 60 % of today's code files
 * existed, without a quarter of its files, and the files that came later. Near copies of what was learned are left out of
 * what is asked, by the curation every model goes through.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { CuratedFile } from '@lathe/house';
import { curated } from '../curated.ts';

export interface Corpora {
  readonly name: string;
  /** Bare clone. */
  readonly git: string;
  readonly split: { readonly commit: string; readonly date: string };
  /** Files of the split's tree to learn from, and a quarter of them, by a hash of the path, that is not. */
  readonly learned: readonly CuratedFile[];
  readonly heldOut: readonly CuratedFile[];
  /** Created after the split. */
  readonly later: readonly CuratedFile[];
}

const LANGUAGES = ['JavaScript', 'TypeScript', 'Python'];
const EXISTED_SHARE = 0.6;

export function git(folder: string, ...args: string[]): string {
  return execFileSync('git', ['-C', folder, '-c', 'core.quotePath=false', ...args], {
    encoding: 'utf8',
    maxBuffer: 2 ** 30,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
}

export async function corporaOf(repository: string, work: string): Promise<Corpora> {
  const name = nameOf(repository);
  const folder = join(work, name);
  mkdirSync(folder, { recursive: true });
  const bare = join(folder, 'repository.git');
  if (!existsSync(bare)) {
    execFileSync('git', ['clone', '-q', '--bare', repository, `${bare}.part`]);
    renameSync(`${bare}.part`, bare);
  }
  const created = creationTimes(bare);
  const code = git(bare, 'ls-tree', '-r', '--name-only', '-z', 'HEAD')
    .split('\0')
    .filter((path) => /\.(?:[cm]?[jt]s|py)$/.test(path));
  const times = code.map((path) => created.get(path) ?? 0).sort((a, b) => a - b);
  const time = times[Math.floor(times.length * EXISTED_SHARE)]!;
  const commit = git(bare, 'rev-list', '-1', '--first-parent', `--before=${time}`, 'HEAD').trim();

  const then = exported(bare, commit, join(folder, 'then'));
  const now = exported(bare, 'HEAD', join(folder, 'now'));
  const existing = new Set(git(bare, 'ls-tree', '-r', '--name-only', '-z', commit).split('\0'));
  const train = await curated([then, now], { languages: LANGUAGES, validationShare: 0 });
  const ofThen = train.filter(({ root }) => root === then);
  return {
    name,
    git: bare,
    split: { commit, date: new Date(time * 1000).toISOString().slice(0, 10) },
    learned: ofThen.filter(({ path }) => !isHeldOut(path)),
    heldOut: ofThen.filter(({ path }) => isHeldOut(path)),
    later: train.filter(({ root, path }) => root === now && !existing.has(path) && (created.get(path) ?? 0) >= time),
  };
}

/** Mirrors are often kept as `owner+name/repo`. */
function nameOf(repository: string): string {
  const parts = repository.replace(/\/+$/, '').split('/');
  const last = basename(parts.at(-1)!, '.git');
  return (last === 'repo' ? parts.at(-2)! : last).replace(/^.*\+/, '');
}

function isHeldOut(path: string): boolean {
  return createHash('sha256').update(path).digest()[0]! % 4 === 0;
}

/** Seconds since the epoch at which each path first appeared. */
function creationTimes(bare: string): Map<string, number> {
  const times = new Map<string, number>();
  let time = 0;
  for (const line of git(
    bare,
    'log',
    '--format=%x00%ct',
    '--diff-filter=A',
    '--name-only',
    '--no-renames',
    'HEAD',
  ).split('\n'))
    if (line.startsWith('\0')) time = Number(line.slice(1));
    else if (line !== '') times.set(line, time);
  return times;
}

function exported(bare: string, revision: string, folder: string): string {
  if (existsSync(folder)) return folder;
  const part = `${folder}.part`;
  rmSync(part, { recursive: true, force: true });
  mkdirSync(part);
  const tar = execFileSync('git', ['-C', bare, 'archive', revision], { maxBuffer: 2 ** 30 });
  execFileSync('tar', ['-x', '-C', part], { input: tar });
  renameSync(part, folder);
  return folder;
}

/** Files in an order that says nothing about them, up to so many bytes: equal amounts of every project. */
export function sample(files: readonly CuratedFile[], bytes: number): CuratedFile[] {
  const taken: CuratedFile[] = [];
  let sum = 0;
  for (const file of [...files].sort((a, b) => (a.sha256 < b.sha256 ? -1 : 1))) {
    if (sum >= bytes) break;
    taken.push(file);
    sum += Buffer.byteLength(file.text);
  }
  return taken;
}
