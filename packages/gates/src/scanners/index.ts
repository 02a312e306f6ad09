import { cppcheck, flawfinder } from './c-tools.ts';
import { characters } from './characters.ts';
import { complexity } from './complexity.ts';
import { imports } from './imports.ts';
import { ruffScanner } from './ruff.ts';
import { rules } from './rules.ts';
import type { Scanner, ScannerName } from './scanner.ts';
import { secrets } from './secrets.ts';

/** Scanners by name; the ESLint ones are imported when first asked for, because that takes most of a second. */
export async function scannerNamed(name: ScannerName): Promise<Scanner> {
  switch (name) {
    case 'eslint':
      return (await import('./eslint.ts')).eslint;
    case 'sonarjs':
      return (await import('./sonarjs.ts')).sonarjs;
    case 'rules':
      return rules;
    case 'ruff':
      return ruffScanner;
    case 'secrets':
      return secrets;
    case 'characters':
      return characters;
    case 'imports':
      return imports;
    case 'complexity':
      return complexity;
    case 'flawfinder':
      return flawfinder;
    case 'cppcheck':
      return cppcheck;
  }
}
