import { inBothLanguages } from './harness.ts';
import { type Break, isVerdict, type Probe, usable } from './probe.ts';

interface Answer {
  readonly function: string;
  readonly line: number;
  readonly folder: string;
  readonly predicate: boolean;
  /** Where comparing paths as text, links unfollowed, is the customary check: Node. */
  readonly byText?: boolean;
  readonly leaks: readonly {
    readonly kind: 'traversal' | 'absolute' | 'symlink' | 'sibling';
    readonly input: string;
  }[];
}

const HELP =
  'Resolve both with os.path.realpath (or Path.resolve; in Node fs.realpath) and compare with os.path.commonpath, Path.is_relative_to or path.relative before opening.';

/** A function that takes a folder. */
const TAKES_A_FOLDER = /[=\w]\s*\([^()]*(?:base|root|dir|folder)[^()]*\)\s*(?:=>|\{|:)/i;

function opensInNode(text: string): boolean {
  return (
    /\bfs\b|['"]node:fs/.test(text) &&
    /function\b|=>|\bclass\b/.test(text) &&
    (/['"`]\/[A-Za-z][\w.-]*(\/|['"`])/.test(text) || TAKES_A_FOLDER.test(text))
  );
}

/** A function that opens files inside one folder: traversal, links, siblings. */
export const pathProbe: Probe = {
  name: 'path',
  looksFor: 'ways out of a folder, by running the code',
  ...inBothLanguages('path_probe'),
  applies: ({ language, text }) =>
    (/^(javascript|typescript)$/.test(language) && opensInNode(text)) ||
    (language === 'python' &&
      /\bdef\b/.test(text) &&
      /\bopen\(|\bfile\(|\bFile\(|\bPath\(|os\.walk|os\.listdir|read_text|path/.test(text) &&
      (/['"]\^?\/[A-Za-z][\w.-]*(\/|['"])/.test(text) ||
        /\bdef \w+\(\s*\w*(base|root|dir|folder)\w*\b/.test(text) ||
        /\bdef __init__\(\s*self,\s*\w*(base|root|dir|folder)\w*\b/.test(text) ||
        /['"](safe\w*|\w*dir|\w*folder)\/?['"]/i.test(text) ||
        /\.(split\(['"]\/['"]\)|parts)/.test(text))),
  judge(output) {
    const answer = usable<Answer>(output);
    if (isVerdict(answer)) return answer;
    const verb = answer.predicate ? 'accepted' : 'gave access to';
    const first = (...kinds: string[]): string | undefined =>
      answer.leaks.find((leak) => kinds.includes(leak.kind))?.input;
    const breaks: Break[] = [];
    const out = first('traversal', 'absolute');
    const link = first('symlink');
    const sibling = first('sibling');
    const about = (input: string): string => `${answer.function}(${JSON.stringify(input)}) ${verb}`;
    if (out) {
      breaks.push({
        rule: 'lathe/probe-path-escape',
        cwe: 'CWE-22',
        severity: 'high',
        line: answer.line,
        help: HELP,
        message: `${about(out)} a file outside ${answer.folder}`,
      });
    }
    if (link) {
      breaks.push({
        rule: 'lathe/probe-link-escape',
        cwe: 'CWE-59',
        severity: answer.byText ? 'low' : 'medium',
        line: answer.line,
        help: HELP,
        message: `${about(link)} a file outside ${answer.folder}, through a symbolic link inside it`,
      });
    }
    if (sibling && !out) {
      breaks.push({
        rule: 'lathe/probe-sibling-escape',
        cwe: 'CWE-22',
        severity: 'low',
        line: answer.line,
        help: HELP,
        message: `${about(sibling)} a file of another folder whose name begins the same`,
      });
    }
    return { breaks, unusable: null };
  },
};
