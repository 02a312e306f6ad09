import process from 'node:process';
import type { WriteStream } from 'node:tty';
import pc from 'picocolors';
import { EXIT } from './exit-status.ts';

export type Colors = ReturnType<typeof pc.createColors>;

/** One output stream as the commands see it: never throws, knows its width and whether colours belong there. */
export interface Output {
  write(text: string): void;
  readonly isTty: boolean;
  /** Width of the terminal now; 80 where the stream is none. */
  readonly columns: number;
  readonly colors: Colors;
  /** For a renderer that repaints. Null where the stream is no terminal that can. */
  readonly stream: WriteStream | null;
}

/** Where a command runs and writes: results go to `out`, everything else (progress, notes, errors) to `err`. */
export interface Terminal {
  readonly out: Output;
  readonly err: Output;
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
}

export function openTerminal(): Terminal {
  return {
    out: toOutput(process.stdout, process.env),
    err: toOutput(process.stderr, process.env),
    cwd: process.cwd(),
    env: process.env,
  };
}

/** One JSON document, as every command prints it under `--json`. */
export function writeJson<Document extends { schemaVersion: 1 }>(output: Output, document: Document): void {
  output.write(`${JSON.stringify(document, null, output.isTty ? 2 : 0)}\n`);
}

function toOutput(stream: NodeJS.WriteStream, env: NodeJS.ProcessEnv): Output {
  let readerGone = false;
  // A reader that has seen enough (`| head`) is no error of ours: what is left unsaid is dropped.
  stream.on('error', (error: NodeJS.ErrnoException) => {
    readerGone = true;
    if (error.code === 'EPIPE' || error.code === 'EIO') return;
    // A full disk behind `> file`: half a document must not look like a whole one.
    process.stderr.write(`error: the output cannot be written: ${error.message}\n`);
    process.exit(EXIT.error);
  });
  const isTty = stream.isTTY === true;
  const canRepaint = isTty && env.TERM !== 'dumb';
  return {
    write(text) {
      if (!readerGone) stream.write(text);
    },
    isTty,
    get columns() {
      return stream.columns || 80;
    },
    colors: pc.createColors(wantsColor(canRepaint, env)),
    stream: canRepaint ? stream : null,
  };
}

/** https://no-color.org and https://force-color.org; a pipe gets no colours unless they are forced. */
function wantsColor(isTerminal: boolean, env: NodeJS.ProcessEnv): boolean {
  if (env.NO_COLOR) return false;
  if (env.FORCE_COLOR) return env.FORCE_COLOR !== '0' && env.FORCE_COLOR !== 'false';
  return isTerminal;
}
