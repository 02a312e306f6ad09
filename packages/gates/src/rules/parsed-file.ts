import { type Bindings, bindingsOf } from './bindings.ts';
import { fullName, originsOf } from './origins.ts';
import type { RuleFile } from './rule-file.ts';
import { type Call, callsOf, type Node, nodesOfKind, parseSource } from './syntax.ts';

type CodeLanguage = RuleFile['languages'][number];

/** One parsed file with what the rules share, so that a file is parsed once for all of them. */
export interface ParsedFile {
  readonly path: string;
  readonly text: string;
  /** `text` with comments blanked out, for conditions on the whole file. */
  readonly code: string;
  readonly language: CodeLanguage;
  readonly root: Node;
  readonly bindings: Bindings;
  readonly calls: readonly Call[];
}

export function parseFile(path: string, text: string, language: CodeLanguage): ParsedFile {
  const root = parseSource(language, text);
  const origins = originsOf(root, language);
  return {
    path,
    text,
    code: withoutComments(root, text),
    language,
    root,
    bindings: bindingsOf(root, language),
    calls: callsOf(root, language).map((call) => {
      const full = fullName(call.callee, origins);
      return full === null ? call : { ...call, names: [call.callee, full] };
    }),
  };
}

function withoutComments(root: Node, text: string): string {
  let code = '';
  let end = 0;
  for (const comment of nodesOfKind(root, 'comment')) {
    const { start, end: stop } = comment.range();
    if (start.index < end) continue;
    code += text.slice(end, start.index);
    end = stop.index;
  }
  return code + text.slice(end);
}
