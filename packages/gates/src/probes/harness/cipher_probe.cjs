/** Encrypts, repeats, changes and decrypts through a candidate's pair of functions or class. */
'use strict';
const { randomBytes } = require('node:crypto');
const { isDeepStrictEqual } = require('node:util');
const { finish, parametersOf, textOf } = require('./candidate.cjs');
const { open, outcome } = require('./node_candidate.cjs');

const ENCRYPT = /encrypt|encipher|^seal|\.seal/i;
const DECRYPT = /decrypt|decipher|unseal/i;
const KEY = /key|^k$|pass|secret|shift|pwd|offset|rot/i;
const NONCE = /nonce|iv$|^iv|vector|salt/i;
const TAG = /tag|mac/i;
const ASSOCIATED = /associated|aad$|^ad$|header/i;

const LONG = 'attack at dawn, sixteen or more!'.repeat(4); // 128 characters, eight equal pairs of blocks
const bytes = (length, from) => Buffer.from(Array.from({ length }, (_, at) => from + at));
const KEYS = [
  bytes(32, 1),
  bytes(16, 1),
  bytes(24, 1),
  bytes(32, 1).toString('hex'),
  bytes(16, 1).toString('hex'),
  bytes(32, 1).toString('base64'),
  'thirty two letters are in a key!',
  'a sixteen letter',
  'lemon',
  3,
  bytes(8, 1),
  '8 bytes!',
];
const TEXTS = [LONG, Buffer.from(LONG), 'attackatdawn'.repeat(4), 'ATTACKATDAWN'.repeat(4), 'one block of aes'];

const plain = (value) => {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('latin1');
  if (Array.isArray(value)) return value.map(plain).join('');
  if (value !== null && typeof value === 'object') return Object.values(value).map(plain).join('');
  return String(value);
};
const text = (value) => (value instanceof Uint8Array ? Buffer.from(value).toString('utf8') : plain(value));
const changed = (value) =>
  value instanceof Uint8Array
    ? Buffer.concat([Buffer.from('b'), value.subarray(1)])
    : (/^[A-Z]/.test(value) ? 'B' : 'b') + value.slice(1);

/** Bytes of a ciphertext, with text encodings of bytes undone. */
function raw(value) {
  if (value instanceof Uint8Array) return Buffer.from(value);
  if (typeof value !== 'string') return null;
  // `nonce.body`, `nonce:body:tag`: the body is the longest.
  const parts = value.split(/[.:$|]/);
  if (parts.length > 1 && parts.length < 5) return raw(parts.sort((a, b) => b.length - a.length)[0]);
  if (/^([0-9a-f]{2})+$/i.test(value)) return Buffer.from(value, 'hex');
  return /^[\w+/=-]+$/.test(value) && value.length % 4 === 0
    ? Buffer.from(value, 'base64')
    : Buffer.from(value, 'latin1');
}

/** A value with one character or byte changed, kept in the alphabet it is written in. */
function flipped(value, at) {
  if (value instanceof Uint8Array) {
    const copy = Buffer.from(value);
    copy[at] ^= 1;
    return copy;
  }
  const old = value[at];
  return (
    value.slice(0, at) +
    (/[0-9a-f]/.test(old) ? (old === '0' ? '1' : '0') : old === 'A' ? 'B' : 'A') +
    value.slice(at + 1)
  );
}

const isPiece = (value) => typeof value === 'string' || value instanceof Uint8Array;
/** Places of the text-like pieces of a ciphertext, the longest, its body, first: [] stands for the whole. */
function pieces(cipher) {
  if (isPiece(cipher) || cipher === null || typeof cipher !== 'object') return [null];
  return Object.keys(cipher)
    .filter((key) => isPiece(cipher[key]))
    .sort((a, b) => cipher[b].length - cipher[a].length);
}
const pieceAt = (cipher, key) => (key === null ? cipher : cipher[key]);
function replaced(cipher, key, value) {
  if (key === null) return value;
  return Array.isArray(cipher)
    ? cipher.map((one, at) => (String(at) === key ? value : one))
    : { ...cipher, [key]: value };
}

