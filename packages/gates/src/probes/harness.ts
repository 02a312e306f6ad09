import { readFileSync } from 'node:fs';

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
