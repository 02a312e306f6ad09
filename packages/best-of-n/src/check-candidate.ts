import type { BaseCheck, CheckResult, CommandResult, Limits, Workspace } from '@lathe/protocol';

/**
 * Runs the checks in order until one does not pass; the rest are `skipped`. Yields each result as it is there. Stops
 * without a result for the check at hand when the signal fires.
 */
export async function* runChecks(request: {
  checks: readonly string[];
  workspace: Workspace;
  limits: Limits;
  base: readonly BaseCheck[];
  signal: AbortSignal;
  /** Told before a command starts. */
  onStart: (command: string) => void;
}): AsyncGenerator<CheckResult> {
  let stopped = false;
  for (const command of request.checks) {
    if (stopped) {
      yield { command, status: 'skipped', exitCode: null, durationMs: 0, reason: 'an earlier check did not pass' };
      continue;
    }
    if (request.signal.aborted) return;
    request.onStart(command);
    const result = await request.workspace.run(command, { limits: request.limits, signal: request.signal });
    if (result.ending === 'cancelled') return;
    const check = toCheckResult(command, result, request.limits, request.base);
    stopped = check.status !== 'passed';
    yield check;
  }
}

function toCheckResult(
  command: string,
  result: CommandResult,
  limits: Limits,
  base: readonly BaseCheck[],
): CheckResult {
  const { ending, exitCode, durationMs, outputTail } = result;
  const common = { command, exitCode: ending === 'exited' ? exitCode : null, durationMs, outputTail };
  if (ending === 'exited' && exitCode === 0) return { ...common, status: 'passed' };
  const why = ending === 'exited' ? `exit ${exitCode}` : limitReason(ending, limits);
  const remark = baseRemark(base.find((check) => check.command === command));
  return { ...common, status: ending === 'timed-out' ? 'timed-out' : 'failed', reason: why + remark };
}

function limitReason(ending: Exclude<CommandResult['ending'], 'exited'>, limits: Limits): string {
  switch (ending) {
    case 'timed-out':
      return `time limit of ${limits.timeMs / 1000} s exceeded`;
    case 'memory':
      return `memory limit of ${mebibytes(limits.memoryBytes)} exceeded`;
    case 'processes':
      return `limit of ${limits.processes} processes exceeded`;
    case 'output':
      return `output limit of ${mebibytes(limits.outputBytes)} exceeded`;
    case 'disk':
      return `disk limit of ${mebibytes(limits.diskBytes)} exceeded`;
    case 'cancelled':
      return 'cancelled';
  }
}

function mebibytes(bytes: number): string {
  return bytes >= 2 ** 20 ? `${Math.round(bytes / 2 ** 20)} MiB` : `${Math.round(bytes / 2 ** 10)} KiB`;
}

/** Says where a failure need not be the candidate's doing. */
function baseRemark(check: BaseCheck | undefined): string {
  if (check === undefined || check.outcome === 'passed') return '';
  if (check.outcome === 'flaky') return ' (this check is flaky: two runs on the base disagreed)';
  return ' (the base fails this check too)';
}