const isDestructured = (fn) =>
  // lathe-ignore no-super-linear-backtracking -- the candidate's own time, inside the sandbox
  /^\s*(?:async\s*)?(?:function\s*)?[\w$]*\s*\(\s*\{/.test(textOf(fn));

/** The arguments a function is called with, by the names of its parameters; null where they cannot be guessed. */
function argumentsFor(fn, key, body, extra) {
  const names = parametersOf(fn);
  // `decrypt({ iv, data, tag })` takes the ciphertext apart itself.
  if (isDestructured(fn) && body !== null && typeof body === 'object' && names.every((name) => name in body))
    return [body];
  const free = [];
  const values = new Map();
  for (const name of names) {
    if (ASSOCIATED.test(name)) values.set(name, Buffer.from('header'));
    else if (TAG.test(name) && !KEY.test(name)) {
      if (extra.tag !== undefined) values.set(name, extra.tag);
    } else if (NONCE.test(name) && !KEY.test(name)) values.set(name, extra.nonce);
    else if (KEY.test(name)) values.set(name, key);
    else free.push(name);
  }
  if (free.length === 2 && values.size === 0) values.set(free.pop(), key);
  if (free.length !== 1) return null;
  values.set(free[0], body);
  return names.map((name) => values.get(name));
}

class Scheme {
  constructor(candidate, encrypt, decrypt, name) {
    Object.assign(this, { candidate, encryptFunction: encrypt, decryptFunction: decrypt, name });
  }

  functions() {
    return [this.encryptFunction, this.decryptFunction];
  }

  async forward(key, value) {
    // A nonce that the caller passes is the caller's to keep fresh.
    this.nonce = randomBytes(this.nonceSize);
    const [encrypt] = this.functions(key);
    const args = argumentsFor(encrypt, key, value, { nonce: this.nonce });
    return args ? outcome(this.candidate, encrypt, args) : ['raised', 'parameters'];
  }

  async back(key, cipher, nonce) {
    const [, decrypt] = this.functions(key);
    const keys = pieces(cipher);
    const attempts = [[cipher, { nonce }]];
    if (keys.length > 1) {
      const [body, ...rest] = keys.map((one) => pieceAt(cipher, one));
      for (const [first, second] of [rest, [...rest].reverse()]) {
        attempts.push([body, { nonce: first, tag: second }]);
        attempts.push([body, { nonce, tag: first }]);
      }
    }
    let last = ['raised', 'parameters'];
    for (const [body, extra] of attempts) {
      const args = argumentsFor(decrypt, key, body, extra);
      if (!args) continue;
      last = await outcome(this.candidate, decrypt, args);
      if (last[0] === 'value' && last[1] !== null && last[1] !== undefined && last[1] !== false) return last;
    }
    return last;
  }
}

class ClassScheme extends Scheme {
  functions(key) {
    const made = new this.encryptFunction.of(key);
    return [this.encryptFunction, this.decryptFunction].map((one) => {
      const method = one.methodName;
      return Object.assign(made[method].bind(made), { source: one.source });
    });
  }
}

function schemesOf(candidate) {
  const found = [];
  const { names, functions } = candidate;
  for (const one of names) {
    for (const other of names) {
      const [encrypt, decrypt] = [functions[one], functions[other]];
      const short = (name) => name.split('.').at(-1);
      if (typeof encrypt !== 'function' || typeof decrypt !== 'function' || encrypt.of !== decrypt.of) continue;
      if (!ENCRYPT.test(short(one)) || DECRYPT.test(short(one)) || !DECRYPT.test(short(other))) continue;
      if (!encrypt.of) found.push(new Scheme(candidate, encrypt, decrypt, one));
      else {
        encrypt.methodName = short(one);
        decrypt.methodName = short(other);
        found.push(new ClassScheme(candidate, encrypt, decrypt, one));
      }
    }
  }
  return found;
}

/** The first key and text the scheme works with, and what is wrong with what it makes of them. */
async function examine(scheme) {
  let working = null;
  for (const nonceSize of [16, 12]) {
    scheme.nonceSize = nonceSize;
    for (const key of KEYS) {
      for (const value of TEXTS) {
        if (working?.roundTrip) break;
        let ending;
        let cipher;
        try {
          [ending, cipher] = await scheme.forward(key, value);
        } catch {
          break; // the class cannot be made with this key
        }
        if (ending !== 'value' || cipher === null || cipher === undefined || plain(cipher).length < 2) continue;
        if (plain(cipher) === plain(value)) continue;
        const nonce = scheme.nonce;
        const [ended, back] = await scheme.back(key, cipher, nonce);
        const roundTrip = ended === 'value' && text(back) === text(value);
        if (!working || roundTrip) working = { key, value, cipher, nonce, roundTrip };
      }
    }
  }
  if (!working) return null;
  const { key, value, cipher, nonce, roundTrip } = working;
  const shown = `key ${(key instanceof Uint8Array ? key.toString('hex') : JSON.stringify(key)).slice(0, 20)}`;
  const problems = [];
  const second = await scheme.forward(key, value);
  if (second[0] === 'value' && isDeepStrictEqual(plain(second[1]), plain(cipher))) {
    problems.push({ kind: 'repeated', input: `the same text twice, ${shown}` });
    const other = await scheme.forward(key, changed(value));
    if (other[0] === 'value' && plain(other[1]).length === plain(cipher).length) {
      const [a, b] = [plain(other[1]), plain(cipher)];
      const differing = [...a].filter((one, at) => one !== b[at]).length;
      if (differing > 0 && differing <= 2 && b.length > 8)
        problems.push({ kind: 'letterwise', input: `two texts that differ in one letter, ${shown}` });
    }
  }
  const [bodyKey] = pieces(cipher);
  const body = bodyKey === undefined ? null : pieceAt(cipher, bodyKey);
  const data = isPiece(body) ? raw(body) : null;
  if (data && data.length >= 64) {
    const blocks = Array.from({ length: Math.floor(data.length / 16) }, (_, at) =>
      data.subarray(at * 16, at * 16 + 16).toString('hex'),
    );
    if (new Set(blocks).size < blocks.length) problems.push({ kind: 'blocks', input: 'a text of equal blocks' });
  }
  if (roundTrip && isPiece(body) && body.length > 4) {
    const places = [...new Set([Math.floor(body.length / 2), Math.floor(body.length / 3), body.length - 2])];
    let accepted = 0;
    for (const at of places) {
      const [ended, back] = await scheme.back(key, replaced(cipher, bodyKey, flipped(body, at)), nonce);
      if (ended === 'value' && back !== null && back !== undefined && back !== false && text(back) !== text(value))
        accepted++;
    }
    if (accepted > 0)
      problems.push({
        kind: 'tampered',
        input: `a ciphertext with one changed byte (${accepted} of ${places.length} places)`,
      });
  }
  return { function: scheme.name, line: scheme.candidate.lineOf(scheme.name), roundTrip, problems };
}

async function main() {
  const candidate = open(process.argv[2], (made) => (made.length <= 1 ? [KEYS[0]] : null));
  let found = null;
  for (const scheme of schemesOf(candidate)) {
    const result = await examine(scheme);
    if (result && (!found || (result.roundTrip && !found.roundTrip))) found = result;
  }
  finish(found ?? { unusable: 'no pair of functions encrypted a text', missing: [...candidate.missing] });
}
main();
