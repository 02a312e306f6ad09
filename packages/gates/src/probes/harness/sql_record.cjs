/**
 * Calls a candidate's function with recorded database, request and page objects, and prints every statement that reached
 * the database. Statements are judged by `sql_judge.py` on a real SQLite.
 */
'use strict';
const { readFileSync, writeSync } = require('node:fs');
const vm = require('node:vm');

const [, , path] = process.argv;
const source = readFileSync(path, 'utf8');
const statements = [];
const quote = (value) => (typeof value === 'number' ? String(value) : `'${String(value).replaceAll("'", "''")}'`);

function record(first, rest) {
  if (stubs.has(first)) return false;
  const text = typeof first === 'string' ? first : (first?.sql ?? first?.text ?? first?.query);
  if (Array.isArray(first) && Array.isArray(first.raw)) {
    statements.push({ sql: first.raw.join('?'), params: rest });
    return true;
  }
  if (typeof text !== 'string' || !/\b(insert|replace|update|delete|select|create|drop)\b/i.test(text)) return false;
  const values =
    first?.values ?? first?.params ?? rest.find((one) => one !== null && typeof one === 'object' && !stubs.has(one));
  const params = values === undefined ? rest.filter((one) => typeof one !== 'function') : values;
  statements.push({ sql: text, params: Array.isArray(params) ? params.flat(Infinity) : params });
  return true;
}

const stubs = new WeakSet();
const PLACEHOLDER = /\?|[:@$]\w+|%s/;

/** Whether the statement was prepared and still waits for its values. */
function waits(statement) {
  const { params } = statement;
  const given = Array.isArray(params) ? params.length > 0 : params !== undefined && params !== null;
  return !given && PLACEHOLDER.test(statement.sql);
}

/** A run of a prepared statement: what it is called with are values, also where they look like SQL. */
function run(statement, args) {
  const values = args.filter((one) => typeof one !== 'function' && !stubs.has(one));
  const [first] = values;
  const named = values.length === 1 && first !== null && typeof first === 'object' && !Array.isArray(first);
  // One that was prepared before the function was called is recorded anew with each call.
  statements.push({ sql: statement.sql, params: named ? first : values.flat(Infinity) });
  const at = statements.indexOf(statement);
  if (at >= 0) statements.splice(at, 1);
}

/** What a callback is given: no error, and something to go on with. */
function answersFor(callback) {
  const [first] = parametersOf(callback);
  const takesError = first === undefined || /^_*e?(r+(or)?)?\d*$/i.test(first);
  return takesError ? [null, stub()] : [stub(), stub()];
}

/** Anything a database client may be asked for: every property is callable, every callback is called back. */
function stub(pending = null, settled = false) {
  // biome-ignore lint/complexity/useArrowFunction: an arrow function cannot be constructed, and a connection is
  const target = function () {};
  const call = (args) => {
    const values = args.filter((one) => typeof one !== 'function');
    if (pending && values.length > 0 && waits(pending)) {
      run(pending, args);
      for (const one of args) if (typeof one === 'function' && !stubs.has(one)) one(null, stub());
      return stub(statements.at(-1));
    }
    const noted = args.length > 0 && record(args[0], args.slice(1));
    for (const one of args)
      if (typeof one === 'function' && !stubs.has(one))
        one(...(noted ? [null, { insertId: 1, affectedRows: 1 }, []] : answersFor(one)));
    return stub(noted ? statements.at(-1) : pending);
  };
  const made = new Proxy(target, {
    get(_, key) {
      // Awaited once; what comes out of it is no promise any more.
      if (key === 'then') {
        return settled
          ? undefined
          : (resolve) => {
              resolve?.(stub(pending, true));
              return stub(pending);
            };
      }
      if (key === 'catch') return () => stub(pending);
      if (key === 'finally') {
        return (callback) => {
          callback?.();
          return stub(pending);
        };
      }
      if (key === Symbol.toPrimitive || key === 'toString' || key === 'valueOf') return () => 'stub';
      if (key === Symbol.iterator) return function* () {};
      if (key === 'escape' || key === 'escapeLiteral') return quote;
      if (key === 'escapeId' || key === 'escapeIdentifier') return (name) => `"${String(name).replaceAll('"', '""')}"`;
      if (key === 'lastID') return 1;
      return stub(pending);
    },
    set: () => true,
    apply: (_, __, args) => call(args),
    construct: (_, args) => {
      call(args);
      return stub(pending);
    },
  });
  stubs.add(made);
  return made;
}

