import { lintSource } from '@secretlint/core';
import { secretLintProfiler } from '@secretlint/profiler';
import { creator } from '@secretlint/secretlint-rule-preset-recommend';
import type { RawFinding, SourceFile } from '../finding.ts';
import { isTestPath } from '../language.ts';
import type { Scanner } from './scanner.ts';

// It would keep several entries for each rule and file for as long as the process lives.
secretLintProfiler.setEnabled(false);

/** Bits a character: 0 for one repeated letter, 4 for random hex, about 6 for random base64 (Shannon 1948). */
export function entropyBits(text: string): number {
  const counts = new Map<string, number>();
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= (count / text.length) * Math.log2(count / text.length);
  return bits;
}

const ASSIGNED =
  /(?<name>[A-Za-z_][\w.-]*)['"]?\s*(?::\s*(?:str|string|bytes|const)\s*)?(?:=|:|=>|:=)\s*[bru]?(?<quote>['"`])(?<value>[^'"`\s]{8,200})\k<quote>/g;
const NAMED_SECRET =
  /(pass(word|wd|phrase)|secret|(api|access|private|auth|encryption|signing|account|master|client)[_-]?key|(access|auth|api|bearer|refresh|session)[_-]?token|credential|^token$|^key$|conn(ection)?_?str)/i;
const NOT_SECRET =
  /(public|field|name|label|placeholder|hint|prompt|title|url|uri|path|file|column|header|param|selector|type|id|prefix|regex|pattern|schema|hash|example|test|error|message|env|input|element)s?$/i;
/** Values people write where a secret would go. */
const PLACEHOLDER =
  /^(x+|\*+|\.+|-+)$|example|changeme|change-me|your|placeholder|password|passwd|secret$|^secret|dummy|sample|todo|redacted|<.*>|\$\{|\{\{|%\(|process\.env|os\.environ|^test|test$|demo|foo|bar|1234|qwerty|abcdef|lorem|insert|undefined|null/i;

function entropyFindings(file: SourceFile): RawFinding[] {
  const findings: RawFinding[] = [];
  file.text.split('\n').forEach((text, index) => {
    if (text.length > 2000) return;
    for (const match of text.matchAll(ASSIGNED)) {
      const { name, value } = match.groups as { name: string; value: string };
      const last = name.split('.').at(-1)!;
      if (!NAMED_SECRET.test(last) || NOT_SECRET.test(last) || PLACEHOLDER.test(value)) continue;
      const words = /^[a-z]+([ _.-][a-z]+)*$/i.test(value) && !/[A-Z].*[A-Z].*[A-Z]/.test(value.slice(1));
      if (words || entropyBits(value) < 3 || !/\d|[A-Z].*[a-z]|[^\w]/.test(value)) continue;
      findings.push({
        kind: 'secret',
        rule: 'lathe/secret-in-source',
        cwe: 'CWE-798',
        severity: isTestPath(file.path) ? 'low' : 'high',
        confidence: entropyBits(value) > 3.5 ? 'medium' : 'low',
        line: index + 1,
        endLine: index + 1,
        message: `${name} is given a value that looks like a real secret (${value.length} characters, ${entropyBits(value).toFixed(1)} bits each)`,
        help: 'Read it from the environment or a secret store, and change the one that was written down.',
        evidence: `${name} = ${mask(value)}`,
      });
    }
  });
  return findings;
}

/** Enough of a secret to recognise it, never the secret. */
export function mask(value: string): string {
  return `${value.slice(0, 3)}…(${value.length})`;
}

/** Secretlint's recommended rules, and constants named like secrets whose value is too random to be a word. */
export const secrets: Scanner = {
  name: 'secrets',
  languages: ['javascript', 'typescript', 'tsx', 'python', 'c', 'text'],
  looksFor: 'secrets in the source',
  whyNot: async () => null,
  async scan(file) {
    const result = await lintSource({
      source: { filePath: `/${file.path}`, content: file.text, contentType: 'text', ext: '' },
      options: {
        config: { rules: [{ id: '@secretlint/secretlint-rule-preset-recommend', rule: creator }] },
        maskSecrets: true,
        noPhysicFilePath: true,
      },
    });
    const known = result.messages.map(
      (message): RawFinding => ({
        kind: 'secret',
        rule: `secretlint/${message.ruleId.split('secretlint-rule-').at(-1)}`,
        cwe: 'CWE-798',
        severity: 'high',
        confidence: 'high',
        line: message.loc.start.line,
        endLine: message.loc.end.line,
        message: message.message,
        help: 'Revoke it, and read the new one from the environment or a secret store.',
        evidence: `${message.messageId} at column ${message.loc.start.column + 1}`,
      }),
    );
    return {
      findings: [...known, ...entropyFindings(file).filter((one) => !known.some((other) => other.line === one.line))],
    };
  },
};
