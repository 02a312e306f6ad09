/**
 * Loads a candidate's JavaScript into a context of its own and gives back its functions, methods and exports by name. A
 * fragment is completed; what a program does on its own when it is loaded has happened by then, in this sandbox.
 */
'use strict';
const { readFileSync, writeSync } = require('node:fs');
const vm = require('node:vm');

/** Prints the answer as the last thing this process does. */
function finish(answer) {
  writeSync(1, `\nLATHE-PROBE ${JSON.stringify(answer)}\n`);
  process.exit(0);
}
process.on('uncaughtException', () => {});
process.on('unhandledRejection', () => {});

const textOf = (fn) => fn.source ?? Function.prototype.toString.call(fn);

/** Names of a function's parameters, those of a destructured one without its braces. */
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

const NAMES =
  /(?:^|[^.\w])(?:async\s+)?function\s+([A-Za-z_$][\w$]*)|(?:const|let|var)\s+([A-Za-z_$][\w$]*)\s*=\s*(?:async\s*)?(?:function\b|\([^)]*\)\s*=>|[A-Za-z_$][\w$]*\s*=>)/g;

/** A module as a script: imports become calls of `require`, exports plain declarations. */
function asScript(source) {
  return source
    .replace(
      /(?<=^|;)[ \t]*import\s+(?:([\w$]+)\s*,\s*)?(?:\*\s+as\s+)?(\{[^}]*\}|[\w$]+)\s+from\s+(['"][^'"]+['"]);?/gm,
      (_, first, names, from) =>
        `const ${first ? `${first} = require(${from}), ` : ''}${names.replace(/\s+as\s+/g, ': ')} = require(${from});`,
    )
    .replace(/^export\s+default\s+(?=(async\s+)?function|class)/gm, '')
    .replace(/^export\s+default\s+/gm, 'module.exports = ')
    .replace(/^export\s+(?=(async\s+)?(const|let|var|function|class))/gm, '');
}

/** A fragment as it is, then with the slips mended that people make when they write only part of a program. */
const MENDINGS = [
  (text) => text,
  (text) => text.replace(/\{\s*\.\.\.\s*\}/g, '{}').replace(/\(\s*\.\.\.\s*\)/g, '()'),
  (text) =>
    text.replace(/([(,]\s*)(?:string|String|int|number|float|var|let|const)\s+(?=[A-Za-z_$][\w$]*\s*[,)])/g, '$1'),
  (text) => text + '}'.repeat(Math.max(0, text.split('{').length - text.split('}').length)),
];

const silent = { log() {}, error() {}, warn() {}, info() {}, debug() {}, table() {} };

/**
 * @param own what the candidate finds besides the language: `require` at least
 * @param free what a name stands for that nobody declared
 * @param make the arguments a class is made with, or null to leave it
 * @returns its functions by name, the names in order, the text that ran, and `call`, which runs a function inside the
 *   context within `ms`
 */
function load(path, { own, free, make }) {
  const source = readFileSync(path, 'utf8');
  const module_ = { exports: {} };
  Object.assign(own, {
    module: module_,
    exports: module_.exports,
    console: silent,
    setTimeout: (callback) => void callback?.(),
    setInterval: () => 0,
    clearTimeout() {},
    clearInterval() {},
    process: { env: {}, argv: [], exit() {}, on() {}, cwd: () => '/', platform: 'linux' },
    ...own,
  });
  const globals = new Set(Object.getOwnPropertyNames(globalThis));
  const world = vm.createContext(
    new Proxy(own, {
      has: () => true,
      get: (target, key) => {
        if (key in target) return target[key];
        if (typeof key === 'symbol' || globals.has(key)) return globalThis[key];
        return free(key);
      },
      set: (target, key, value) => {
        target[key] = value;
        return true;
      },
    }),
  );
  const names = [...new Set([...source.matchAll(NAMES)].map((match) => match[1] ?? match[2]))];
  const classes = [
    ...new Set([...source.matchAll(/(?:^|[^.\w])class\s+([A-Za-z_$][\w$]*)/g)].map((match) => match[1])),
  ];
  const plain = asScript(source);
  const collect = `\n;({${[...names, ...classes].map((name) => `${JSON.stringify(name)}: typeof ${name} === 'function' ? ${name} : undefined`).join(',')}})`;

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
    const values = typeof made === 'function' ? make(made) : null;
    if (!values) continue;
    let instance;
    try {
      instance = new made(...values);
    } catch {
      continue;
    }
    for (const method of Object.getOwnPropertyNames(made.prototype)) {
      if (method === 'constructor' || typeof made.prototype[method] !== 'function') continue;
      functions[`${name}.${method}`] = Object.assign(instance[method].bind(instance), {
        source: Function.prototype.toString.call(made.prototype[method]),
        of: made,
      });
      names.push(`${name}.${method}`);
    }
  }
  const exported = typeof own.module.exports === 'function' ? { exported: own.module.exports } : own.module.exports;
  for (const [name, one] of Object.entries(exported ?? {})) {
    if (typeof one !== 'function' || Object.values(functions).includes(one)) continue;
    functions[name] = one;
    if (!names.includes(name)) names.push(name);
  }

  /** The function's value, its promise waited for; throws what it throws, and where it takes longer than `ms`. */
  async function call(fn, args, ms = 1000) {
    world.__call = () => fn(...args);
    const result = vm.runInContext('__call()', world, { timeout: ms });
    if (typeof result?.then !== 'function') return result;
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error('late')), ms);
    });
    return Promise.race([result, late]).finally(() => clearTimeout(timer));
  }

  function lineOf(name) {
    const short = name.split('.').at(-1).replaceAll('$', '\\$');
    const defined = source.search(
      new RegExp(
        `(?:\\b(?:function\\s*\\*?|class|const|let|var)\\s+|^[ \\t]*(?:(?:async|static|exports\\.)\\s*)*)${short}\\b`,
        'm',
      ),
    );
    const at = defined >= 0 ? defined : source.search(new RegExp(`\\b${short}\\b`));
    return source.slice(0, Math.max(0, at)).split('\n').length;
  }

  return { functions, names, source, call, lineOf };
}

module.exports = { finish, load, parametersOf, textOf };
