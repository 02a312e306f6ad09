import type { Finding, NotLookedFor, Severity } from '@lathe/protocol';
import type { Log, ReportingDescriptor, Result } from 'sarif';

const LEVEL: Readonly<Record<Severity, Result.level>> = {
  info: 'note',
  low: 'note',
  medium: 'warning',
  high: 'error',
  critical: 'error',
};
/** Scores that code hosts sort alerts by (CVSS ranges). */
const SCORE: Readonly<Record<Severity, string>> = {
  info: '0.0',
  low: '3.0',
  medium: '5.5',
  high: '8.0',
  critical: '9.5',
};

export interface SarifOptions {
  readonly version: string;
  readonly notLookedFor?: readonly NotLookedFor[];
  /** Commit the tree is of. */
  readonly revision?: string;
  readonly repositoryUri?: string;
  /** Tells one analysis from another in the same log: `lathe/RUN/CANDIDATE`. */
  readonly automationId?: string;
  /** What the findings are of, in words. */
  readonly description?: string;
}

/** Findings as a SARIF 2.1.0 log with one run (OASIS, March 2020). What was not looked for is a notification of the run. */
export function toSarif(findings: readonly Finding[], options: SarifOptions): Log {
  const rules: ReportingDescriptor[] = [];
  const indexOf = new Map<string, number>();
  for (const finding of findings) {
    if (indexOf.has(finding.rule)) continue;
    indexOf.set(finding.rule, rules.length);
    rules.push({
      id: finding.rule,
      shortDescription: { text: finding.message },
      ...(finding.help ? { help: { text: finding.help } } : {}),
      defaultConfiguration: { level: LEVEL[finding.severity] },
      properties: {
        tags: [finding.kind, ...(finding.cwe ? [`external/cwe/${finding.cwe.toLowerCase()}`] : [])],
        precision: finding.confidence,
        ...(finding.kind === 'quality' ? {} : { 'security-severity': SCORE[finding.severity] }),
      },
    });
  }
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: { driver: { name: 'Lathe', semanticVersion: options.version, rules } },
        columnKind: 'utf16CodeUnits',
        ...(options.automationId === undefined
          ? {}
          : {
              automationDetails: {
                id: options.automationId,
                ...(options.description === undefined ? {} : { description: { text: options.description } }),
              },
            }),
        ...(options.revision && options.repositoryUri
          ? { versionControlProvenance: [{ repositoryUri: options.repositoryUri, revisionId: options.revision }] }
          : {}),
        invocations: [
          {
            executionSuccessful: true,
            toolExecutionNotifications: (options.notLookedFor ?? []).map(({ what, why }) => ({
              level: 'warning',
              message: { text: `Not looked for: ${what}: ${why}` },
              descriptor: { id: 'lathe/not-looked-for' },
            })),
          },
        ],
        results: findings.map((finding) => ({
          ruleId: finding.rule,
          ruleIndex: indexOf.get(finding.rule)!,
          level: LEVEL[finding.severity],
          message: { text: finding.message },
          locations: [
            {
              physicalLocation: {
                artifactLocation: { uri: encodeURI(finding.path), uriBaseId: '%SRCROOT%' },
                region: {
                  startLine: finding.line,
                  ...(finding.evidence ? { snippet: { text: finding.evidence } } : {}),
                },
              },
            },
          ],
          properties: {
            kind: finding.kind,
            severity: finding.severity,
            confidence: finding.confidence,
            cwe: finding.cwe,
          },
        })),
      },
    ],
  };
}

/** Several analyses as one log: a run of SARIF for each. */
export function joinSarif(logs: readonly Log[]): Log {
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: logs.flatMap((log) => log.runs),
  };
}