const BUILTIN = new Set([
  'util',
  'path',
  'events',
  'assert',
  'url',
  'querystring',
  'string_decoder',
  'node:util',
  'node:path',
]);
const module_ = { exports: {} };
const own = {
  module: module_,
  exports: module_.exports,
  // lathe-ignore detect-non-literal-require -- only names of the list above get through
  require: (name) => (BUILTIN.has(name) ? require(name) : stub()),
  console: { log() {}, error() {}, warn() {}, info() {}, debug() {}, table() {} },
  setTimeout: (callback) => void callback?.(),
  setInterval: () => 0,
  clearTimeout() {},
  clearInterval() {},
  process: { env: {}, argv: [], exit() {}, on() {} },
};
const globals = new Set(Object.getOwnPropertyNames(globalThis));
const world = vm.createContext(
  new Proxy(own, {
    has: () => true,
    get: (target, key) => {
      if (key in target) return target[key];
      if (typeof key === 'symbol' || globals.has(key)) return globalThis[key];
      // A fragment may lean on a connection it never makes.
      return stub();
    },
    set: (target, key, value) => {
      target[key] = value;
      return true;
    },
  }),
);

const NAMES =
  /(?:^|[^.\w])(?:async\s+)?function\s+([A-Za-z_$][\w$]*)|(?:const|let|var)\s+([A-Za-z_$][\w$]*)\s*=\s*(?:async\s*)?(?:function\b|\([^)]*\)\s*=>|[A-Za-z_$][\w$]*\s*=>)/g;
const names = [...new Set([...source.matchAll(NAMES)].map((match) => match[1] ?? match[2]))];

function finish(answer) {
  writeSync(1, `\nLATHE-PROBE ${JSON.stringify(answer)}\n`);
  process.exit(0);
}
process.on('uncaughtException', () => {});
process.on('unhandledRejection', () => {});

const plain = source
  .replace(/^\s*import\s+(?:\*\s+as\s+)?(\{[^}]*\}|[\w$]+)\s+from\s+(['"][^'"]+['"]);?/gm, 'const $1 = require($2);')
  .replace(/^export\s+default\s+(?=(async\s+)?function|class)/gm, '')
  .replace(/^export\s+default\s+/gm, 'module.exports = ')
  .replace(/^export\s+(?=(async\s+)?(const|let|var|function|class))/gm, '');
const classes = [...new Set([...source.matchAll(/(?:^|[^.\w])class\s+([A-Za-z_$][\w$]*)/g)].map((match) => match[1]))];
const collect = `\n;({${[...names, ...classes].map((name) => `${JSON.stringify(name)}: typeof ${name} === 'function' ? ${name} : undefined`).join(',')}})`;

/** A fragment as it is, then with the slips mended that people make when they write only part of a program. */
const MENDINGS = [
  (text) => text,
  (text) => text.replace(/\{\s*\.\.\.\s*\}/g, '{}').replace(/\(\s*\.\.\.\s*\)/g, '()'),
  (text) =>
    text.replace(/([(,]\s*)(?:string|String|int|number|float|var|let|const)\s+(?=[A-Za-z_$][\w$]*\s*[,)])/g, '$1'),
  (text) => text + '}'.repeat(Math.max(0, text.split('{').length - text.split('}').length)),
];

let functions;
let problem = '';
for (const count of MENDINGS.keys()) {
  const mended = MENDINGS.slice(0, count + 1).reduce((text, mend) => mend(text), plain);
  try {
    // lathe-ignore code-from-data -- running the candidate is the probe's purpose, inside the sandbox
    functions = vm.runInContext(mended + collect, world, { timeout: 2000 });
    break;
  } catch (error) {
    if (error?.name !== 'SyntaxError') {
      // Its demonstration failed; its function declarations are there all the same.
      const declared = Object.fromEntries(names.map((name) => [name, own[name]]));
      if (Object.values(declared).some((one) => typeof one === 'function')) functions = declared;
      else problem = `it cannot be loaded: ${error?.name}: ${error?.message}`;
      break;
    }
    problem ||= `it does not parse: ${error.message}`;
  }
}
if (!functions) finish({ unusable: problem });
// Methods of classes that can be made, as functions of their own.
for (const name of classes) {
  const made = functions[name];
  delete functions[name];
  if (typeof made !== 'function') continue;
  let instance;
  try {
    instance = new made(...Array.from({ length: Math.max(made.length, 3) }, () => stub()));
  } catch {
    continue;
  }
  for (const method of Object.getOwnPropertyNames(made.prototype)) {
    if (method === 'constructor' || typeof made.prototype[method] !== 'function') continue;
    functions[`${name}.${method}`] = Object.assign(instance[method].bind(instance), {
      source: Function.prototype.toString.call(made.prototype[method]),
    });
    names.push(`${name}.${method}`);
  }
}
const exported = typeof own.module.exports === 'function' ? { exported: own.module.exports } : own.module.exports;
for (const [name, one] of Object.entries(exported ?? {})) {
  if (typeof one !== 'function' || stubs.has(one) || Object.values(functions).includes(one)) continue;
  functions[name] = one;
  if (!names.includes(name)) names.push(name);
}

