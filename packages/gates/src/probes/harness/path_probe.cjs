/**
 * Opens files through a candidate that means to stay inside one folder. The folder is made up: paths below it are mapped
 * to a temporary place under the functions of `fs`, so that the probe needs no rights and the code sees its own paths.
 */
'use strict';
const fs = require('node:fs');
const os = require('node:os');
const { join } = require('node:path');
const { finish, parametersOf } = require('./candidate.cjs');

const real = Object.fromEntries(Object.entries(fs).filter(([, one]) => typeof one === 'function'));
const realPromises = { ...fs.promises };
const ROOT = real.realpathSync(real.mkdtempSync(join(os.tmpdir(), 'lathe-')));
const BASE = /base|root|(^|_)dir|Dir$|folder|Folder|safe|allowed|parent/;
const CALLBACK = /^(cb|callback|done|next)$/;
const world = { on: false, folder: '', roots: [], opened: [] };

/** Where a path of the candidate's world lies on this machine. */
function place(path) {
  if (!world.on) return path;
  const text = path instanceof URL ? decodeURIComponent(path.pathname) : Buffer.isBuffer(path) ? path.toString() : path;
  if (typeof text !== 'string' || !text.startsWith('/')) return path;
  const plain = text.replace(/^\/(\.\/|\/)*/, '/');
  return world.roots.some((root) => plain === root || plain.startsWith(`${root}/`)) ? ROOT + plain : path;
}

function where(path) {
  let target;
  try {
    target = real.realpathSync(path);
  } catch {
    return null;
  }
  const inside = ROOT + world.folder;
  if (target === inside || target.startsWith(`${inside}/`)) return 'inside';
  return target.startsWith(`${ROOT}/`) && real.statSync(target).isFile() ? 'outside' : null;
}

const back = (path) => (typeof path === 'string' && path.startsWith(`${ROOT}/`) ? path.slice(ROOT.length) : path);
const OPENS =
  /^(open|openSync|readFile|readFileSync|createReadStream|writeFile|writeFileSync|createWriteStream|appendFile|appendFileSync|copyFile|copyFileSync|unlink|unlinkSync|rm|rmSync)$/;
const LOOKS = /^(stat|lstat|access|exists|readdir|realpath|readlink|opendir)(Sync)?$/;

function mapped(name, fn) {
  return (path, ...rest) => {
    const target = place(path);
    if (world.on && OPENS.test(name) && typeof target === 'string') world.opened.push(where(target));
    const answer = rest.at(-1);
    if (/^(realpath|readlink)/.test(name)) {
      if (typeof answer === 'function')
        return fn(target, ...rest.slice(0, -1), (error, found) => answer(error, back(found)));
      const result = fn(target, ...rest);
      return typeof result?.then === 'function' ? result.then(back) : back(result);
    }
    return fn(target, ...rest);
  };
}

function install() {
  for (const [name, fn] of Object.entries(real)) if (OPENS.test(name) || LOOKS.test(name)) fs[name] = mapped(name, fn);
  fs.realpath.native = mapped('realpath', real.realpath.native);
  fs.realpathSync.native = mapped('realpathSync', real.realpathSync.native);
  for (const [name, fn] of Object.entries(realPromises))
    if (OPENS.test(name) || LOOKS.test(name)) fs.promises[name] = mapped(name, fn);
}

function furnish() {
  for (const root of world.roots) real.rmSync(ROOT + root, { recursive: true, force: true });
  for (const folder of [`${world.folder}/sub`, '/lathe-outside', `${world.folder}-lathe`])
    real.mkdirSync(ROOT + folder, { recursive: true });
  for (const path of [
    `${world.folder}/ok.txt`,
    `${world.folder}/sub/ok.txt`,
    '/lathe-outside/secret',
    `${world.folder}-lathe/secret`,
  ])
    real.writeFileSync(ROOT + path, path);
  real.symlinkSync(`${ROOT}/lathe-outside/secret`, `${ROOT}${world.folder}/link`);
  real.symlinkSync(`${ROOT}/lathe-outside`, `${ROOT}${world.folder}/linked`);
}

