import type { Task, Tree } from '@lathe/protocol';
import type { Grammar } from '@lathe/transformer';
import { withoutThoughts } from '../answer.ts';
import { fit, type Section } from '../budget.ts';
import { fenced, fenceName } from '../fenced.ts';
import type { Edits, PreparedTask, PrepareOptions, PrepareRequest } from '../prepared-task.ts';
import { readText, requireText } from '../text.ts';
import { applyChanges } from './apply.ts';
import { changesIn } from './blocks.ts';
import { droppedBy } from './dropped.ts';
import { blockGrammar, type Searchable } from './grammar.ts';
import { repositoryMap } from './map.ts';

/** The form an answer must have; `changesIn` reads it. */
const FORMAT = `You are an expert programmer who changes a repository as instructed. Answer with the changes only, in this form.

To change a file, write its path on a line of its own and then a code block. Each SEARCH part must be whole lines, copied exactly from the file, that occur in it only once:

src/greet.js
\`\`\`js
<<<<<<< SEARCH
export const greet = () => 'hi';
=======
export const greet = (name) => \`hi \${name}\`;
>>>>>>> REPLACE
\`\`\`

Put several SEARCH/REPLACE blocks into one code block to change several places of a file. To create a file, write its path and then a code block with its whole content. To delete a file, write a line with DELETE and its path:

DELETE src/old.js

Never leave out parts of a file with a placeholder. Do not change tests unless you are told to.`;

/** The same for models that cannot copy a text exactly. */
const WHOLE_FORMAT = `You are an expert programmer who changes a repository as instructed. For every file you change or create, write its path on a line of its own and then a code block with the whole new content of the file, from its first line to its last:

src/greet.js
\`\`\`js
export const greet = (name) => \`hi \${name}\`;
\`\`\`

Keep everything of the file that need not change, and never leave out parts with a placeholder. Write no other files and no explanations.`;

/** Files shown in full without being named; small ones are worth more than the map's mere names. */
const MAX_SHOWN_CHARACTERS = 12_000;
const MAX_SHOWN_FILES = 4;
const MAP_STEP = 20;
const SHORT_FILE_LINES = 60;
const CREATES = /\b(create|new|add|write)\b[\s\S]*\b(files?|modules?|tests?|scripts?|pages?|[\w-]+\.\w{1,4})\b/i;

/** A part of the question; `file` where it shows one in full. */
interface ShownSection extends Section {
  readonly file?: Searchable;
}

/** An instruction as models are asked it; see `PreparedTask`. Throws where a file the task names is missing. */
export async function prepareInstruction({ task, base, options }: PrepareRequest): Promise<PreparedTask> {
  const all = await sections(task, base);
  const isShort = options.wholeFiles === true && (await namesOneShortFile(task, base));
  const isHeld = options.withGrammar === true && !isShort && answerGrammar(all, [], task, options) !== null;
  const wholeFiles = options.wholeFiles === true && !isHeld;
  const format = wholeFiles ? WHOLE_FORMAT : FORMAT;
  const formatTokens = options.countTokens(format);
  const asked = fit(all, { ...options, contextTokens: options.contextTokens - formatTokens });
  const grammar = isHeld ? answerGrammar(all, asked.leftOut, task, options) : null;
  const only = wholeFiles && task.files.length === 1 ? task.files[0]! : null;
  // A file with fences of its own would end at the first of them.
  const canPrefill = only !== null && !(await requireText(base, only)).includes('```');
  const prefill = !canPrefill ? null : `${only}\n\`\`\`${fenceName(only)}\n`;
  return {
    messages: [
      { role: 'system', content: format },
      { role: 'user', content: asked.text },
    ],
    stop: [],
    ...(prefill === null ? {} : { prefill }),
    ...(grammar === null ? {} : { grammar }),
    continuationStop: ['\n```'],
    leftOut: asked.leftOut,
    ...(asked.tooLong === null
      ? {}
      : { contextTooLong: { tokens: asked.tooLong + formatTokens, contextTokens: options.contextTokens } }),
    toEdits: (answer, style = 'chat', isCutOff = false) => {
      // The stop string took the closing fence away.
      const whole = style === 'prefilled' ? `${prefill}${answer}${isCutOff ? '' : '\n```'}` : answer;
      return editsIn(whole, isCutOff, base, wholeFiles ? task.instruction : null);
    },
  };
}

