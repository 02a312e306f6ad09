import type { BaseCheck, CandidateStatus, DiffSize } from '@lathe/protocol';
import prettyMs from 'pretty-ms';
import { plainLine } from './plain-text.ts';
import type { Colors } from './terminal.ts';

export function formatDuration(ms: number): string {
  return ms < 1000
    ? `${Math.round(ms)} ms`
    : prettyMs(ms, { secondsDecimalDigits: ms < 60_000 ? 1 : 0, keepDecimalsOnWholeSeconds: true }).replace(
        /(\d)(ms|[smhd])/g,
        '$1 $2',
      );
}

const thousands = new Intl.NumberFormat('en');

export function formatCount(count: number): string {
  return thousands.format(Math.round(count));
}

export function formatUsd(usd: number): string {
  return `$${usd.toFixed(usd > 0 && usd < 0.1 ? 4 : 2)}`;
}

/** `+12 −1`, with the number of files where it is more than one. */
export function formatDiff(diff: DiffSize | null): string {
  if (diff === null || diff.files === 0) return '';
  return `+${diff.added} −${diff.deleted}${diff.files > 1 ? ` in ${diff.files}` : ''}`;
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}

/** A candidate's end with its mark. The mark says it without colour too. */
export function formatStatus(status: CandidateStatus, colors: Colors): string {
  switch (status) {
    case 'passed':
      return colors.green('✔ passed');
    case 'failed':
      return colors.red('✖ failed');
    case 'timed-out':
      return colors.red('✖ timed out');
    case 'invalid':
      return colors.yellow('– invalid');
    case 'error':
      return colors.red('! error');
  }
}

/** `npm test fails on the base`. */
export function formatBaseCheck(check: BaseCheck): string {
  const how = {
    passed: 'passes on the base',
    failed: 'fails on the base',
    flaky: 'is flaky on the base: two runs disagreed',
    'timed-out': 'runs out of time on the base',
    error: 'could not be run on the base',
  }[check.outcome];
  return `${plainLine(check.command)} ${how} (${formatDuration(check.durationMs)})`;
}

/** `12.3 %` */
export function percent(rate: number): string {
  return `${(rate * 100).toFixed(1)} %`;
}
