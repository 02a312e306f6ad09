import {
  type CommandResult,
  type Event,
  Event as EventShape,
  type FileEdit,
  type Limits,
  type Maker,
  type MakeRequest,
  type MakerNews,
  type Proposal,
  type RunOptions,
  type RunStore,
  type Task,
  type Workspace,
  type WorkspaceSource,
} from '@lathe/protocol';
import type { RecordedCandidate, Recorder } from '../recorder.ts';

export const LIMITS: Limits = {
  timeMs: 10_000,
  memoryBytes: 2 ** 30,
  processes: 64,
  outputBytes: 2 ** 20,
  diskBytes: 2 ** 28,
};

export function edit(path: string, text: string | null, mode: FileEdit['mode'] = '100644'): FileEdit {
  return { path, content: text === null ? null : new TextEncoder().encode(text), mode };
}

export function proposal(index: number, edits: readonly FileEdit[], over: Partial<Proposal> = {}): Proposal {
  return {
    index,
    outcome: 'made',
    reason: null,
    edits,
    answer: `answer ${index}`,
    seed: 1000 + index,
    tokens: { prompt: 10, completion: 5 },
    costUsd: 0,
    durationMs: 7,
    meanLogProbability: -0.5,
    ...over,
  };
}

export function options(over: Partial<RunOptions> = {}): RunOptions {
  return {
    n: 3,
    models: ['fake:a'],
    temperature: null,
    seed: 1,
    maxCostUsd: null,
    maxSeconds: null,
    concurrency: 2,
    keep: 'none',
    unsafeNoSandbox: false,
    ...over,
  };
}

export function task(over: Partial<Task> = {}): Task {
  return { kind: 'instruction', instruction: 'do it', files: [], checks: ['check'], allow: [], ...over };
}

/** A maker whose proposals are scripted; it remembers what it was asked for. */
export function scriptedMaker(
  model: string,
  script: (index: number, request: MakeRequest) => Proposal | Promise<Proposal>,
): Maker & { readonly asked: number[] } {
  const asked: number[] = [];
  return {
    model,
    asked,
    async *make(request: MakeRequest): AsyncIterable<MakerNews> {
      for (const index of request.indices) {
        if (request.signal.aborted) return;
        asked.push(index);
        yield { type: 'phase', indices: [index], phase: 'writing' };
        yield { type: 'proposal', proposal: await script(index, request) };
      }
    },
    close: async () => undefined,
  };
}

export function exited(exitCode: number, outputTail = ''): CommandResult {
  return { ending: 'exited', exitCode, durationMs: 3, outputTail, peakMemoryBytes: 1 };
}

export type FakeRun = (
  command: string,
  files: ReadonlyMap<string, string>,
  context: { id: string; signal: AbortSignal | undefined },
) => CommandResult | Promise<CommandResult>;

/** Copies that are maps from path to text; commands are answered by a function of the edits written. */
export function fakeWorkspaces(
  run: FakeRun,
): WorkspaceSource & { readonly commands: { id: string; command: string }[]; readonly open_: Set<string> } {
  const commands: { id: string; command: string }[] = [];
  const open_ = new Set<string>();
  return {
    isolation: 'none: a fake',
    commands,
    open_,
    withAccess() {
      throw new Error('checks reach nothing beyond their copy');
    },
    async open(id): Promise<Workspace> {
      if (open_.has(id)) throw new Error(`${id} is open already`);
      open_.add(id);
      const files = new Map<string, string>();
      return {
        async write(edits) {
          for (const { path, content } of edits) {
            if (content === null) files.delete(path);
            else files.set(path, new TextDecoder().decode(content));
          }
        },
        async run(command, { signal }) {
          commands.push({ id, command });
          return run(command, files, { id, signal });
        },
        async start() {
          throw new Error('checks are not talked to');
        },
        changes: async () => [],
        async close() {
          open_.delete(id);
        },
      };
    },
  };
}

/** Commits as maps in memory, with the promises a recorder makes: idempotent, refs never move. */
export function memoryRecorder(): Recorder & { readonly recorded: Map<string, RecordedCandidate> } {
  const recorded = new Map<string, RecordedCandidate>();
  const key = (runId: string, index: number) => `refs/lathe/${runId}/${index}`;
  return {
    recorded,
    async recordCandidate({ runId, index, edits, message }) {
      const ref = key(runId, index);
      const refused = edits.filter(({ path }) => path.startsWith('../')).map(({ path }) => ({ path, why: 'outside' }));
      const accepted = edits.filter(({ path }) => !path.startsWith('../'));
      if (accepted.length === 0) return { recorded: null, refused };
      const added = accepted.reduce((sum, { content }) => sum + new TextDecoder().decode(content ?? undefined).split('\n').length, 0);
      const candidate = {
        ref,
        commit: `commit-${index}`,
        message,
        diff: { files: accepted.length, added, deleted: 0 },
        edits: accepted,
      };
      if (!recorded.has(ref)) recorded.set(ref, candidate);
      return { recorded: recorded.get(ref) ?? null, refused };
    },
    findCandidate: async (runId, index) => recorded.get(key(runId, index)) ?? null,
    treeAt: () => ({ list: async () => [], read: async () => null }),
  };
}

export function memoryStore(): RunStore & { readonly events: Event[] } {
  const events: Event[] = [];
  return {
    events,
    async append(_runId, event) {
      events.push(structuredClone(EventShape.parse(event)));
    },
    read: async () => structuredClone(events),
    list: async () => [],
    remove: async () => undefined,
    close: async () => undefined,
  };
}