const textOf = (fn) => fn.source ?? Function.prototype.toString.call(fn);

function parametersOf(fn) {
  const text = textOf(fn);
  const list =
    // lathe-ignore no-super-linear-backtracking -- the candidate's own time, inside the sandbox
    /^(?:async\s*)?(?:function\s*\*?\s*)?[\w$]*\s*\(([^)]*)\)/.exec(text)?.[1] ??
    /^(?:async\s*)?([\w$]+)\s*=>/.exec(text)?.[1] ??
    '';
  return list
    .split(',')
    .map((one) => one.replace(/=.*$/s, '').replace(/[{}[\].\s]/g, ''))
    .filter(Boolean);
}

const DATABASE =
  /^(db|database|con|conn|connection|client|pool|knex|sql|sequelize|mysql|pg|sqlite|tx|trx|cursor|session|dbConnection|table)$/i;
const NUMBER = /age|num|count|id$|year|amount|price|qty|score|grade|int/i;
const CALLBACK = /^(cb|callback|done|next|fn|resolve)$/i;

async function callWith(fn, values) {
  statements.length = 0;
  // lathe-ignore no-super-linear-backtracking -- the candidate's own time, inside the sandbox
  const destructured = /^\s*(?:async\s*)?(?:function\s*)?[\w$]*\s*\(\s*\{/.test(textOf(fn));
  const parameters = parametersOf(fn);
  const value = (name) =>
    DATABASE.test(name) ? stub() : CALLBACK.test(name) ? () => {} : NUMBER.test(name) ? values.number : values.text;
  const objects =
    parameters.length === 1 &&
    !destructured &&
    /student|user|person|entry|row|record|data|body|obj/i.test(parameters[0]);
  const args = destructured
    ? [Object.fromEntries(parameters.map((name) => [name, value(name)]))]
    : objects
      ? [
          new Proxy(
            {},
            { get: (_, key) => (typeof key === 'symbol' ? undefined : value(String(key))), has: () => true },
          ),
        ]
      : parameters.map(value);
  try {
    world.__call = () => fn(...args);
    const result = vm.runInContext('__call()', world, { timeout: 1000 });
    // Everything it waits for is made up and there at once.
    if (typeof result?.then === 'function' && !stubs.has(result)) {
      await Promise.race([result, new Promise((resolve) => setTimeout(resolve, 300))]);
    }
  } catch {
    // What it did before it failed has been recorded.
  }
  return statements.map((one) => ({ sql: one.sql, params: one.params ?? null }));
}

const TEXTS = [
  'Robert',
  '7',
  "O'Brien",
  "x', 1), ('Mallory', 99) -- ",
  "x'); DROP TABLE students; -- ",
  '8, 9), (10',
  '(SELECT 42)',
  'x", 1), ("Mallory", 99) -- ',
];
async function main() {
  const found = [];
  for (const name of names) {
    const fn = functions[name];
    if (typeof fn !== 'function') continue;
    const parameters = parametersOf(fn).filter((one) => !DATABASE.test(one) && !CALLBACK.test(one));
    if (parameters.length === 0) continue;
    const calls = [];
    for (const text of TEXTS) calls.push({ text, statements: await callWith(fn, { text, number: 25 }) });
    const numbers = [];
    for (const number of ["1), ('Mallory', 99) -- ", '1 OR 1=1'])
      numbers.push({ text: number, number: true, statements: await callWith(fn, { text: 'Robert', number }) });
    if (calls.some((call) => call.statements.length > 0)) {
      found.push({
        function: name,
        line: plain
          .slice(0, Math.max(0, plain.search(new RegExp(`\\b${name.split('.').at(-1).replaceAll('$', '\\$')}\\b`))))
          .split('\n').length,
        calls: [...calls, ...numbers],
      });
    }
  }
  finish(found.length > 0 ? { functions: found } : { unusable: 'no statement reached the database' });
}
main();
