import type { CompiledGrammar, GrammarCompiler, GrammarMatcher } from '@mlc-ai/web-xgrammar';
import { ModelError } from '../model-error.ts';
import type { Vocabulary } from '../row.ts';
import { wordOfBytes } from '../tokenizer/byte-alphabet.ts';
import type { Constraint, Grammar } from './constraint.ts';
import { type Instance, loadXGrammar } from './xgrammar.ts';

/** Compiled grammars kept at most. */
const MOST_COMPILED = 16;

/** Grammars compiled for one vocabulary. The library behind it (XGrammar) is loaded by the first. */
export class Grammars {
  readonly #vocabulary: Vocabulary;
  #instance: Instance | null = null;
  #compiler: Promise<GrammarCompiler> | null = null;
  readonly #compiled = new Map<string, CompiledGrammar>();
  readonly #matchers: GrammarMatcher[] = [];

  constructor(vocabulary: Vocabulary) {
    this.#vocabulary = vocabulary;
  }

  /** Throws `ModelError` where it is no grammar. */
  async compile(grammar: Grammar): Promise<void> {
    await this.#compiledOf(grammar);
  }

  /** A constraint for one row, of a grammar that `compile` took. */
  constraint(grammar: Grammar): Constraint {
    let matcher: GrammarMatcher | null = null;
    const accepted: number[] = [];
    return {
      maskAfter: async (tokens) => {
        matcher ??= await this.#matcher(grammar);
        let common = 0;
        while (common < accepted.length && accepted[common] === tokens[common]) common++;
        if (common < accepted.length) matcher.rollBack(accepted.length - common);
        accepted.length = common;
        for (const token of tokens.slice(common)) {
          if (!matcher.acceptToken(token)) throw new Error(`internal: token ${token} is outside the grammar`);
          accepted.push(token);
        }
        const mask = await matcher.getNextTokenBitmask();
        if (mask.every((word) => word === 0)) throw deadEnd(tokens, this.#vocabulary);
        return mask;
      },
    };
  }

  /** Frees what the rows of a request took. */
  release(): void {
    for (const matcher of this.#matchers.splice(0)) matcher.dispose();
  }

  async #matcher(grammar: Grammar): Promise<GrammarMatcher> {
    const compiled = await this.#compiledOf(grammar);
    const matcher = await this.#instance!.attempt('the grammar', ({ GrammarMatcher }) =>
      GrammarMatcher.createGrammarMatcher(compiled),
    );
    this.#matchers.push(matcher);
    return matcher;
  }

  async #compiledOf(grammar: Grammar): Promise<CompiledGrammar> {
    const key = JSON.stringify(grammar);
    let compiled = this.#compiled.get(key);
    if (compiled === undefined) {
      const compiler = await this.#compilerOf();
      compiled = await this.#instance!.attempt(
        grammar.kind === 'ebnf' ? 'not a grammar' : 'not a JSON schema that can be followed',
        () =>
          grammar.kind === 'ebnf'
            ? compiler.compileGrammar(grammar.text)
            : // On one line, with one blank behind commas and colons: a small model asked for any white space writes nothing else.
              compiler.compileJSONSchema(JSON.stringify(grammar.schema), false, -1),
      );
      refuseWideClasses(compiled);
    } else this.#compiled.delete(key);
    this.#compiled.set(key, compiled);
    const oldest = this.#compiled.keys().next().value!;
    if (this.#compiled.size > MOST_COMPILED) {
      this.#compiled.get(oldest)!.dispose();
      this.#compiled.delete(oldest);
    }
    return compiled;
  }

  #compilerOf(): Promise<GrammarCompiler> {
    if (this.#instance?.isBroken) {
      // What it compiled died with it.
      this.#compiled.clear();
      this.#matchers.length = 0;
      this.#instance = null;
      this.#compiler = null;
    }
    this.#instance ??= loadXGrammar();
    this.#compiler ??= this.#instance.attempt('the vocabulary', async ({ GrammarCompiler, TokenizerInfo }) => {
      const { size, isEnd, isControl, bytesOf } = this.#vocabulary;
      const tokens = Array.from({ length: size }, (_, token) => token);
      const ends = tokens.filter(isEnd);
      // A control token is never text, whatever text it has; the library leaves out what is empty.
      const words = tokens.map((token) => (isEnd(token) || isControl(token) ? '' : wordOfBytes(bytesOf(token))));
      const info = await TokenizerInfo.createTokenizerInfo(words, 'byte_level', false, size, ends);
      return GrammarCompiler.createGrammarCompiler(info, false);
    });
    return this.#compiler;
  }
}

/** The library takes a character beyond ASCII in a class for the byte of its number: nothing right comes of it. */
function refuseWideClasses(compiled: CompiledGrammar): void {
  const printed = compiled.grammar().toString();
  for (const [, inside] of printed.matchAll(/"(?:\\.|[^"\\])*"|\[((?:\\.|[^\]\\])*)\]/g))
    if (inside !== undefined && /\\x[89a-f][\da-f]|\\u|[^\0-\x7f]/i.test(inside))
      throw new ModelError('LATHE_MODEL_GRAMMAR', `expected classes of ASCII characters, got [${inside}]`, {
        remedy: 'Write the characters as alternatives: ("é" | "ü") instead of [éü].',
      });
}

function deadEnd(tokens: readonly number[], { bytesOf }: Vocabulary): ModelError {
  const text = Buffer.concat(tokens.map(bytesOf)).toString('utf8');
  return new ModelError(
    'LATHE_MODEL_GRAMMAR',
    `no token of the model goes on as the grammar asks after ${JSON.stringify(text.slice(-80))}`,
    { remedy: 'Let the grammar allow more there: a model can only write what its vocabulary spells.' },
  );
}
