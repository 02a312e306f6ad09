import type { Task, Tree } from '@lathe/protocol';
import type { Section } from '../budget.ts';
import { fenced } from '../fenced.ts';
import { declaredBy, isImport } from '../syntax/declared.ts';
import { functionsOf } from '../syntax/functions.ts';
import { languageOf, parse, type SgNode, spanOf } from '../syntax/parser.ts';
import { readText, requireText } from '../text.ts';
import { commentsAbove } from './find.ts';
import type { Hole } from './hole.ts';

/** Tests longer than this are not shown: they would crowd out everything else, and a small model is lost in them. */
const MAX_TEST_CHARACTERS = 6_000;

/** The function as the file has it, with its comments and without its body; starts at the margin. */
export function declarationOf(hole: Hole): string {
  const text = hole.comments === '' ? hole.header : `${hole.comments}\n${hole.indent}${hole.header}`;
  return text.replaceAll('\r\n', '\n').replaceAll(`\n${hole.indent}`, '\n').trimEnd();
}

/**
 * What a model should know besides the function itself, the most telling first: types its signature names, tests that
 * mention it, imports, signatures of its neighbours, files the task names.
 */
export async function surroundings(task: Task, base: Tree, source: string, hole: Hole): Promise<readonly Section[]> {
  const file = task.at!.file;
  const root = parse(hole.language, source);
  const sections: Section[] = [];
  const add = (name: string, place: number, title: string, code: string, path = file): void => {
    if (code.trim() !== '') sections.push({ name, place, text: `${title}\n${fenced(path, code)}` });
  };
  add('types the signature names', 3, 'Types it uses:', typesNamed(root, hole).join('\n\n'));
  for (const { path, text } of await testsFor(base, file, hole)) {
    add(`tests in ${path}`, 5, `Tests it must pass (\`${path}\`):`, text, path);
  }
  add(
    'imports',
    2,
    'The file already imports:',
    root
      .namedChildren()
      .filter(isImport)
      .map((node) => node.text())
      .join('\n'),
  );
  add(
    'signatures of the functions beside it',
    4,
    'Other functions in the file:',
    neighbours(source, root, hole).join('\n'),
  );
  for (const path of task.files.filter((one) => one !== file)) {
    add(path, 1, `\`${path}\`:`, await requireText(base, path), path);
  }
  return sections;
}

function typesNamed(root: SgNode, hole: Hole): readonly string[] {
  const words = new Set(hole.opening.match(/[A-Za-z_$][\w$]*/g));
  const isType = (node: SgNode): boolean =>
    /^(interface_declaration|type_alias_declaration|enum_declaration|class_definition)$/.test(String(node.kind()));
  return root
    .namedChildren()
    .filter((node) => [node, ...node.namedChildren()].some(isType))
    .filter((node) => spanOf(node).end <= hole.span.start || spanOf(node).start >= hole.span.end)
    .filter((node) => declaredBy(node).some((name) => words.has(name)))
    .map((node) => node.text());
}

function neighbours(source: string, root: SgNode, hole: Hole): readonly string[] {
  return functionsOf(root, hole.language)
    .filter((site) => site.path.length <= 2 && !(site.line === hole.line && site.path.join() === hole.path.join()))
    .map((site) => {
      const end = site.body === null ? spanOf(site.declaration).end : spanOf(site.body).start;
      const comment = commentsAbove(source, site.declaration)
        .text.split('\n')
        .find((line) => /\w{3}/.test(line));
      const signature = source.slice(spanOf(site.declaration).start, end).replaceAll(/\s+/g, ' ').trim();
      const mark = hole.language === 'python' ? '#' : '//';
      const about = comment?.replaceAll(/^\s*(\/\*\*?|\*|\/\/|#)\s*|\s*\*\/$/g, '').trim();
      return about ? `${mark} ${about}\n${signature}` : signature;
    });
}

/** Test files that mention the function, those named after its file first. */
async function testsFor(
  base: Tree,
  file: string,
  hole: Hole,
): Promise<readonly { readonly path: string; readonly text: string }[]> {
  const stem = file
    .split('/')
    .at(-1)!
    .replace(/\.\w+$/, '');
  const isTest = /(^|\/)(tests?|__tests__|spec)\/|[._-](test|spec)\.\w+$|(^|\/)test_[^/]*\.py$/;
  const paths = (await base.list()).filter((path) => isTest.test(path) && path !== file && languageOf(path) !== null);
  const near = (path: string): number => (path.split('/').at(-1)!.includes(stem) ? 0 : 1);
  const found: { path: string; text: string }[] = [];
  for (const path of paths.toSorted((a, b) => near(a) - near(b) || (a < b ? -1 : 1)).slice(0, 200)) {
    const text = await readText(base, path);
    if (text === null || text.length > MAX_TEST_CHARACTERS || !text.includes(hole.path.at(-1)!)) continue;
    found.push({ path, text });
    if (found.length === 2) break;
  }
  return found;
}
