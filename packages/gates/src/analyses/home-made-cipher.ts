import type { ParsedFile } from '../rules/parsed-file.ts';
import { type Node, nameOfFunction, symbolOf } from '../rules/syntax.ts';
import { functionsOf } from './functions.ts';
import type { Hit } from './hit.ts';

/** Words that a name like `caesar_encrypt`, `xorDecode` or `EncryptText` is made of. */
const CIPHER_WORDS = new Set([
  ...['encrypt', 'decrypt', 'encipher', 'decipher', 'encypher', 'decypher', 'encryption', 'decryption', 'encrypted'],
  ...['decrypted', 'cipher', 'cypher', 'scramble', 'obfuscate', 'caesar', 'vigenere', 'rot13', 'xorcipher'],
]);

function namedLikeACipher(name: string): boolean {
  const words = name
    .replace(/([a-z\d])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .split(/[^a-z\d]+/);
  return words.some((word) => CIPHER_WORDS.has(word) || /^(en|de)crypt/.test(word));
}

/** Signs that the work is left to a library: a call to something that itself encrypts, opens or seals. */
const LIBRARY =
  /\b(AES|DES3?|ARC[24]|Blowfish|ChaCha20\w*|Fernet|MultiFernet|AESGCM|AESCCM|AESSIV|AESOCB3|Salsa20|SecretBox|SealedBox|PKCS1_OAEP|Cipher|createCipheriv|createDecipheriv|createCipher|createDecipher|publicEncrypt|privateDecrypt|subtle|sodium|nacl|pyaes|CryptoJS|XChaCha\w*|gpg|openssl|EVP_\w+|crypto_\w+|forge|sjcl|Aes\w*|\w*Engine)\b|\.(encrypt|decrypt|seal|unseal|encrypt_and_digest|decrypt_and_verify|encryptor|decryptor|aes\w*)\s*\(/;

/** Arithmetic on characters and bytes, or a table from letter to letter. */
const ON_CHARACTERS =
  /\bord\s*\(|\bchr\s*\(|\.charCodeAt\s*\(|\.codePointAt\s*\(|String\.from(CharCode|CodePoint)|\bmaketrans\b|\.translate\s*\(|\.(index|find|indexOf)\s*\(|%\s*(25[56]|26|95|127|128|len\b)|ascii_(lower|upper)case|bytes\s*\([\s[(]*\w+\s*\^|Buffer\.|Uint8Array/;
/** A character, XOR something, made a character again: whatever the function is called. */
const XOR_OF_CHARACTERS = /chr\([^()]*ord\([^()]*\)\s*\^|fromCharCode\([^;]{0,80}\^/;
/** `encode(text, key)`: encryption by another name, where a key goes in. */
const NAMED_LIKE_AN_ENCODING = /(^|_)(en|de)c(ode|oder)?(_|$|[A-Z])/;
const KEY_PARAMETER = /\b(key|secret|shift|password|passphrase)\b/i;
const XOR = /[\w)\]]\s*\^=?\s*[\w(]|\bxor\w*\s*\(/i;
const RANDOM = /\brandom\.(seed|randint|randrange|shuffle|choice|sample|Random)\b|Math\.random/;
const POWER = /[\w)]\s*\*\*\s*[\w(]|\bpow\s*\(|Math\.pow|modPow/;
const REORDERED = /\[::-1\]|\breversed\s*\(|\.reverse\s*\(|\.sort\s*\(|\bshuffle\s*\(|\bsorted\s*\(/;
const ENCODED =
  /\bb(64|32|16|85)(en|de)code\b|\bbtoa\b|\batob\b|base64|'hex'|"hex"|\.hex\s*\(|rot_?13|zlib|encodeURIComponent|hashlib\.|createHash\s*\(/i;

/**
 * A function that calls itself encryption and does the work by hand: shifting or adding characters, XOR with a key,
 * swapping letters through a table, textbook RSA, or merely encoding. No such scheme withstands a known plaintext.
 */
export function homeMadeCipher(file: ParsedFile): Hit[] {
  const hits: Hit[] = [];
  for (const node of functionsOf(file)) {
    const name = symbolOf(node)?.split('.').at(-1) || nameOfFunction(node);
    const encoding = NAMED_LIKE_AN_ENCODING.test(name) && KEY_PARAMETER.test(node.field('parameters')?.text() ?? '');
    const parameters = node.field('parameters')?.text() ?? '';
    const unmistakable =
      XOR_OF_CHARACTERS.test(node.text()) && (KEY_PARAMETER.test(parameters) || /\bk\b/.test(parameters));
    if (!namedLikeACipher(name) && !encoding && !unmistakable) continue;
    if (node.ancestors().some((ancestor) => hits.some((hit) => hit.node.id() === ancestor.id()))) continue;
    const code = bodyOf(node);
    if (LIBRARY.test(code)) continue;
    const by = mannerOf(code) ?? mannerThroughHelper(code, name, file);
    if (by && !(encoding && by.startsWith('an encoding'))) {
      hits.push({
        node,
        message: `${name} is a cipher of its own making (${by}): anyone who knows a little of the text can undo it`,
      });
    }
  }
  return hits;
}

function bodyOf(node: Node): string {
  // Strings stay (alphabets are strings); comments and documentation go.
  const body = node.field('body') ?? node;
  let text = body.text();
  for (const comment of body.findAll({ rule: { kind: 'comment' } })) text = text.replace(comment.text(), '');
  return text.replace(/("""|''')[\s\S]*?\1/g, '');
}

function mannerOf(code: string): string | null {
  const characters = ON_CHARACTERS.test(code);
  if (XOR.test(code) && (characters || /\bzip\s*\(|\bkey\b|\bfor\b/i.test(code))) return 'XOR with the key';
  if (characters) return 'arithmetic on characters';
  if (RANDOM.test(code)) return 'numbers of a generator that is not made for it';
  if (POWER.test(code)) return 'textbook exponentiation';
  if (REORDERED.test(code)) return 'reordering';
  if (ENCODED.test(code)) return 'an encoding, which needs no key to undo';
  // A letter looked up in a table.
  if (
    /alphabet|letters|table|mapping|\bkey\b|dict/i.test(code) &&
    !/(en|de)crypt\w+\s*\(/i.test(code) &&
    /\w+\[\s*\w+\s*\]|\.get\s*\(|\.replace\s*\(/.test(code) &&
    /\bfor\b|\.map\s*\(|\bjoin\b/.test(code)
  )
    return 'a substitution table';
  return null;
}

/** `encrypt` that hands every letter to `shift` of the same file. */
function mannerThroughHelper(code: string, name: string, file: ParsedFile): string | null {
  for (const helper of functionsOf(file)) {
    const helperName = nameOfFunction(helper);
    if (!helperName || helperName === name || !new RegExp(`\\b${escapeForRegExp(helperName)}\\s*\\(`).test(code))
      continue;
    const helperCode = bodyOf(helper);
    if (LIBRARY.test(helperCode)) return null;
    const manner = mannerOf(helperCode);
    if (manner && /^(XOR|arithmetic|numbers)/.test(manner)) return manner;
  }
  return null;
}

export function escapeForRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
