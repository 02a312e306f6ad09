import type { BaseCheck, CommandResult, Limits, WorkspaceSource } from '@lathe/protocol';

/**
 * Runs every check twice on untouched copies of the base, so that a failure the base already has is not blamed on a
 * candidate and a check that cannot make up its mind is known. A check that runs into a limit is not tried again.
 */
export async function checkBase(request: {
  checks: readonly string[];
  workspaces: WorkspaceSource;
  limits: Limits;
  signal: AbortSignal;
}): Promise<BaseCheck[]> {
  const first = await once('base-1', request.checks, request);
  const again = request.checks.filter((_, i) => first[i]?.ending === 'exited');
  const second = new Map(zip(again, await once('base-2', again, request)));
  return request.checks.map((command, i) => judge(command, first[i]!, second.get(command)));
}

async function once(
  id: string,
  checks: readonly string[],
  { workspaces, limits, signal }: { workspaces: WorkspaceSource; limits: Limits; signal: AbortSignal },
): Promise<CommandResult[]> {
  if (checks.length === 0) return [];
  const workspace = await workspaces.open(id);
  try {
    const results: CommandResult[] = [];
    for (const command of checks) {
      signal.throwIfAborted();
      results.push(await workspace.run(command, { limits, signal }));
    }
    signal.throwIfAborted();
    return results;
  } finally {
    await workspace.close();
  }
}

function judge(command: string, first: CommandResult, second: CommandResult | undefined): BaseCheck {
  const outcome = outcomeOf(first);
  const differs = second !== undefined && outcomeOf(second) !== outcome;
  return {
    command,
    outcome: differs ? 'flaky' : outcome,
    durationMs: first.durationMs,
    outputTail: (differs && outcome === 'passed' ? second : first).outputTail,
  };
}

function outcomeOf(result: CommandResult): 'passed' | 'failed' | 'timed-out' {
  if (result.ending === 'timed-out') return 'timed-out';
  return result.ending === 'exited' && result.exitCode === 0 ? 'passed' : 'failed';
}

function zip<A, B>(left: readonly A[], right: readonly B[]): [A, B][] {
  return left.map((one, i) => [one, right[i]!]);
}
