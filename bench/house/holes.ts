/** Functions of a project whose body is cut out and written again by models, each answer run against the project's tests. */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLocalMaker, prepareTask } from '@lathe/makers';
import type { FileEdit, Task, Tree, WorkspaceSource } from '@lathe/protocol';
import { ignoredFiles, openRepository } from '@lathe/repository';
import { createWorkspaceSource, DEFAULT_LIMITS, removeWorkDirectory } from '@lathe/sandbox';

export interface Hole {
  readonly file: string;
  readonly name: string;
  /** Shell command in the checkout that tells a right body from a wrong one. */
  readonly check: string;
}

/** `FILE:NAME=COMMAND` */
export function holeOf(text: string): Hole {
  const [, file, name, check] = /^([^:]+):([^=]+)=(.+)$/.exec(text) ?? [];
  if (file === undefined || name === undefined || check === undefined)
    throw new Error(`--hole: expected FILE:NAME=COMMAND, got ${text}`);
  return { file, name, check };
}

export interface Filled {
  readonly hole: string;
  readonly made: number;
  readonly passed: number;
}

const SEED = 1;

/**
 * Passes of n answers for each hole. Throws where the check fails on the checkout as it is, or passes without the body: the
 * function is then not tested by it.
 */
export async function fillHoles(
  checkout: string,
  holes: readonly Hole[],
  modelPath: string,
  n: number,
  threads: number,
): Promise<Filled[]> {
  const ground = await mkdtemp(join(tmpdir(), 'lathe-holes-'));
  const repository = await openRepository(checkout);
  const maker = createLocalMaker({ model: 'local:bench', modelPath, threads });
  try {
    await repository.exportTree('HEAD', join(ground, 'base'));
    const workspaces = await createWorkspaceSource({
      baseDirectory: join(ground, 'base'),
      checkoutDirectory: checkout,
      workDirectory: join(ground, 'work'),
      ignoredFiles: () => ignoredFiles(repository.location),
    });
    const passes = await passesIn(workspaces);
    const base: Tree = { list: async () => [], read: async (path) => readFileSync(join(checkout, path)) };
    const filled: Filled[] = [];
    for (const hole of holes) {
      const name = `${hole.file}:${hole.name}`;
      const task: Task = {
        kind: 'hole',
        instruction: '',
        at: { file: hole.file, name: hole.name },
        files: [],
        checks: [hole.check],
        allow: [],
      };
      if (!(await passes([], hole.check))) throw new Error(`${name}: ${hole.check} fails on the checkout as it is`);
      const { toEdits } = await prepareTask(task, base, { contextTokens: 8192, countTokens: (text) => text.length });
      const cut = await toEdits("\n  throw new Error('not written');\n};\n", 'completion');
      if ('invalid' in cut || (await passes(cut.edits, hole.check)))
        throw new Error(`${name}: ${hole.check} does not fail without its body`);
      let [made, passed] = [0, 0];
      const signal = new AbortController().signal;
      const indices = Array.from({ length: n }, (_, i) => i);
      const budget = { availableUsd: Number.POSITIVE_INFINITY, reserve: () => ({ settle: () => undefined }) };
      const request = { task, base, indices, seed: SEED, temperature: null, budget, workspaces, signal };
      for await (const news of maker.make(request)) {
        if (news.type !== 'proposal') continue;
        made++;
        if (news.proposal.outcome === 'made' && (await passes(news.proposal.edits, hole.check))) passed++;
      }
      filled.push({ hole: name, made, passed });
      console.error(`  ${name}: ${passed} of ${made}`);
    }
    await workspaces.close();
    return filled;
  } finally {
    await maker.close();
    repository.close();
    await removeWorkDirectory(join(ground, 'work'));
    await rm(ground, { recursive: true, force: true });
  }
}

async function passesIn(workspaces: WorkspaceSource) {
  let number = 0;
  return async (edits: readonly FileEdit[], check: string): Promise<boolean> => {
    const copy = await workspaces.open(`copy${number++}`);
    try {
      await copy.write(edits);
      const { exitCode, ending } = await copy.run(check, { limits: { ...DEFAULT_LIMITS, timeMs: 60_000 } });
      return ending === 'exited' && exitCode === 0;
    } finally {
      await copy.close();
    }
  };
}
