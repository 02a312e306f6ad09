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
const curve = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
const edwards = generateKeyPairSync('ed25519').privateKey;
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
const pem = (key) => key.export({ type: 'pkcs8', format: 'pem' });
const KEYS = [
  pem(curve),
  curve,
  pem(edwards),
  edwards,
  pem(rsa),
  'a secret of more than thirty letters',
  BARE,
  Buffer.from(BARE, 'hex'),
  NUMBER,
];
const SHAPES = [
  (number) => `message ${number}`,
  (number) => Buffer.from(`message ${number}`),
  // For what looks at the beginning alone.
  (number) => `${'a long message, the same but for its end; '.repeat(8)}${number}`,
];

/** One signature as text: bytes in hexadecimal, the pieces of an object in order; null for anything too short to be one. */
function written(value) {
  const text =
    value instanceof Uint8Array
      ? Buffer.from(value).toString('hex')
      : value instanceof ArrayBuffer
        ? Buffer.from(value).toString('hex')
        : value !== null && typeof value === 'object'
          ? Object.values(value).map(String).join(' ')
          : typeof value === 'bigint' || typeof value === 'string'
            ? String(value)
            : '';
  return text.length >= 32 ? text : null;
}

function bytesOf(value) {
  if (value instanceof ArrayBuffer) return Buffer.from(value);
  if (value instanceof Uint8Array) return Buffer.from(value);
  if (typeof value !== 'string') return null;
  if (/^([0-9a-f]{2})+$/i.test(value)) return Buffer.from(value, 'hex');
  return /^[\w+/=-]+$/.test(value) ? Buffer.from(value, 'base64') : null;
}

/** The number r of an ECDSA signature (SEC 1, 4.1.3), in DER, as two halves, or as an object's r; null where it has none. */
function nonceOf(value) {
  if (value !== null && typeof value === 'object' && 'r' in value && 's' in value) return String(value.r);
  const bytes = bytesOf(value);
  if (!bytes) return null;
  const at = bytes[1] === 0x81 ? 3 : 2;
  if (bytes[0] === 0x30 && bytes[at] === 2) return bytes.subarray(at + 2, at + 2 + bytes[at + 1]).toString('hex');
  return bytes.length === 64 ? bytes.subarray(0, 32).toString('hex') : null;
}

const wantsAnObject = (fn, message) => {
  const name = message.replaceAll('$', '\\$');
  const read = [...textOf(fn).matchAll(new RegExp(`(?<![\\w$.])${name}\\??\\.([\\w$]+)`, 'g'))];
  return read.some(([, member]) => !OF_TEXTS.has(member)) || new RegExp(`\\}\\s*=\\s*${name}\\b`).test(textOf(fn));
};

/** A hundred signatures of a hundred messages, or null where the function makes none of this key and shape. */
async function hundred(candidate, fn, argumentsFor) {
  const signatures = [];
  for (let number = 0; number < 100; number++) {
    const [ending, signature] = await outcome(candidate, fn, argumentsFor(number));
    if (ending !== 'value' || written(signature) === null) {
      if (number === 0) return null;
      continue;
    }
    signatures.push(signature);
  }
  return signatures;
}

const repeats = ({ signatures, distinctNonces, distinctSignatures }) =>
  signatures - Math.min(distinctNonces, distinctSignatures);

async function main() {
  const candidate = open(process.argv[2], (made) => (made.length <= 1 ? [KEYS[0]] : null));
  let found = null;
  for (const name of candidate.names) {
    const fn = candidate.functions[name];
    const short = name.split('.').at(-1);
    if (typeof fn !== 'function' || !SIGN.test(short) || NOT_SIGN.test(short)) continue;
    // What it can do without is not its message.
    const names = parametersOf(fn).slice(0, Math.max(1, fn.source === undefined ? fn.length : 2));
    const keys = names.filter((one) => KEY.test(one));
    const messages = names.filter((one) => !keys.includes(one) && MESSAGE.test(one));
    if (messages.length !== 1 || messages.length + keys.length !== names.length || keys.length > 1) continue;
    if (wantsAnObject(fn, messages[0])) continue;
    for (const key of keys.length === 0 ? [null] : KEYS) {
      for (const shape of SHAPES) {
        if (found && found.distinctSignatures < found.signatures) break;
        const argumentsFor = (number) => names.map((one) => (keys.includes(one) ? key : shape(number)));
        const signatures = await hundred(candidate, fn, argumentsFor);
        if (!signatures) continue;
        const nonces = signatures.map(nonceOf);
        const counted = nonces.every((one) => one !== null);
        const answer = {
          function: name,
          line: candidate.lineOf(name),
          signatures: signatures.length,
          distinctNonces: counted ? new Set(nonces).size : signatures.length,
          distinctSignatures: new Set(signatures.map(written)).size,
        };
        if (!found || repeats(answer) > repeats(found)) found = answer;
      }
      if (found) break;
    }
    if (found) break;
  }
  finish(found ?? { unusable: 'no function signed a message', missing: [...candidate.missing] });
}
main();
