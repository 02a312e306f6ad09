import { stripTypeScriptTypes } from 'node:module';
import type { SourceFile } from '../finding.ts';

/**
 * JavaScript of a TypeScript file, each line where it was, unless the file has what types cannot be taken from alone
 * (enums, parameter properties); the file as it is where that cannot be had, and the harness says that it does not parse.
 */
export function withoutTypes({ language, text }: SourceFile): string {
  if (language !== 'typescript') return text;
  const { emitWarning } = process;
  // Node says at the first call that this may change; that is nothing for the reader of a scan.
  process.emitWarning = () => undefined;
  try {
    return stripped(text, 'strip') ?? stripped(text, 'transform') ?? text;
  } finally {
    process.emitWarning = emitWarning;
  }
}

function stripped(text: string, mode: 'strip' | 'transform'): string | null {
  try {
    return stripTypeScriptTypes(text, { mode });
  } catch {
    return null;
  }
}
