import { isUtf8 } from 'node:buffer';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type FileScore, scoreFile, scorePage } from '@lathe/house';
import { resolveModel } from '@lathe/makers';
import { LatheError } from '@lathe/protocol';
import { type Device, openModel } from '@lathe/transformer';
import { EXIT, type ExitStatus } from '../exit-status.ts';
import { openDisplay } from '../make/open-display.ts';
import { plainLine } from '../plain-text.ts';
import { drawTable } from '../table.ts';
import { type Output, type Terminal, writeJson } from '../terminal.ts';

export interface ScoreFlags {
  readonly model: string;
  readonly device?: Device;
  readonly html?: string;
  readonly json?: boolean;
}

/** Lines shown of each file: those the model expected least. */
const SHOWN_LINES = 5;

export async function score(paths: readonly string[], flags: ScoreFlags, terminal: Terminal): Promise<ExitStatus> {
  const display = await openDisplay(terminal.err);
  try {
    display.doing(`loading ${plainLine(flags.model)}`);
    const model = await openModel(await modelPath(flags.model, terminal), { precision: 'f32', device: flags.device });
    const scored: { score: FileScore; text: string }[] = [];
    try {
      for (const path of paths) {
        display.doing(`reading ${plainLine(path)}`);
        const text = await readText(resolve(terminal.cwd, path), path);
        scored.push({ score: await scoreFile(model, path, text), text });
      }
    } finally {
      await model.close();
    }
    display.close();
    if (flags.html !== undefined) await writeFile(resolve(terminal.cwd, flags.html), scorePage(flags.model, scored));
    if (flags.json === true) writeJson(terminal.out, { schemaVersion: 1, files: scored.map((file) => file.score) });
    else for (const file of scored) terminal.out.write(`${inWords(file, terminal.out).join('\n')}\n\n`);
    return EXIT.done;
  } finally {
    display.close();
  }
}

async function readText(file: string, path: string): Promise<string> {
  const bytes = await readFile(file).catch((cause: unknown) => {
    if ((cause as NodeJS.ErrnoException).code === 'EISDIR')
      throw new LatheError('LATHE_NOT_FOUND_FILE', `${plainLine(path)}: expected a file, got a folder`, {
        cause,
        remedy: `Name files, e.g. ${plainLine(path)}/*.ts.`,
      });
    throw new LatheError(
      'LATHE_NOT_FOUND_FILE',
      `${path} could not be read: ${cause instanceof Error ? cause.message : cause}`,
      { cause },
    );
  });
  const fail = (got: string): never => {
    throw new LatheError('LATHE_SCORE_TEXT', `${plainLine(path)}: expected text in UTF-8, got ${got}`, {
      remedy: 'Leave the file out, or convert it, e.g. iconv -f latin1 -t utf-8.',
    });
  };
  if (bytes.length === 0) fail('an empty file');
  if (!isUtf8(bytes) || bytes.includes(0)) fail('other bytes');
  return bytes.toString('utf8');
}

/** A catalogue name, a .gguf file, or a folder that `lathe train` has written; `local:` before it changes nothing. */
async function modelPath(model: string, { cwd, env }: Terminal): Promise<string> {
  const name = model.replace(/^local:/, '');
  const path = resolve(cwd, name);
  return resolveModel((await stat(path).catch(() => null)) === null ? name : path, { env });
}

/** Shades from quiet to loud: lines that cost no more than lines of their length, up to the strangest. */
const SHADES = ['·', '░', '▒', '▓', '█'];

/** The least expected lines for their length, below a strip of the whole file: a mark for each line, or each few. */
function inWords(
  { score: file, text }: { score: FileScore; text: string },
  { colors, columns: width }: Output,
): string[] {
  const source = text.split('\n');
  const strangest = Math.max(1, ...file.lines.map(({ excess }) => excess));
  const shadeOf = (excess: number) => SHADES[Math.ceil((Math.max(0, excess) / strangest) * (SHADES.length - 1))]!;
  const shown = [...file.lines].sort((a, b) => b.excess - a.excess).slice(0, SHOWN_LINES);
  const rows = shown.map(({ line, bits, tokens, excess }) => [
    shadeOf(excess),
    String(line),
    bits.toFixed(1),
    String(tokens),
    excess.toFixed(1),
    plainLine(source[line - 1]?.trim() ?? ''),
  ]);
  const linesPerMark = Math.max(1, Math.ceil(file.lines.length / Math.max(20, width - 2)));
  const strip = Array.from({ length: Math.ceil(file.lines.length / linesPerMark) }, (_, i) =>
    shadeOf(Math.max(...file.lines.slice(i * linesPerMark, (i + 1) * linesPerMark).map(({ excess }) => excess))),
  );
  return [
    `${colors.bold(plainLine(file.path))}  ${file.bitsPerToken.toFixed(2)} bits a token, ${file.bitsPerByte.toFixed(2)} a byte`,
    `  ${strip.join('')}`,
    ...drawTable(
      [
        { header: '' },
        { header: 'line', align: 'right' },
        { header: 'bits', align: 'right' },
        { header: 'tokens', align: 'right' },
        { header: 'above', align: 'right' },
        { header: 'least expected for its length', flexible: true },
      ],
      rows,
      { width, colors },
    ),
  ];
}