/** The absolute folder the code speaks of, or null. */
function folderOf(source) {
  const found = [...source.matchAll(/(['"`])(\/[A-Za-z][\w.-]*(?:\/[\w-]+)*)\/?(?:\1|\$\{)/g)]
    .map((match) => match[2])
    .filter((one) => !/\.\w+$/.test(one) && !/^\/(dev|etc|proc|bin|usr|api|v\d)\b/.test(one));
  return found.sort((a, b) => a.split('/').length - b.split('/').length || a.length - b.length)[0] ?? null;
}

async function main() {
  install();
  const { open, outcome } = require('./node_candidate.cjs');
  const path = process.argv[2];
  const named = folderOf(real.readFileSync(path, 'utf8'));
  world.folder = named ?? '/lathe-inside';
  const top = `/${world.folder.split('/')[1]}`;
  world.roots = [top, `${top}-lathe`, '/lathe-outside'];
  const withFolder = new Set();
  const candidate = open(path, (made) => {
    const wanted = /constructor\s*\(([^)]*)\)/.exec(Function.prototype.toString.call(made))?.[1] ?? '';
    const names = wanted
      .split(',')
      .map((one) => one.replace(/=.*$/s, '').trim())
      .filter(Boolean);
    if (names.length > 0) withFolder.add(made);
    return names.every((name) => BASE.test(name)) ? names.map(() => world.folder) : null;
  });

  async function attempt(fn, parameters, handed, input) {
    furnish();
    world.opened = [];
    let answered;
    const args = parameters.map((name) =>
      CALLBACK.test(name)
        ? (error, value) => {
            answered = error ? undefined : value;
          }
        : handed && BASE.test(name)
          ? world.folder
          : input,
    );
    world.on = true;
    const [ending, value] = await outcome(candidate, fn, args);
    await new Promise((resolve) => setTimeout(resolve, parameters.some((name) => CALLBACK.test(name)) ? 30 : 0));
    world.on = false;
    const result = ending === 'value' ? (value ?? answered) : undefined;
    const seen = new Set(world.opened.filter(Boolean));
    if (typeof result === 'string' && result.length < 4096 && result.startsWith('/')) {
      world.on = true;
      const target = place(result);
      world.on = false;
      const reached = real.existsSync(target) ? where(target) : null;
      if (reached) seen.add(reached);
    }
    result?.destroy?.();
    return { seen, truth: ending === 'value' && value === true };
  }

  const folder = world.folder;
  const up = Array.from({ length: folder.split('/').length - 1 }, () => '..').join('/');
  const ATTACKS = [
    ['traversal', `${folder}/${up}/lathe-outside/secret`],
    ['traversal', `${folder}/sub/../${up}/lathe-outside/secret`],
    ['traversal', `${up}/lathe-outside/secret`],
    ['traversal', `/${up}/lathe-outside/secret`],
    ['absolute', '/lathe-outside/secret'],
    ['symlink', `${folder}/link`],
    ['symlink', `${folder}/linked/secret`],
    ['symlink', 'link'],
    ['symlink', 'linked/secret'],
    ['sibling', `${folder}-lathe/secret`],
    ['sibling', `../${folder.split('/').at(-1)}-lathe/secret`],
  ];
  const HONEST = [`${folder}/ok.txt`, 'ok.txt', '/ok.txt', `${folder}/sub/ok.txt`];

  let best = null;
  for (const name of candidate.names) {
    const fn = candidate.functions[name];
    if (typeof fn !== 'function') continue;
    const parameters = parametersOf(fn);
    const values = parameters.filter((one) => !CALLBACK.test(one));
    const handed = named === null && !withFolder.has(fn.of);
    if (values.length !== (handed ? 2 : 1) || (handed && values.filter((one) => BASE.test(one)).length !== 1)) continue;
    let honest = null;
    let predicate = false;
    for (const input of HONEST)
      if (!honest && (await attempt(fn, parameters, handed, input)).seen.has('inside')) honest = input;
    if (!honest) {
      for (const input of HONEST) if (!honest && (await attempt(fn, parameters, handed, input)).truth) honest = input;
      predicate = honest !== null && !(await attempt(fn, parameters, handed, '/lathe-outside/secret')).truth;
      if (!predicate) continue;
    }
    const leaks = [];
    for (const [kind, input] of ATTACKS) {
      const { seen, truth } = await attempt(fn, parameters, handed, input);
      if (seen.has('outside') || (predicate && kind !== 'absolute' && truth && input.startsWith('/')))
        leaks.push({ kind, input });
    }
    const found = { function: name, line: candidate.lineOf(name), folder, honest, leaks, predicate, byText: true };
    // A function that opens says more than one that only answers.
    if (!best || (best.predicate && !predicate)) best = found;
  }
  real.rmSync(ROOT, { recursive: true, force: true });
  finish(best ?? { unusable: 'no function opened a file inside the folder', missing: [...candidate.missing] });
}
main();
