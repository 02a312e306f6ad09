import { readFileSync } from 'node:fs';
import { withoutTypes } from './javascript.ts';
import type { Probe } from './probe.ts';

const LOADED = new Map<string, string>();

/** Text of a file beside this one's `harness` folder: the half of a probe that runs where the candidate runs. */
export function harnessFile(name: string): string {
  let text = LOADED.get(name);
  if (text === undefined) {
    text = readFileSync(new URL(`./harness/${name}`, import.meta.url), 'utf8');
    LOADED.set(name, text);
  }
  return text;
}

export function harnessFiles(...names: string[]): ReadonlyMap<string, string> {
  return new Map(names.map((name) => [name, harnessFile(name)]));
}

/** A probe whose harness is `<name>.py` for Python and `<name>.cjs` for JavaScript and TypeScript, each beside its loader. */
export function inBothLanguages(name: string): Pick<Probe, 'target' | 'files' | 'command'> {
  return {
    target: withoutTypes,
    files: ({ language }) =>
      language === 'python'
        ? harnessFiles('lathe_candidate.py', `${name}.py`)
        : harnessFiles('candidate.cjs', 'node_candidate.cjs', `${name}.cjs`),
    command: (folder, target) =>
      target.endsWith('.py') ? `python3 ${folder}/${name}.py ${target}` : `node ${folder}/${name}.cjs ${target}`,
  };
}
