/**
 * Calls a candidate's function with recorded database, request and page objects, and prints every statement that reached
 * the database. Statements are judged by `sql_judge.py` on a real SQLite.
 */
'use strict';
const { finish, load, parametersOf, textOf } = require('./candidate.cjs');

const [, , path] = process.argv;
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
const candidate = load(path, {
  // lathe-ignore detect-non-literal-require -- only names of the list above get through
  own: { require: (name) => (BUILTIN.has(name) ? require(name) : stub()) },
  // A fragment may lean on a connection it never makes.
  free: () => stub(),
  make: (made) => Array.from({ length: Math.max(made.length, 3) }, () => stub()),
});
const { functions } = candidate;
const names = candidate.names.filter((name) => !stubs.has(functions[name]));

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
    // Everything it waits for is made up and there at once.
    await candidate.call(() => {
      const result = fn(...args);
      return stubs.has(result) ? null : result;
    }, []);
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
        line: candidate.lineOf(name),
        calls: [...calls, ...numbers],
      });
    }
  }
  finish(found.length > 0 ? { functions: found } : { unusable: 'no statement reached the database' });
}
main();
