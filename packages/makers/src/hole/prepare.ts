import { LatheError } from '@lathe/protocol';
import type { FunctionBodyEnd } from '@lathe/transformer';
import { fit, type Section } from '../budget.ts';
import { fenced, fenceName } from '../fenced.ts';
import type { Edits, PreparedTask, PrepareRequest, PromptStyle } from '../prepared-task.ts';
import { languageOf } from '../syntax/parser.ts';
import { requireText } from '../text.ts';
import { declarationOf, surroundings } from './context.ts';
import { fillFromAnswer, opened } from './extract.ts';
import { findHole } from './find.ts';
import type { Hole } from './hole.ts';

const FENCE = '\n```';
const SYSTEM =
  'You are an expert programmer. You write short, correct code that does exactly what its documentation says.';

/** A hole as models are asked it; see `PreparedTask`. Throws where there is no such file or function. */
export async function prepareHole({ task, base, options }: PrepareRequest): Promise<PreparedTask> {
  const { file, name } = task.at!;
  const language = languageOf(file);
  if (language === null) {
    throw new LatheError('LATHE_USAGE_HOLE_LANGUAGE', `${file} is neither JavaScript, TypeScript nor Python`, {
      remedy: 'state the task as an instruction instead: lathe make "..."',
    });
  }
  const source = await requireText(base, file);
  const hole = findHole(source, language, name);
  const asked = fit(
    [...question(task.instruction, file, hole), ...(await surroundings(task, base, source, hole))],
    options,
  );
  const fence = `\`\`\`${fenceName(file)}\n`;
  return {
    messages: [
      { role: 'system', content: SYSTEM },
      { role: 'user', content: asked.text },
    ],
    stop: [],
    prefill: fence + declarationOf(hole),
    completionPrompt: completion(source, hole, task.instruction, options),
    // An expression has no bracket of its own to end with.
    continuationStop: hole.body === 'expression' ? [`\n${hole.indent}}`, FENCE] : [FENCE],
    ...(hole.body === 'expression' ? {} : { continuationEnd: bodyEndOf(hole) }),
    leftOut: asked.leftOut,
    ...(asked.tooLong === null
      ? {}
      : { contextTooLong: { tokens: asked.tooLong, contextTokens: options.contextTokens } }),
    toEdits: async (answer: string, style: PromptStyle = 'chat', isCutOff = false): Promise<Edits> => {
      const filled = fillFromAnswer(source, hole, answer, { start: style === 'chat' ? 'whole' : 'inside', isCutOff });
      if ('invalid' in filled) return filled;
      const mode = (await base.mode?.(file)) ?? '100644';
      return { edits: [{ path: file, content: new TextEncoder().encode(filled.source), mode }] };
    },
  };
}

function question(instruction: string, file: string, hole: Hole): readonly Section[] {
  const language = { javascript: 'JavaScript', typescript: 'TypeScript', tsx: 'TypeScript', python: 'Python' }[
    hole.language
  ];
  const name = hole.path.join('.');
  const stub = hole.language === 'python' ? `${declarationOf(hole)}\n    ...` : `${declarationOf(hole)}\n}`;
  const words = instruction.trim() === '' ? '' : `\n\n${instruction.trim()}`;
  return [
    {
      name: 'the task',
      place: 0,
      isNeeded: true,
      text: `Write the ${language} function \`${name}\` of \`${file}\`.${words}`,
    },
    { name: 'the function', place: 8, isNeeded: true, text: `The function, without its body:\n${fenced(file, stub)}` },
    { name: 'the answer', place: 9, isNeeded: true, text: 'Answer with the whole function in one code block.' },
  ];
}

/** The file up to where the body begins, from as far above as the window allows. */
function completion(source: string, hole: Hole, instruction: string, options: PrepareRequest['options']): string {
  const mark = hole.language === 'python' ? '# ' : '// ';
  const words = instruction.trim() === '' ? '' : `${instruction.trim().replaceAll(/^/gm, hole.indent + mark)}\n`;
  const own = `${words}${hole.indent}${hole.comments === '' ? '' : `${hole.comments}\n${hole.indent}`}${hole.header}`;
  const start = source.slice(0, hole.span.start - hole.header.length).trimEnd();
  const before = start
    .slice(0, hole.comments === '' ? undefined : start.lastIndexOf(hole.comments))
    .replace(/[ \t]+$/, '');
  const lines = before.split('\n');
  for (let from = 0; from < lines.length; from++) {
    const text = lines.slice(from).join('\n') + own;
    if (from > 0 && lines[from - 1]!.trim() !== '') continue;
    if (options.countTokens(text) <= options.contextTokens) return text.replaceAll('\r\n', '\n');
  }
  return own.replaceAll('\r\n', '\n');
}

function bodyEndOf(hole: Hole): FunctionBodyEnd {
  return { kind: 'function-body', language: hole.language, opening: opened(hole) };
}
