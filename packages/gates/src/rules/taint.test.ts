import { describe, expect, it } from 'vitest';
import { hitsOf } from './match.ts';
import { parseFile } from './parsed-file.ts';
import { rulePack } from './rule-file.ts';

/** Lines a rule of the pack objects to. */
function linesOf(id: string, language: 'python' | 'javascript', code: string): number[] {
  const rule = rulePack().find((one) => one.id === id && one.languages.includes(language))!;
  return hitsOf(rule, parseFile('example', code, language)).map(({ node }) => node.range().start.line + 1);
}

const handler = (...lines: string[]): string =>
  ['from flask import request', 'import os', 'def handle():', ...lines.map((line) => `    ${line}`)].join('\n');
const route = (...lines: string[]): string =>
  [
    "const { exec } = require('child_process');",
    "app.get('/', (req, res) => {",
    ...lines.map((line) => `  ${line}`),
    '});',
  ].join('\n');
const runsIn = (...lines: string[]): number[] => linesOf('command-injection', 'python', handler(...lines));
const execIn = (...lines: string[]): number[] => linesOf('command-injection', 'javascript', route(...lines));

describe('the value a name has where it is used', () => {
  it('is the last one that was certainly given', () => {
    expect(runsIn("name = request.args['name']", "name = 'fixed'", 'os.system(name)')).toEqual([]);
    expect(runsIn("name = 'fixed'", "name = request.args['name']", 'os.system(name)')).toEqual([6]);
    expect(execIn('let name = req.query.name;', "name = 'fixed';", 'exec(name);')).toEqual([]);
  });

  it('can be one that was given on a condition', () => {
    expect(runsIn("name = 'fixed'", 'if other:', "    name = request.args['name']", 'os.system(name)')).toEqual([7]);
    expect(runsIn("name = request.args['name']", 'if other:', "    name = 'fixed'", 'os.system(name)')).toEqual([7]);
  });

  it('can be one given later, the next time round a loop', () => {
    expect(runsIn("name = 'a'", 'while True:', '    os.system(name)', "    name = request.args['name']")).toEqual([6]);
    expect(runsIn("name = 'a'", 'os.system(name)', "name = request.args['name']")).toEqual([]);
  });

  it('keeps what was there before it grew', () => {
    expect(runsIn("text = request.args['name']", "text += '.txt'", 'os.system(text)')).toEqual([6]);
  });

  it('can come out of a function that was called in between', () => {
    expect(execIn("let name = '';", "req.on('end', () => exec(name));", 'name = req.query.name;')).toEqual([4]);
  });
});

describe('what is put into a list or a table', () => {
  it('comes out of it', () => {
    expect(runsIn('parts = []', "parts.append(request.args['name'])", "os.system(' '.join(parts))")).toEqual([6]);
    expect(execIn('const options = {};', 'options.name = req.query.name;', 'exec(options.name);')).toEqual([5]);
  });

  it('comes out under its own key alone', () => {
    const table = ['table = {}', "table['a'] = 'fixed'", "table['b'] = request.args['name']"];
    expect(runsIn(...table, "os.system(table['a'])")).toEqual([]);
    expect(runsIn(...table, "os.system(table['b'])")).toEqual([7]);
    expect(runsIn(...table, 'os.system(table[key])')).toEqual([7]);
  });
});

describe('a value that was checked', () => {
  it('is left alone where others have left', () => {
    const name = "name = request.args['name']";
    expect(runsIn(name, 'if name not in NAMES:', '    return', 'os.system(name)')).toEqual([]);
    expect(runsIn(name, "if not re.fullmatch(r'^\\w+$', name):", '    abort(400)', 'os.system(name)')).toEqual([]);
    expect(execIn('if (!NAMES.includes(req.query.name)) return;', 'exec(req.query.name);')).toEqual([]);
    expect(
      execIn('if (!/^[a-z]+$/.test(req.query.name)) {', '  throw new Error();', '}', 'exec(req.query.name);'),
    ).toEqual([]);
  });

  it('is left alone in the branch of the check', () => {
    expect(execIn('if (NAMES.has(req.query.name)) exec(req.query.name);')).toEqual([]);
    expect(execIn("exec(NAMES.has(req.query.name) ? req.query.name : 'fixed');")).toEqual([]);
  });

  it('is found where the check changes nothing, or is of something else, or too wide', () => {
    const name = "name = request.args['name']";
    expect(runsIn(name, 'if name not in NAMES:', "    print('odd')", 'os.system(name)')).toEqual([7]);
    expect(runsIn(name, 'if other not in NAMES:', '    return', 'os.system(name)')).toEqual([7]);
    expect(runsIn(name, "if not re.match(r'\\w+', name):", '    return', 'os.system(name)')).toEqual([7]);
    expect(execIn('if (NAMES.has(req.query.name)) log();', 'exec(req.query.name);')).toEqual([4]);
    expect(execIn('if (ready || NAMES.has(req.query.name)) exec(req.query.name);')).toEqual([3]);
  });
});
