import type { Finding } from '@lathe/protocol';
import type { SourceFile } from '../finding.ts';

/** A weakness a probe brought about, with the input that did it. */
export type Break = Pick<Finding, 'rule' | 'cwe' | 'severity' | 'line' | 'message' | 'help'>;

export interface ProbeVerdict {
  readonly breaks: readonly Break[];
  /** Why the function could not be driven, or null where it was. */
  readonly unusable: string | null;
}

/** Functions of one shape, and how to attack them. */
export interface Probe {
  readonly name: string;
  /** In words, for what was not looked for. */
  readonly looksFor: string;
  /** Whether a file has a function of the shape. Wide: the harness finds out for itself and says when it cannot. */
  applies(file: SourceFile): boolean;
  /** What is put in place of the file under attack, where that is not its own text. */
  target?(file: SourceFile): string;
  /** Files it needs, relative to its own folder in the workspace, besides the file under attack. */
  files(file: SourceFile): ReadonlyMap<string, string>;
  /** Shell command in the workspace's root. `folder` holds the probe's files, `target` is the file under attack. */
  command(folder: string, target: string): string;
  /** What the command's output means. */
  judge(output: string): ProbeVerdict;
}

export const PROBE_MARK = 'LATHE-PROBE ';

/** The last answer a harness printed, or null. What else is printed there is the candidate's. */
export function answerIn(output: string): Record<string, unknown> | null {
  const at = output.lastIndexOf(PROBE_MARK);
  if (at < 0) return null;
  try {
    return JSON.parse(output.slice(at + PROBE_MARK.length).split('\n')[0]!) as Record<string, unknown>;
  } catch {
    return null;
  }
}

/** The answer, or the verdict that nothing could be learned, with the modules that were missing. */
export function usable<T>(output: string): T | ProbeVerdict {
  const answer = answerIn(output);
  if (!answer) return { breaks: [], unusable: 'the probe gave no answer' };
  if (typeof answer.unusable === 'string') {
    const missing = Array.isArray(answer.missing) ? answer.missing.map(String) : [];
    return {
      breaks: [],
      unusable: missing.length > 0 ? `not installed where checks run: ${missing.join(', ')}` : answer.unusable,
    };
  }
  return answer as T;
}

export function isVerdict(value: unknown): value is ProbeVerdict {
  return typeof value === 'object' && value !== null && 'breaks' in value && 'unusable' in value;
}