/** Of one short file a small model is good at writing all: held to blocks it solves fewer tasks. */
async function namesOneShortFile({ files }: Task, base: Tree): Promise<boolean> {
  return files.length === 1 && (await requireText(base, files[0]!)).split('\n').length <= SHORT_FILE_LINES;
}

/**
 * A grammar of the files that are shown; null where they are too long for one. New files may be made where none is
 * shown, or the words ask for one.
 */
function answerGrammar(
  all: readonly ShownSection[],
  leftOut: readonly string[],
  task: Task,
  options: PrepareOptions,
): Grammar | null {
  const shownFiles = all.flatMap(({ file, name }) => (file === undefined || leftOut.includes(name) ? [] : [file]));
  const editable = task.files.length === 0 ? shownFiles : shownFiles.filter(({ path }) => task.files.includes(path));
  const mayCreate = editable.length === 0 || CREATES.test(task.instruction);
  return blockGrammar(editable, { mayCreate, isSmall: options.wholeFiles === true });
}

/** `instruction` is given where files come in full: what they may lose depends on it. */
async function editsIn(answer: string, isCutOff: boolean, base: Tree, instruction: string | null): Promise<Edits> {
  const text = withoutThoughts(answer);
  if (text === null) return { invalid: 'the answer ends before the model stopped thinking' };
  if (text.trim() === '') return { invalid: 'the answer is empty' };
  const read = changesIn(text);
  if ('invalid' in read) return read;
  if (read.changes.length === 0)
    return { invalid: 'there is no change in the answer: no path with a code block below it' };
  // What is there may be half of what was meant, and half a change can pass its checks.
  if (isCutOff) return { invalid: 'the answer ends before all its changes may have been written' };
  const dropped = instruction === null ? null : await droppedBy(read.changes, instruction, base);
  return dropped === null ? applyChanges(read.changes, base) : { invalid: dropped };
}

/** Named files and the words are needed; then AGENTS.md, the files the map ranks first, and the map itself, as far as it goes. */
async function sections(task: Task, base: Tree): Promise<readonly ShownSection[]> {
  const found: ShownSection[] = [
    { name: 'the task', place: 100, isNeeded: true, text: `Do this:\n${task.instruction.trim()}` },
  ];
  for (const path of task.files) found.push(await shown(base, path, 50, true));
  const agents = await nearestAgentsFile(base, task.files);
  if (agents !== null) {
    const text = `Rules of the repository (\`${agents}\`):\n${(await requireText(base, agents)).trim()}`;
    found.push({ name: agents, place: 10, text });
  }
  const map = await repositoryMap(base, `${task.instruction} ${task.files.join(' ')}`);
  const others = map.filter(({ path }) => !task.files.includes(path) && path !== agents);
  for (const { path } of others
    .filter(({ symbols }) => symbols.length > 0)
    .slice(0, task.files.length > 0 ? 0 : MAX_SHOWN_FILES)) {
    if (((await readText(base, path))?.length ?? Number.POSITIVE_INFINITY) <= MAX_SHOWN_CHARACTERS) {
      found.push(await shown(base, path, 40, false));
    }
  }
  for (let from = 0; from < others.length; from += MAP_STEP) {
    const some = others.slice(from, from + MAP_STEP);
    const lines = some.map(({ path, symbols }) => (symbols.length === 0 ? path : `${path}: ${symbols.join(', ')}`));
    const title = from === 0 ? 'Other files of the repository and what they define:\n' : '';
    const name = `${some.length} files of the repository map, from ${some[0]!.path}`;
    found.push({ name, place: 20 + from / 1e6, text: title + lines.join('\n') });
  }
  return found;
}

async function shown(base: Tree, path: string, place: number, isNeeded: boolean): Promise<ShownSection> {
  const text = await requireText(base, path);
  return { name: path, place, isNeeded, text: `${path}\n${fenced(path, text)}`, file: { path, text } };
}

/** The AGENTS.md of the deepest folder that holds all named files, else the one at the root; null where there is none. */
async function nearestAgentsFile(base: Tree, files: readonly string[]): Promise<string | null> {
  const paths = new Set(await base.list());
  const folders = (files[0] ?? '').split('/').slice(0, -1);
  for (let depth = folders.length; depth >= 0; depth--) {
    const folder = folders
      .slice(0, depth)
      .map((name) => `${name}/`)
      .join('');
    if (files.every((file) => file.startsWith(folder)) && paths.has(`${folder}AGENTS.md`)) return `${folder}AGENTS.md`;
  }
  return null;
}
