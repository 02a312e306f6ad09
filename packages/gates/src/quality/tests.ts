import type { SourceFile } from '../finding.ts';
import { isTestPath } from '../language.ts';
import type { Change, QualityFinding } from './quality-finding.ts';

interface TestCounts {
  readonly tests: number;
  readonly assertions: number;
  readonly skipped: number;
  readonly only: number;
  /** Assertions that cannot fail: `expect(true).toBe(true)`, `assert True`. */
  readonly vacuous: number;
}

function count(text: string, pattern: RegExp): number {
  return text.match(pattern)?.length ?? 0;
}

function countsOf(file: SourceFile | undefined): TestCounts {
  const text = file?.text.replace(/^\s*(\/\/|#).*$/gm, '') ?? '';
  return {
    tests: count(text, /(^|[^.\w])(it|test)(\.\w+)*\s*\(|^\s*(async\s+)?def\s+test_\w*/gm),
    assertions: count(
      text,
      /(^|[^.\w])(expect|assert\w*)(\.\w+)*\s*[(\s]|\bself\.assert\w+\(|\bpytest\.raises\(|\.should\b/gm,
    ),
    skipped: count(
      text,
      /\b(it|test|describe)\.(skip|todo|fails|failing)\b|(^|[^.\w])x(it|describe|test)\s*\(|@pytest\.mark\.(skip|xfail)|@unittest\.skip|\bpytest\.skip\(|\bself\.skipTest\(|\{\s*(skip|todo):\s*(true|['"])/gm,
    ),
    only: count(text, /\b(it|test|describe)\.only\b|(^|[^.\w])f(it|describe)\s*\(|\bonly:\s*true/gm),
    vacuous: count(
      text,
      /expect\((true|1|!0)\)\.(toBe|toEqual|toBeTruthy)\((true|1)?\)|\bassert\s+(True|1)\b|assert(\.ok)?\((true|1)\)|assertTrue\(True\)/g,
    ),
  };
}

/** Tests the change made weaker: fewer of them, fewer assertions, more skipped, or assertions that cannot fail. */
export function weakenedTests({ before, after }: Change): QualityFinding[] {
  const paths = new Set([...before, ...after].map((file) => file.path).filter(isTestPath));
  return [...paths].flatMap((path): QualityFinding[] => {
    const oldFile = before.find((file) => file.path === path);
    const newFile = after.find((file) => file.path === path);
    const old = countsOf(oldFile);
    const now = countsOf(newFile);
    const reasons = [
      !newFile && old.tests > 0 ? `the file with its ${old.tests} tests is gone` : null,
      newFile && now.tests < old.tests ? `${old.tests - now.tests} of ${old.tests} tests are gone` : null,
      newFile && now.assertions < old.assertions
        ? `${old.assertions - now.assertions} of ${old.assertions} assertions are gone`
        : null,
      now.skipped > old.skipped ? `${now.skipped - old.skipped} more tests are skipped` : null,
      now.only > old.only ? 'an "only" leaves the other tests out' : null,
      now.vacuous > old.vacuous ? `${now.vacuous - old.vacuous} more assertions cannot fail` : null,
    ].filter((reason) => reason !== null);
    if (reasons.length === 0) return [];
    return [
      {
        rule: 'lathe/test-weakened',
        severity: 'medium',
        confidence: 'medium',
        path,
        line: 1,
        message: `Tests are weaker than before: ${reasons.join(', ')}`,
        evidence: reasons.join(', '),
        help: 'Keep the tests as they are, or say in the task why they must change.',
      },
    ];
  });
}
