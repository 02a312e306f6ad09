import { realpath, stat } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import {
  atLeast,
  createScannerPool,
  openGateCache,
  readGateConfig,
  type ScanDocument,
  scanTree,
  toSarif,
  treeOfPath,
} from '@lathe/gates';
import type { Finding, NotLookedFor, Severity, Tree } from '@lathe/protocol';
import { ignoredFiles, type Location, openRepository, resolveCommit } from '@lathe/repository';
import { EXIT, type ExitStatus } from '../exit-status.ts';
import { formatCount, plural } from '../format.ts';
import { endAtInterrupt } from '../make/interrupt.ts';
import { openDisplay } from '../make/open-display.ts';
import { FINDINGS_CACHE } from '../places.ts';
import { plainLine } from '../plain-text.ts';
import { withProbeCopy } from '../probing.ts';
import { type Colors, type Terminal, writeJson } from '../terminal.ts';
import { VERSION } from '../version.ts';
import { writeWhole } from '../write-whole.ts';

export interface ScanFlags {
  readonly base?: string;
  readonly probe?: boolean;
  readonly json?: boolean;
  readonly sarif?: string;
  readonly failOn?: Severity;
}

export async function scan(paths: readonly string[], flags: ScanFlags, terminal: Terminal): Promise<ExitStatus> {
  const documents: ScanDocument[] = [];
  endAtInterrupt();
  const display = await openDisplay(terminal.err);
  try {
    for (const path of paths) {
      display.doing(`scanning ${path}`);
      documents.push(await scanPath(path, flags, terminal));
    }
  } finally {
    display.close();
  }
  const document: ScanDocument = {
    schemaVersion: 1,
    findings: documents.flatMap(({ findings }) => findings),
    notLookedFor: documents.flatMap(({ notLookedFor }) => notLookedFor),
    suppressed: documents.reduce((sum, { suppressed }) => sum + suppressed, 0),
    files: documents.reduce((sum, { files }) => sum + files, 0),
  };
  if (flags.sarif !== undefined) {
    const log = toSarif(document.findings, { version: VERSION, notLookedFor: document.notLookedFor });
    await writeWhole(resolve(terminal.cwd, flags.sarif), `${JSON.stringify(log, null, 2)}\n`);
  }
  if (flags.json === true) writeJson(terminal.out, document);
  else terminal.out.write(inWords(document, terminal.out.colors));
  const { failOn } = flags;
  const reached = failOn !== undefined && document.findings.some(({ severity }) => atLeast(severity, failOn));
  return reached ? EXIT.findings : EXIT.done;
}

function scanPath(path: string, flags: ScanFlags, { cwd }: Terminal): Promise<ScanDocument> {
  const at = resolve(cwd, path);
  return withTarget(at, flags.base ?? null, async (target) => {
    const config = await readGateConfig(target.base ?? target.tree);
    const pool = createScannerPool(config.workers);
    const cache = await openGateCache({ directory: FINDINGS_CACHE, scope: target.root });
    try {
      const { tree, base, paths, above } = target;
      const options = { config, pool, cache, ...(base && { base }), ...(paths && { paths }), ...(above && { above }) };
      const document =
        flags.probe === true
          ? await withProbeCopy(target.root, (workspace) => scanTree(tree, { ...options, workspace }))
          : await scanTree(tree, options);
      return {
        ...document,
        findings: document.findings.map((finding) => fromHere(finding, target, cwd)),
        notLookedFor: [...document.notLookedFor, ...(await target.unseen())],
      };
    } finally {
      await cache.save();
      await pool.close();
    }
  });
}

interface Target {
  readonly tree: Tree;
  /** Folder the tree's paths are relative to. */
  readonly root: string;
  readonly base?: Tree;
  readonly paths?: readonly string[];
  readonly above?: readonly Tree[];
  /** What of the folder cannot be looked at at all. */
  unseen(): Promise<readonly NotLookedFor[]>;
}

/** What was named: a folder or a file as it is, or what the checkout has beyond a commit of it. */
async function withTarget<T>(at: string, revision: string | null, work: (target: Target) => Promise<T>): Promise<T> {
  const tree = await treeOfPath(at);
  const folder = (await stat(at)).isDirectory() ? at : dirname(at);
  if (revision === null) return work({ tree, root: folder, unseen: tree.unseen, above: await tree.above() });
  const repository = await openRepository(folder);
  try {
    const { location } = repository;
    const base = repository.treeAt(await resolveCommit(revision, location));
    const whole = await treeOfPath(location.root);
    const checkout = await withoutIgnored(whole, location);
    const part = relative(location.root, await realpath(at))
      .split(sep)
      .join('/');
    const all = new Set([...(await checkout.list()), ...(await base.list())]);
    const paths = [...all].filter((file) => part === '' || file === part || file.startsWith(`${part}/`)).sort();
    return await work({ tree: checkout, root: location.root, base, paths, unseen: whole.unseen });
  } finally {
    repository.close();
  }
}

async function withoutIgnored(tree: Tree, location: Location): Promise<Tree> {
  const ignored = await ignoredFiles(location);
  const isIgnored = (file: string) => ignored.some((one) => (one.endsWith('/') ? file.startsWith(one) : file === one));
  return {
    list: async () => (await tree.list()).filter((file) => !isIgnored(file)),
    read: (file) => tree.read(file),
    ...(tree.size && { size: tree.size }),
  };
}

/** The finding with its path as it can be opened from here; relative to what was named where that lies elsewhere. */
function fromHere(finding: Finding, { root }: Target, cwd: string): Finding {
  const path = relative(cwd, join(root, finding.path));
  const outside = path.startsWith('..') || isAbsolute(path);
  return outside ? finding : { ...finding, path: path.split(sep).join('/') };
}

function inWords({ findings, notLookedFor, files, suppressed }: ScanDocument, colors: Colors): string {
  const lines = findings.flatMap((finding) => {
    const rule = [finding.rule, finding.cwe].filter((part) => part !== null).join(', ');
    const place = `${plainLine(finding.path)}:${finding.line}`;
    return [
      `${colors.bold(place)}  ${severityInColor(finding.severity, colors)}  ${plainLine(finding.message)}`,
      `  ${colors.dim(`${rule}, ${finding.confidence} confidence`)}`,
      ...(finding.help === undefined ? [] : [`  ${colors.cyan('→')} ${plainLine(finding.help)}`]),
    ];
  });
  if (lines.length > 0) lines.push('');
  for (const { what, why } of notLookedFor)
    lines.push(colors.dim(`not looked for: ${plainLine(what)}: ${plainLine(why)}`));
  const silenced = suppressed === 0 ? '' : `, ${formatCount(suppressed)} more silenced by comments`;
  lines.push(`${plural(findings.length, 'finding')} in ${plural(files, 'file')}${silenced}`);
  return `${lines.join('\n')}\n`;
}

function severityInColor(severity: Severity, colors: Colors): string {
  if (severity === 'critical' || severity === 'high') return colors.red(severity);
  return severity === 'medium' ? colors.yellow(severity) : colors.dim(severity);
}
