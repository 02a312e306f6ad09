import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { compileFunction } from 'node:vm';
import type * as XGrammar from '@mlc-ai/web-xgrammar';
import { ModelError } from '../model-error.ts';

export type XGrammarModule = typeof XGrammar;

/** One instance of XGrammar (WebAssembly inside its JavaScript) and what it last complained about. */
export interface Instance {
  readonly module: XGrammarModule;
  /** Does `use`; where the library gives up, which ends the whole instance, its words become a `ModelError`. */
  attempt<T>(what: string, use: (module: XGrammarModule) => Promise<T>): Promise<T>;
  readonly isBroken: boolean;
}

/**
 * Loads the library. Its package says that it is an ES module, its one file is UMD for browsers: so it is run here as the
 * CommonJS it can be, with its own `console` (it prints what is wrong and then aborts) and without `process`, which it
 * would take as leave to import more.
 */
export function loadXGrammar(): Instance {
  const require = createRequire(import.meta.url);
  const path = require.resolve('@mlc-ai/web-xgrammar');
  const complaints: string[] = [];
  const complain = (...words: unknown[]) => void complaints.push(words.map(String).join(' '));
  const console = { log: complain, warn: complain, error: complain, info: complain };
  const exports = {} as XGrammarModule;
  const parameters = ['exports', 'module', 'require', '__filename', 'console', 'process'];
  // lathe-ignore code-from-data -- a file of the installed package, whose loader needs these parameters
  const run = compileFunction(readFileSync(path, 'utf8'), parameters, { filename: path });
  run(exports, { exports }, createRequire(path), path, console, undefined);

  let isBroken = false;
  return {
    module: exports,
    get isBroken() {
      return isBroken;
    },
    async attempt(what, use) {
      complaints.length = 0;
      try {
        return await use(exports);
      } catch (cause) {
        isBroken = true;
        const said = complaints.map(withoutPlace).find((line) => !line.startsWith('Aborted')) ?? String(cause);
        throw new ModelError('LATHE_MODEL_GRAMMAR', `${what}: ${said}`, {
          remedy: 'Correct the grammar; docs/constrained-decoding.md says what may stand in one.',
          cause,
        });
      }
    },
  };
}

/** `[FATAL] /build/grammar_parser.cc:552: EBNF parser error …` without its own source. */
function withoutPlace(line: string): string {
  return line.replace(/^\[\w+\] \S+:\d+: /, '').trim();
}
