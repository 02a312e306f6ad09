import type { Finding, Limits, NotLookedFor, Workspace } from '@lathe/protocol';
import { type GateConfig, severityUnder } from '../config.ts';
import type { SourceFile } from '../finding.ts';
import { cipherProbe } from './cipher-probe.ts';
import { integerProbe } from './integer-probe.ts';
import { pathProbe } from './path-probe.ts';
import type { Probe } from './probe.ts';
import { signatureProbe } from './signature-probe.ts';
import { sqlProbe } from './sql-probe.ts';

export const PROBES: readonly Probe[] = [pathProbe, cipherProbe, signatureProbe, sqlProbe, integerProbe];

const LIMITS: Limits = {
  timeMs: 60_000,
  memoryBytes: 2 * 2 ** 30,
  processes: 64,
  outputBytes: 4 * 2 ** 20,
  diskBytes: 64 * 2 ** 20,
};

/** The probe's own folder in a workspace; no repository has one of this name. */
const FOLDER = '.lathe-probe';

export interface ProbeOptions {
  /** Isolated copy of the tree, with the candidate's edits laid over it. */
  readonly workspace: Pick<Workspace, 'write' | 'run'>;
  readonly config: GateConfig;
  readonly signal?: AbortSignal;
}

export interface ProbeFindings {
  readonly findings: readonly Finding[];
  readonly notLookedFor: readonly NotLookedFor[];
  /** How many functions were driven. */
  readonly driven: number;
}

/**
 * Attacks functions of known shape by running them. A break is a finding with the input that broke it; a function that
 * could not be driven (a missing module, a fragment) is listed as not looked for. The candidate runs in the same process
 * as half of its probe and could answer in its place: a probe that finds nothing is no proof, a break is.
 */
export async function runProbes(
  files: readonly SourceFile[],
  { workspace, config, signal }: ProbeOptions,
): Promise<ProbeFindings> {
  const findings: Finding[] = [];
  const notLookedFor: NotLookedFor[] = [];
  let driven = 0;
  for (const [index, file] of files.entries()) {
    for (const probe of PROBES) {
      if (!probe.applies(file)) continue;
      signal?.throwIfAborted();
      const folder = `${FOLDER}/${index}-${probe.name}`;
      const target = `${folder}/target${file.path.slice(file.path.lastIndexOf('.'))}`;
      const edit = (path: string, text: string) => ({ path, content: Buffer.from(text), mode: '100644' as const });
      await workspace.write([
        edit(target, probe.target?.(file) ?? file.text),
        ...[...probe.files(file)].map(([name, text]) => edit(`${folder}/${name}`, text)),
      ]);
      const result = await workspace.run(probe.command(folder, target), {
        limits: LIMITS,
        ...(signal ? { signal } : {}),
      });
      const what = `${probe.looksFor}, in ${file.path}`;
      if (result.ending !== 'exited') {
        notLookedFor.push({
          what,
          why:
            result.ending === 'timed-out'
              ? `the probe took more than ${LIMITS.timeMs / 1000} s`
              : `the probe ended with: ${result.ending}`,
        });
        continue;
      }
      const verdict = probe.judge(result.outputTail);
      if (verdict.unusable) notLookedFor.push({ what, why: verdict.unusable });
      else driven++;
      for (const found of verdict.breaks) {
        const severity = severityUnder(config, found.rule, found.severity);
        if (severity) findings.push({ ...found, severity, kind: 'security', confidence: 'high', path: file.path });
      }
    }
  }
  return { findings, notLookedFor, driven };
}
