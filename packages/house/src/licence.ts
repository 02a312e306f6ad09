import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parse as parseToml } from 'smol-toml';
import { licenceName, licencesIn, NOT_RECOGNISED, NOT_SAID, stem } from './licence-name.ts';
import { licenceOfHead, licenceOfText } from './licence-text.ts';

/** Where it is said under which licence a file is. */
export type LicenceSource = 'the file' | 'a manifest' | 'a licence file' | 'a manifest and a licence file' | 'nowhere';

export interface Licence {
  /** An SPDX expression; `NOASSERTION` where nothing is said, else what is written there. */
  readonly name: string;
  readonly from: LicenceSource;
}

const NOWHERE: Licence = { name: NOT_SAID, from: 'nowhere' };
/** Characters of a file in which its licence is looked for: a whole BSD text fits. */
const HEAD_CHARACTERS = 4000;
const LARGEST_LICENCE_BYTES = 2 ** 20;
const KEPT_FOLDERS = 4096;
const LICENCE_FILE = /^(?:licen[sc]e|copying|unlicen[sc]e)(?:[-_.][\w+.-]*)?$/i;
/** `license.js` is a program, and `docs/license.rst` a page; `LICENSE.rst` is meant. */
const OTHER_FILE =
  /\.(?:[cm]?[jt]sx?|vue|svelte|py|rb|go|rs|java|cs|php|sh|c|h|cc|cpp|css|json|ya?ml|toml|xml|rst|html|adoc)$/;
const MEANT = /^[A-Z]+\.(?:rst|html|adoc)$/;
const isLicenceFile = (name: string) => LICENCE_FILE.test(name) && (MEANT.test(name) || !OTHER_FILE.test(name));

/**
 * Finds the licence of files: what a file says itself (`SPDX-License-Identifier:`, or a usual sentence at its head); else
 * the nearest folder above it, up to the top of its repository, with a licence file or a manifest that names one. Manifest and
 * licence file of one folder that disagree both hold.
 */
export class Licences {
  #folders = new Map<string, Promise<Licence | null>>();

  async of(file: string, text: string, top: string): Promise<Licence> {
    const own = licenceOfHead(text.slice(0, HEAD_CHARACTERS));
    if (own !== null) return { name: licenceName(own), from: 'the file' };
    for (let folder = dirname(file); ; folder = dirname(folder)) {
      const found = await this.#inFolder(folder);
      if (found !== null) return found;
      if (folder === top || folder === dirname(folder)) return NOWHERE;
    }
  }

  #inFolder(folder: string): Promise<Licence | null> {
    const known = this.#folders.get(folder);
    if (known) return known;
    // Files come by path, so those asked about again soon are the latest: what is dropped now and then costs little.
    if (this.#folders.size >= KEPT_FOLDERS) this.#folders.clear();
    const found = licenceOfFolder(folder);
    this.#folders.set(folder, found);
    return found;
  }
}

async function licenceOfFolder(folder: string): Promise<Licence | null> {
  const names = (await readdir(folder).catch(() => [])).sort();
  const manifest = await manifestLicence(folder, names);
  const texts: string[] = [];
  for (const name of names.filter(isLicenceFile)) {
    const text = await smallFile(join(folder, name));
    if (text !== null) texts.push((await licenceOfText(text)) ?? NOT_RECOGNISED);
  }
  const file = texts.length === 0 ? null : [...new Set(texts)].join(' AND ');
  if (manifest === null) return file === null ? null : { name: file, from: 'a licence file' };
  const said = licencesIn(manifest).map(stem);
  const both = file !== null && file !== NOT_RECOGNISED && !licencesIn(file).every((one) => said.includes(stem(one)));
  if (!both) return { name: manifest, from: 'a manifest' };
  const name = / OR /.test(manifest) ? `(${manifest}) AND ${file}` : `${manifest} AND ${file}`;
  return { name, from: 'a manifest and a licence file' };
}

type Table = Readonly<Record<string, unknown>>;

/** Where package managers' manifests name a licence. */
const MANIFESTS: Readonly<Record<string, (content: string) => unknown>> = {
  'package.json': (content) => {
    const { license, licenses } = JSON.parse(content) as Table;
    return license ?? (Array.isArray(licenses) ? licenses.map(typeOf).join(' OR ') : undefined);
  },
  'composer.json': (content) => {
    const { license } = JSON.parse(content) as Table;
    return Array.isArray(license) ? license.join(' OR ') : license;
  },
  'Cargo.toml': (content) => (parseToml(content).package as Table | undefined)?.license,
  'pyproject.toml': (content) => {
    const { project, tool } = parseToml(content) as { project?: Table; tool?: { poetry?: Table } };
    const license = project?.license ?? tool?.poetry?.license;
    return typeof license === 'object' && license !== null ? (license as Table).text : license;
  },
};

function typeOf(license: unknown): unknown {
  return typeof license === 'object' && license !== null ? (license as Table).type : license;
}

async function manifestLicence(folder: string, names: readonly string[]): Promise<string | null> {
  for (const [manifest, licenceIn] of Object.entries(MANIFESTS)) {
    if (!names.includes(manifest)) continue;
    const content = await smallFile(join(folder, manifest));
    if (content === null) continue;
    let said: unknown;
    try {
      said = typeOf(licenceIn(content));
    } catch {
      // A manifest that does not parse names no licence; what does not parse is not this file's matter.
      continue;
    }
    if (typeof said === 'string' && said.trim() !== '' && said.length < 200 && !/^SEE LICEN[SC]E IN /i.test(said))
      return licenceName(said);
  }
  return null;
}

/** Null for what is no file of ordinary size: a pipe would never end. */
async function smallFile(path: string): Promise<string | null> {
  const found = await stat(path).catch(() => null);
  if (!found?.isFile() || found.size > LARGEST_LICENCE_BYTES) return null;
  return readFile(path, 'utf8').catch(() => null);
}
