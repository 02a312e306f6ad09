/** Signs a hundred messages through a candidate and compares what must never repeat. */
'use strict';
const { generateKeyPairSync } = require('node:crypto');
const { finish, parametersOf, textOf } = require('./candidate.cjs');
const { open, outcome } = require('./node_candidate.cjs');

/** `sign`, `signMessage`, `hmacSign`; not `signIn`, `signUp`, `signal`, `signed`, `signer`. */
const SIGN = /(?:^s|S|_s)ign(?!al|ed|er|(?:[uU]p|[iI]n|[oO]ut)(?![a-z]))/;
const NOT_SIGN = /verif|check|valid|test|main/i;
const MESSAGE = /message|msg|data|text|^m$|payload|string|content|body|bytes|buffer|input/i;
const KEY = /key|^sk$|^k$|^d$|priv|secret|signer|pem/i;
/** What texts and bytes have themselves; a function that reads anything else of its message wants an object. */
const OF_TEXTS = new Set(
  'length toString slice subarray substring substr trim normalize charCodeAt codePointAt at buffer byteLength byteOffset map reduce forEach split'.split(
    ' ',
  ),
);

const NUMBER = 0x1c2f3e4d5a69788796a5b4c3d2e1f00112233445566778899aabbccddeeff00fn;
const BARE = NUMBER.toString(16).padStart(64, '0');
const pem = (key) => key.export({ type: 'pkcs8', format: 'pem' });
const made = (type, options) => generateKeyPairSync(type, options).privateKey;

/** Keys in the forms that functions take them, then a secret and a bare number; each made when those before it served for nothing. */
function* keys() {
  const curve = made('ec', { namedCurve: 'P-256' });
  yield* [pem(curve), curve];
  const edwards = made('ed25519');
  yield* [pem(edwards), edwards];
  yield pem(made('rsa', { modulusLength: 2048 }));
  yield* ['a secret of more than thirty letters', BARE, Buffer.from(BARE, 'hex'), NUMBER];
}

/** Letters or bytes of a signature: those of a short MAC, in hexadecimal or not. */
const SHORTEST = 16;
const SHAPES = [
  (number) => `message ${number}`,
  (number) => Buffer.from(`message ${number}`),
  // For what looks at the beginning alone.
  (number) => `${'a long message, the same but for its end; '.repeat(8)}${number}`,
];

/** What may be a signature in what was returned, in order: bytes, other text of some length, and pairs of numbers r and s. */
function pieces(value) {
  if (value instanceof ArrayBuffer) return pieces(Buffer.from(value));
  if (value instanceof Uint8Array) return value.length >= SHORTEST ? [Buffer.from(value)] : [];
  if (typeof value === 'string') return value.length >= SHORTEST ? [bytesOf(value) ?? Buffer.from(value)] : [];
  if (value === null || typeof value !== 'object') return [];
  if ('r' in value && 's' in value) return [{ r: String(value.r), s: String(value.s) }];
  const parts = Object.values(value);
  const isPair = parts.length === 2 && parts.every((one) => typeof one === 'bigint');
  return isPair ? [{ r: String(parts[0]), s: String(parts[1]) }] : parts.flatMap(pieces);
}

function bytesOf(text) {
  if (/^([0-9a-f]{2})+$/i.test(text)) return Buffer.from(text, 'hex');
  return /^[\w+/-]+=*$/.test(text) ? Buffer.from(text, 'base64') : null;
}

/** The number r of an ECDSA signature (SEC 1, 4.1.3): of a pair, of DER, of two halves; the whole where it is none of them. */
function nonceOf(piece) {
  if (!Buffer.isBuffer(piece)) return piece.r;
  const at = piece[1] === 0x81 ? 3 : 2;
  const isDer = piece[0] === 0x30 && piece[at] === 2 && piece.length - at === piece[at - 1];
  if (isDer) return piece.subarray(at + 2, at + 2 + piece[at + 1]).toString('hex');
  return piece.subarray(0, piece.length === 64 ? 32 : piece.length).toString('hex');
}

const written = (piece) => (Buffer.isBuffer(piece) ? piece.toString('hex') : `${piece.r} ${piece.s}`);

/** How many signatures, different ones and secret numbers there are: of the piece that varies most, which leaves a key beside it out. */
function counts(returned) {
  const rows = returned.map(pieces);
  const columns = Array.from({ length: Math.min(...rows.map(({ length }) => length)) }, (_, at) => {
    const column = rows.map((row) => row[at]);
    return { signatures: new Set(column.map(written)).size, nonces: new Set(column.map(nonceOf)).size };
  });
  const [{ signatures, nonces }] = columns.sort((a, b) => b.signatures - a.signatures || b.nonces - a.nonces);
  return { signatures: returned.length, distinctSignatures: signatures, distinctNonces: nonces };
}

const wantsAnObject = (fn, message) => {
  const name = message.replaceAll('$', '\\$');
  const read = [...textOf(fn).matchAll(new RegExp(`(?<![\\w$.])${name}\\??\\.([\\w$]+)`, 'g'))];
  return read.some(([, member]) => !OF_TEXTS.has(member)) || new RegExp(`\\}\\s*=\\s*${name}\\b`).test(textOf(fn));
};

/** What a hundred messages gave, or null where the function signs none with this key and shape. */
async function hundred(candidate, fn, argumentsFor) {
  const returned = [];
  for (let number = 0; number < 100; number++) {
    const [ending, value] = await outcome(candidate, fn, argumentsFor(number));
    if (ending === 'value' && pieces(value).length > 0) returned.push(value);
    else if (number === 0) return null;
  }
  return returned;
}

const repeats = ({ signatures, distinctNonces, distinctSignatures }) =>
  signatures - Math.min(distinctNonces, distinctSignatures);

/** What a function made of the first key it signs with, in the shape of message where most repeats; null where it signs none. */
async function examine(candidate, name, fn) {
  // What it can do without is not its message.
  const names = parametersOf(fn).slice(0, Math.max(1, fn.source === undefined ? fn.length : 2));
  const taken = names.filter((one) => KEY.test(one));
  const messages = names.filter((one) => !taken.includes(one) && MESSAGE.test(one));
  if (messages.length !== 1 || messages.length + taken.length !== names.length || taken.length > 1) return null;
  if (wantsAnObject(fn, messages[0])) return null;
  for (const key of taken.length === 0 ? [null] : keys()) {
    const answers = [];
    for (const shape of SHAPES) {
      const argumentsFor = (number) => names.map((one) => (taken.includes(one) ? key : shape(number)));
      const returned = await hundred(candidate, fn, argumentsFor);
      if (returned) answers.push({ function: name, line: candidate.lineOf(name), ...counts(returned) });
    }
    if (answers.length > 0) return answers.sort((a, b) => repeats(b) - repeats(a))[0];
  }
  return null;
}

async function main() {
  const candidate = open(process.argv[2], (one) => (one.length <= 1 ? [keys().next().value] : null));
  for (const name of candidate.names) {
    const fn = candidate.functions[name];
    const short = name.split('.').at(-1);
    if (typeof fn !== 'function' || !SIGN.test(short) || NOT_SIGN.test(short)) continue;
    const answer = await examine(candidate, name, fn);
    if (answer) finish(answer);
  }
  finish({ unusable: 'no function signed a message', missing: [...candidate.missing] });
}
main();
