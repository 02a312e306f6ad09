import { harnessFiles } from './harness.ts';
import { withoutTypes } from './javascript.ts';
import { isVerdict, type Probe, usable } from './probe.ts';

interface Answer {
  readonly functions: readonly {
    readonly function: string;
    readonly line: number;
    readonly honest: string | null;
    readonly breaks: readonly { readonly input: string; readonly effect: string }[];
  }[];
}

/**
 * A JavaScript, TypeScript or Python function that writes a row to a SQL table: quotes and second statements in its values. The database it asks
 * for is recorded, and what it was told runs on a real SQLite.
 */
export const sqlProbe: Probe = {
  name: 'sql',
  looksFor: 'SQL injection, by running statements on a real database',
  applies: ({ language, text }) =>
    /^(javascript|typescript|python)$/.test(language) &&
    /\b(insert|replace)\s+into\b/i.test(text) &&
    /function\b|=>|\bclass\b|\bdef\b/.test(text),
  target: withoutTypes,
  files: ({ language }) =>
    language === 'python'
      ? harnessFiles('lathe_candidate.py', 'sql_probe.py', 'sql_judge.py')
      : harnessFiles('candidate.cjs', 'sql_record.cjs', 'sql_judge.py'),
  command: (folder, target) =>
    target.endsWith('.py')
      ? `python3 ${folder}/sql_probe.py ${target} | python3 ${folder}/sql_judge.py`
      : `node ${folder}/sql_record.cjs ${target} | python3 ${folder}/sql_judge.py`,
  judge(output) {
    const answer = usable<Answer>(output);
    if (isVerdict(answer)) return answer;
    return {
      breaks: answer.functions.flatMap(({ function: name, line, breaks }) => {
        const worst = breaks[0];
        if (!worst) return [];
        return [
          {
            rule: 'lathe/probe-sql-injection',
            cwe: 'CWE-89',
            severity: 'high',
            line,
            message: `${name} with the value ${JSON.stringify(worst.input)}: ${worst.effect}`,
            help: 'Pass the values as parameters of the statement.',
          },
        ];
      }),
      unusable: null,
    };
  },
};
