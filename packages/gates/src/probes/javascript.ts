import { stripTypeScriptTypes } from 'node:module';
import type { SourceFile } from '../finding.ts';

/** JavaScript of a TypeScript file; the file as it is where that cannot be had, and the harness says that it does not parse. */
export function withoutTypes({ language, text }: SourceFile): string {
  if (language !== 'typescript') return text;
  const { emitWarning } = process;
  // Node says at the first call that this may change; that is nothing for the reader of a scan.
  process.emitWarning = () => undefined;
  try {
    return stripTypeScriptTypes(text, { mode: 'transform' });
  } catch {
    return text;
  } finally {
    process.emitWarning = emitWarning;
  }
}
