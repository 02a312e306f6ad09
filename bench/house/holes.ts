/** Functions of a project whose body is cut out and written again by models, each answer run against the project's tests. */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { prepareTask } from '@lathe/makers';
import type { FileEdit, Task, Tree, WorkspaceSource } from '@lathe/protocol';
import { ignoredFiles, openRepository } from '@lathe/repository';
import { createWorkspaceSource, DEFAULT_LIMITS, removeWorkDirectory } from '@lathe/sandbox';
import { openModel } from '@lathe/transformer';

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
const TEMPERATURE = 0.4;
/** Prompt and answer together: what stands around the function, as much as fits. */
const CONTEXT_TOKENS = 1200;
const ANSWER_TOKENS = 200;

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
  const model = await openModel(modelPath, { threads, contextSize: CONTEXT_TOKENS });
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
      const prepared = await prepareTask(task, base, {
        contextTokens: CONTEXT_TOKENS - ANSWER_TOKENS,
        countTokens: (text) => model.tokenizer.encode(text).length,
      });
      const { toEdits, completionPrompt, continuationStop, continuationEnd } = prepared;
      const cut = await toEdits("\n  throw new Error('not written');\n};\n", 'completion');
      if ('invalid' in cut || (await passes(cut.edits, hole.check)))
        throw new Error(`${name}: ${hole.check} does not fail without its body`);
      const { rows } = await model.generate({
        prompt: model.tokenizer.encode(completionPrompt!, { addSpecial: true }),
        n,
        seed: SEED,
        temperature: TEMPERATURE,
        maxTokens: ANSWER_TOKENS,
        stop: continuationStop,
        stopWhen: continuationEnd ?? null,
      });
      let passed = 0;
      for (const { text, finish } of rows) {
        const answer = await toEdits(text, 'completion', finish === 'length');
        if ('edits' in answer && (await passes(answer.edits, hole.check))) passed++;
      }
      filled.push({ hole: name, made: n, passed });
      console.error(`  ${name}: ${passed} of ${n}`);
    }
    await workspaces.close();
    return filled;
  } finally {
    await model.close();
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
