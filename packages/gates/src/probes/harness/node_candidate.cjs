/** A candidate that works with Node's own modules and the repository's packages: nothing is made up, and what is missing is told. */
'use strict';
const { createRequire, isBuiltin } = require('node:module');
const { join } = require('node:path');
const { load } = require('./candidate.cjs');

/** Where a fragment uses a module without asking for it. */
const USUAL = new Set(['crypto', 'fs', 'path', 'util', 'os', 'buffer', 'url']);

function open(path, make) {
  const installed = createRequire(join(process.cwd(), 'package.json'));
  const missing = new Set();
  const candidate = load(path, {
    own: {
      require(name) {
        // lathe-ignore detect-non-literal-require -- Node's own modules alone, inside the sandbox
        if (isBuiltin(name)) return require(name);
        // Its own neighbours are not beside it here.
        if (!/^[./]/.test(name)) {
          try {
            return installed(name);
          } catch (error) {
            if (error?.code !== 'MODULE_NOT_FOUND') throw error;
          }
        }
        missing.add(name);
        throw new Error(`Cannot find module '${name}'`);
      },
      __dirname: '/app',
      __filename: '/app/index.js',
    },
    free: (name) => (USUAL.has(name) ? require(name) : undefined), // lathe-ignore detect-non-literal-require -- names of the list above
    make,
  });
  return { ...candidate, missing };
}

/** ['value', result] or ['raised', name of the error]. */
async function outcome(candidate, fn, args) {
  try {
    return ['value', await candidate.call(fn, args)];
  } catch (error) {
    return ['raised', error?.name ?? 'error'];
  }
}

module.exports = { open, outcome };
