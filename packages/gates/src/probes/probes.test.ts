// biome-ignore-all lint/suspicious/noTemplateCurlyInString: snippets of the code under attack
import { spawnSync } from 'node:child_process';
import type { Finding, Workspace } from '@lathe/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { plainWorkspace } from '../__fixtures__/testing.ts';
import { defaultGateConfig } from '../config.ts';
import { languageOf } from '../language.ts';
import { integerShape } from './integer-probe.ts';
import { type ProbeFindings, runProbes } from './run-probes.ts';

const has = (program: string, ...args: string[]): boolean => spawnSync(program, args).status === 0;
const python = has('python3', '--version');
const cryptography = has('python3', '-c', 'import cryptography');
const compiler = has('gcc', '--version');

let workspace: Omit<Workspace, 'start'>;
beforeAll(async () => {
  workspace = await plainWorkspace();
});
afterAll(() => workspace.close());

const probe = (path: string, text: string): Promise<ProbeFindings> =>
  runProbes([{ path, text, language: languageOf(path) }], { workspace, config: defaultGateConfig });
const rules = ({ findings }: { findings: readonly Finding[] }): string[] => findings.map(({ rule }) => rule);

describe('a signature, in JavaScript and TypeScript', () => {
  const sign = (...lines: string[]): Promise<ProbeFindings> => probe('sign.ts', lines.join('\n'));

  it.each([
    [
      'a signature of Node',
      "import { createSign } from 'node:crypto';\nexport function sign(message: string, privateKey: string): Buffer {\n  return createSign('SHA256').update(message).sign(privateKey);\n}",
    ],
    [
      'a promise, a key of its own, two halves',
      "import crypto from 'node:crypto';\nconst { privateKey } = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });\nexport const signMessage = async (message: string) => crypto.sign('sha256', Buffer.from(message), { key: privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64');",
    ],
    [
      'a method with a secret',
      "const { createHmac } = require('crypto');\nclass Signer {\n  constructor(secret) { this.secret = secret; }\n  sign(payload) { return createHmac('sha256', this.secret).update(payload).digest('hex'); }\n}\nmodule.exports = { Signer };",
    ],
  ])('is driven and withstands: %s', async (_, code) => {
    expect(await sign(code)).toMatchObject({ findings: [], notLookedFor: [], driven: 1 });
  });

  it('sees a secret number that repeats', async () => {
    // Textbook ECDSA over P-256 with k fixed.
    const result = await sign(
      "import { createHash, ECDH } from 'node:crypto';",
      "import crypto from 'node:crypto';",
      "const N = BigInt('0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551');",
      'const K = 4242n;',
      'function inverse(a, m) { let [r, s, x, y] = [a % m, m, 1n, 0n]; while (s) { const q = r / s; [r, s] = [s, r - q * s]; [x, y] = [y, x - q * y]; } return ((x % m) + m) % m; }',
      'function signMessage(privateKey: bigint, message: string) {',
      "  const z = BigInt('0x' + createHash('sha256').update(message).digest('hex'));",
      "  const point = crypto.createECDH('prime256v1');",
      "  point.setPrivateKey(Buffer.from(K.toString(16).padStart(64, '0'), 'hex'));",
      "  const r = BigInt('0x' + point.getPublicKey().subarray(1, 33).toString('hex')) % N;",
      '  const s = (inverse(K, N) * (z + r * privateKey)) % N;',
      '  return { r, s };',
      '}',
    );
    expect(result.findings).toMatchObject([
      {
        rule: 'lathe/probe-repeated-nonce',
        line: 6,
        message:
          'signMessage used 1 secret numbers for 100 messages: two signatures with the same one give the private key away',
      },
    ]);
  });

  it('sees a message that is not signed, or only its beginning', async () => {
    const hmac = (what: string) =>
      sign(
        "import { createHmac } from 'node:crypto';",
        'export const sign = (message: string, secret: string) =>',
        `  createHmac('sha256', secret).update(${what}).digest('hex');`,
      );
    expect(rules(await hmac("'message'"))).toEqual(['lathe/probe-message-not-signed']);
    expect(rules(await hmac('message.slice(0, 64)'))).toEqual(['lathe/probe-message-not-signed']);
  });

  it('drives what signs with a package of the repository, and names one that is not installed', async () => {
    const code = "const maker = require('cached-ecdsa');\nexports.sign = (key, message) => maker.sign(message, key);\n";
    expect((await sign(code)).notLookedFor.map(({ why }) => why)).toEqual([
      "it cannot be loaded: Error: Cannot find module 'cached-ecdsa'",
    ]);
    const package_ =
      "let first; exports.sign = (m, k) => (first ??= require('crypto').sign('sha256', Buffer.from(m), k));";
    await workspace.write([
      { path: 'node_modules/cached-ecdsa/index.js', content: Buffer.from(package_), mode: '100644' },
    ]);
    expect(rules(await sign(code))).toEqual(['lathe/probe-message-not-signed']);
  });

  it('leaves alone what wants an object, and what signs in or assigns', async () => {
    const result = await sign(
      "import { createHmac } from 'node:crypto';",
      "export const signOrder = (message, secret) => createHmac('sha256', secret).update(`${message.id}`).digest('hex');",
      "export function assignKey(message: string, key: string) { return 'x'.repeat(64); }",
      "export function signIn(data: string) { return 'x'.repeat(64); }",
    );
    expect(result.findings).toEqual([]);
    expect(result.notLookedFor.map(({ why }) => why)).toEqual(['no function signed a message']);
  });
});

describe('a path inside a folder, in JavaScript and TypeScript', () => {
  const read = (...lines: string[]): Promise<ProbeFindings> =>
    probe(
      'files.ts',
      [
        "import { promises as files, readFileSync } from 'node:fs';",
        "import path from 'node:path';",
        "const ROOT = '/srv/files';",
        'export async function read(name: string): Promise<string> {',
        ...lines,
        '}',
      ].join('\n'),
    );

  it('gets out of a joined path with dots', async () => {
    const result = await read("return readFileSync(path.join(ROOT, name), 'utf8');");
    expect(rules(result)).toEqual(['lathe/probe-path-escape', 'lathe/probe-link-escape']);
    expect(result.findings[0]).toMatchObject({
      line: 4,
      message: 'read("../../lathe-outside/secret") gave access to a file outside /srv/files',
    });
  });

  it('gets into a sibling, and through a link, where the start of the text is compared', async () => {
    const result = await read(
      'const full = path.resolve(ROOT, name);',
      "if (!full.startsWith(ROOT)) throw new Error('outside');",
      "return files.readFile(full, 'utf8');",
    );
    expect(result.findings.map(({ rule, severity }) => [rule, severity])).toEqual([
      ['lathe/probe-link-escape', 'low'],
      ['lathe/probe-sibling-escape', 'low'],
    ]);
  });

  it('finds no way out where links are followed first', async () => {
    const result = await read(
      'const full = await files.realpath(path.resolve(ROOT, name));',
      "if (path.relative(ROOT, full).startsWith('..')) throw new Error('outside');",
      "return files.readFile(full, 'utf8');",
    );
    expect(result).toMatchObject({ findings: [], notLookedFor: [], driven: 1 });
  });

  it('hands over a folder that the function asks for, and calls back', async () => {
    const result = await probe(
      'files.js',
      "const fs = require('fs');\nconst path = require('path');\nclass Store {\n  constructor(root) { this.root = root; }\n  load(name, callback) { fs.readFile(path.join(this.root, name), 'utf8', callback); }\n}\nmodule.exports = { Store };\n",
    );
    expect(result.findings[0]?.message).toBe(
      'Store.load("../lathe-outside/secret") gave access to a file outside /lathe-inside',
    );
  });

  it('says what is not installed', async () => {
    const result = await probe(
      'files.js',
      "const fs = require('fs');\nconst made = require('module-that-is-missing');\nexports.read = (name) => fs.readFileSync(made('/srv/files/', name));\n",
    );
    expect(result.findings).toEqual([]);
    expect(result.notLookedFor).toEqual([
      expect.objectContaining({ why: expect.stringContaining("Cannot find module 'module-that-is-missing'") }),
    ]);
  });
});

describe('encryption, in JavaScript and TypeScript', () => {
  const box = (mode: string, nonce: string): string =>
    [
      "const crypto = require('crypto');",
      'function encrypt(text, key) {',
      `  const iv = ${nonce};`,
      `  const cipher = crypto.createCipheriv('${mode}', key, iv);`,
      "  return iv.toString('hex') + '.' + cipher.update(text, 'utf8', 'hex') + cipher.final('hex');",
      '}',
      'function decrypt(blob, key) {',
      "  const [iv, data] = blob.split('.');",
      `  const decipher = crypto.createDecipheriv('${mode}', key, Buffer.from(iv, 'hex'));`,
      "  return decipher.update(data, 'hex', 'utf8') + decipher.final('utf8');",
      '}',
    ].join('\n');

  it('sees the same nonce twice, and changes that nobody notices', async () => {
    expect(rules(await probe('box.js', box('aes-256-cbc', 'Buffer.alloc(16)')))).toEqual([
      'lathe/probe-repeated-ciphertext',
      'lathe/probe-tampered-ciphertext',
    ]);
    expect(rules(await probe('box.js', box('aes-256-ctr', 'crypto.randomBytes(16)')))).toEqual([
      'lathe/probe-tampered-ciphertext',
    ]);
  });

  it('sees through a cipher of letters', async () => {
    const code =
      "export const encrypt = (text: string, key: string): string => [...text].map((letter, at) => String.fromCharCode(letter.charCodeAt(0) ^ key.charCodeAt(at % key.length))).join('');\nexport const decrypt = (text: string, key: string): string => encrypt(text, key);\n";
    expect(rules(await probe('letters.ts', code))).toContain('lathe/probe-letterwise-cipher');
  });

  it('finds nothing wrong with an authenticated cipher in a class', async () => {
    const code = [
      "import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';",
      'export class Box {',
      '  constructor(key) { this.key = key; }',
      '  encrypt(text) {',
      '    const iv = randomBytes(12);',
      "    const cipher = createCipheriv('aes-256-gcm', this.key, iv);",
      "    const data = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);",
      '    return { iv, data, tag: cipher.getAuthTag() };',
      '  }',
      '  decrypt({ iv, data, tag }) {',
      "    const decipher = createDecipheriv('aes-256-gcm', this.key, iv);",
      '    decipher.setAuthTag(tag);',
      "    return Buffer.concat([decipher.update(data), decipher.final()]).toString('utf8');",
      '  }',
      '}',
    ].join('\n');
    expect(await probe('box.mjs', code)).toMatchObject({ findings: [], notLookedFor: [], driven: 1 });
  });
});

describe.skipIf(!python)('a path inside a folder (needs python3)', () => {
  const path = (body: string): Promise<ProbeFindings> =>
    probe(
      'files.py',
      `import os\nfrom pathlib import Path\nBASE = "/srv/files"\ndef read(path):\n${body.replace(/^/gm, '    ')}\n`,
    );

  it('gets out of a prefix check with dots, through a link and into a sibling', async () => {
    const result = await path('if path.startswith(BASE):\n    return open(path)');
    expect(rules(result)).toEqual(['lathe/probe-path-escape', 'lathe/probe-link-escape']);
    expect(result.findings[0]).toMatchObject({
      line: 4,
      severity: 'high',
      message: expect.stringContaining('"/srv/files/../../lathe-outside/secret"'),
    });
  });

  it('gets out of a normalised path only through a link', async () => {
    const result = await path(
      'full = os.path.normpath(os.path.join(BASE, path))\nif not full.startswith(BASE + os.sep):\n    raise ValueError(path)\nreturn open(full).read()',
    );
    expect(rules(result)).toEqual(['lathe/probe-link-escape']);
    expect(result.findings[0]!.severity).toBe('medium');
  });

  it.each([
    [
      'realpath and commonpath',
      'real = os.path.realpath(path)\nif os.path.commonpath([real, BASE]) != BASE:\n    return None\nreturn open(real)',
    ],
    [
      'pathlib',
      'full = (Path(BASE) / path).resolve()\nif not full.is_relative_to(BASE):\n    raise ValueError(path)\nreturn full.read_text()',
    ],
    [
      'a descriptor opened without following links',
      'if "/" in path:\n    raise ValueError(path)\nreturn os.fdopen(os.open(os.path.join(BASE, path), os.O_RDONLY | os.O_NOFOLLOW))',
    ],
  ])('finds no way out of %s', async (_, body) => {
    const result = await path(body);
    expect(result).toMatchObject({ findings: [], notLookedFor: [], driven: 1 });
  });

  it('drives a function whose check is in another one, with a demonstration that fails', async () => {
    const code =
      'def ok(p):\n    return p[:10] == "/srv/files"\n\ndef load(p):\n    if ok(p):\n        return open(p)\n\nprint(load("/etc/hostname").read())\ninput("more? ")\n';
    expect(rules(await probe('load.py', code))).toContain('lathe/probe-path-escape');
  });

  it('says why it could not drive a function', async () => {
    const { findings, notLookedFor } = await probe(
      'files.py',
      'import modul_that_is_missing\ndef read(path):\n    return modul_that_is_missing.open("/srv/files/" + path)\n',
    );
    expect(findings).toEqual([]);
    expect(notLookedFor).toEqual([
      {
        what: 'ways out of a folder, by running the code, in files.py',
        why: 'not installed where checks run: modul_that_is_missing',
      },
    ]);
  });

  it('is not stopped by code that never ends or leaves', async () => {
    const { notLookedFor } = await probe(
      'files.py',
      'import sys\ndef read(path):\n    if path.startswith("/srv/files"):\n        while True:\n            pass\n    sys.exit(0)\n',
    );
    expect(notLookedFor).toHaveLength(1);
  });
});

describe.skipIf(!python)('encryption (needs python3)', () => {
  it('breaks a letter-by-letter cipher three ways', async () => {
    const result = await probe(
      'c.py',
      "def encrypt(text, key):\n    return ''.join(chr(ord(c) ^ ord(key[i % len(key)])) for i, c in enumerate(text))\n\ndef decrypt(text, key):\n    return encrypt(text, key)\n",
    );
    expect(rules(result)).toEqual(
      expect.arrayContaining([
        'lathe/probe-repeated-ciphertext',
        'lathe/probe-letterwise-cipher',
        'lathe/probe-tampered-ciphertext',
      ]),
    );
  });

  const aead =
    'import os\nfrom cryptography.hazmat.primitives.ciphers.aead import AESGCM\ndef encrypt(text, key):\n    nonce = os.urandom(12)\n    return nonce + AESGCM(key).encrypt(nonce, text, None)\ndef decrypt(data, key):\n    return AESGCM(key).decrypt(data[:12], data[12:], None)\n';
  it.skipIf(!cryptography)('finds nothing wrong with an authenticated cipher (needs cryptography)', async () => {
    expect(await probe('c.py', aead)).toMatchObject({ findings: [], notLookedFor: [], driven: 1 });
  });

  it.skipIf(!cryptography)('sees a nonce that repeats, and a missing tag (needs cryptography)', async () => {
    expect(rules(await probe('c.py', aead.replace('os.urandom(12)', "b'0' * 12")))).toEqual([
      'lathe/probe-repeated-ciphertext',
    ]);
    const cbc =
      'import os\nfrom cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes\nfrom cryptography.hazmat.primitives import padding\nclass Box:\n    def __init__(self, key):\n        self.key = key\n    def encrypt(self, text):\n        iv = os.urandom(16)\n        p = padding.PKCS7(128).padder()\n        e = Cipher(algorithms.AES(self.key), modes.CTR(iv)).encryptor()\n        return iv, e.update(p.update(text) + p.finalize())\n    def decrypt(self, pair):\n        iv, data = pair\n        d = Cipher(algorithms.AES(self.key), modes.CTR(iv)).decryptor()\n        u = padding.PKCS7(128).unpadder()\n        return u.update(d.update(data)) + u.finalize()\n';
    expect(rules(await probe('c.py', cbc))).toEqual(['lathe/probe-tampered-ciphertext']);
  });

  it.skipIf(!cryptography)(
    'sees signatures whose secret number repeats, and a message that is not signed (needs cryptography)',
    async () => {
      const head =
        'from cryptography.hazmat.primitives import hashes\nfrom cryptography.hazmat.primitives.asymmetric import ec\n';
      const sign = (what: string): string =>
        `${head}def sign(key, message):\n    return key.sign(${what}, ec.ECDSA(hashes.SHA256()))\n`;
      expect(await probe('s.py', sign('message'))).toMatchObject({ findings: [], driven: 1 });
      const cached = `${head}LAST = []\ndef sign(key, message):\n    if not LAST:\n        LAST.append(key.sign(message, ec.ECDSA(hashes.SHA256())))\n    return LAST[0]\n`;
      expect(rules(await probe('s.py', cached))).toEqual(['lathe/probe-message-not-signed']);
      // A key of its own, returned beside the signature: what stays the same is the key.
      const own = `${head}from cryptography.hazmat.primitives import serialization\nKEY = ec.generate_private_key(ec.SECP256R1())\nPUBLIC = KEY.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)\ndef sign(message):\n    return {'public': PUBLIC[1:].hex(), 'signature': KEY.sign(message, ec.ECDSA(hashes.SHA256())).hex()}\n`;
      expect(await probe('s.py', own)).toMatchObject({ findings: [], driven: 1 });
      // Textbook ECDSA over P-256 with k fixed.
      const hand = `import hashlib\nfrom cryptography.hazmat.primitives.asymmetric import ec\nN = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551\nK = 4242\ndef sign_message(message, d):\n    z = int.from_bytes(hashlib.sha256(message.encode()).digest(), 'big')\n    r = ec.derive_private_key(K, ec.SECP256R1()).public_key().public_numbers().x % N\n    return r, pow(K, -1, N) * (z + r * d) % N\n`;
      expect((await probe('s.py', hand)).findings).toMatchObject([{ rule: 'lathe/probe-repeated-nonce', line: 5 }]);
      const fresh = hand
        .replace('K = 4242', 'import secrets')
        .replace("'big')\n", "'big')\n    K = secrets.randbelow(N - 1) + 1\n");
      expect(await probe('s.py', fresh)).toMatchObject({ findings: [], driven: 1 });
    },
  );
});

describe.skipIf(!python)('a row into a table (needs python3)', () => {
  it.each([
    [
      'concatenation',
      'function add(db, name, age) { db.run("INSERT INTO students (name, age) VALUES (\'" + name + "\', " + age + ")"); }',
    ],
    [
      'no quotes at all',
      'const add = (name, age) => { connection.query(`INSERT INTO students VALUES (${name}, ${age})`, () => {}); };',
    ],
    [
      'an object',
      'exports.save = async function save(student) { await pool.execute(`INSERT INTO students (name, age) VALUES ("${student.name}", ${student.age})`); };',
    ],
    [
      'a number nobody checks',
      'function add(name, age) { con.query("INSERT INTO students (name, age) VALUES (?, " + age + ")", [name]); }',
    ],
  ])('is broken by a value: %s', async (_, code) => {
    const result = await probe('a.js', `${code}\n`);
    expect(rules(result)).toEqual(['lathe/probe-sql-injection']);
  });

  it.each([
    [
      'parameters',
      "const mysql = require('mysql');\nconst con = mysql.createConnection({});\nfunction add(name, age) { con.connect((err) => { if (err) throw err; con.query('INSERT INTO students (name, age) VALUES (?, ?)', [name, age], (e, r) => {}); }); }",
    ],
    [
      'a prepared statement',
      "const db = new (require('sqlite3').Database)('x');\nconst add = (name, age) => { const s = db.prepare('INSERT INTO students VALUES (?, ?)'); s.run(name, age); s.finalize(); };",
    ],
    [
      'escaping',
      'function add(name, age) { con.query("INSERT INTO students (name, age) VALUES (" + con.escape(name) + ", " + Number(age) + ")"); }',
    ],
    ['a tagged template', 'const add = (name, age) => sql`INSERT INTO students (name, age) VALUES (${name}, ${age})`;'],
  ])('withstands: %s', async (_, code) => {
    expect(await probe('a.js', `${code}\n`)).toMatchObject({ findings: [], notLookedFor: [], driven: 1 });
  });

  it.each([
    [
      'an async function after its first wait',
      'a.js',
      'async function add(name, age) { const client = await pool.connect(); await client.query("insert into students values (\'".concat(name, "\', ", age, \')\')); }\n',
    ],
    [
      'a promise chain',
      'a.js',
      "const add = (name, age) => mysql.createConnection({}).then((c) => c.execute(`INSERT INTO students VALUES ('${name}', ${age})`));\n",
    ],
    [
      'a typed method',
      'a.ts',
      "export class Students {\n  constructor(private readonly db: Database) {}\n  add(name: string, age: number): void {\n    this.db.run(`INSERT INTO students (name, age) VALUES ('${name}', ${age})`);\n  }\n}\n",
    ],
    [
      'a cursor of sqlite3',
      'a.py',
      "import sqlite3\ndef add(name, age):\n    with sqlite3.connect('x.db') as con:\n        cur = con.cursor()\n        cur.execute(f\"INSERT INTO students (name, age) VALUES ('{name}', {age})\")\n",
    ],
    [
      'a driver that is not installed, in a class',
      'a.py',
      'import psycopg2\nclass Students:\n    def __init__(self, conn):\n        self.conn = conn\n    def add(self, name, age):\n        self.conn.cursor().execute("INSERT INTO students (name, age) VALUES (\'%s\', %s)" % (name, age))\n',
    ],
    [
      'an async driver',
      'a.py',
      "import asyncpg\nasync def add(pool, name, age):\n    async with pool.acquire() as conn:\n        await conn.execute('INSERT INTO students VALUES (' + repr(name) + ', ' + str(age) + ')')\n",
    ],
  ])('is broken in %s', async (_, path, code) => {
    const result = await probe(path, code);
    expect(rules(result)).toEqual(['lathe/probe-sql-injection']);
    expect(result.findings[0]!.message).toMatch(/with the value ".*": /);
  });

  it.each([
    [
      'a typed function with parameters',
      'a.ts',
      "export async function add(db: Database, name: string, age: number): Promise<void> {\n  await db.run('INSERT INTO students (name, age) VALUES (?, ?)', [name, age]);\n}\n",
    ],
    [
      'question marks',
      'a.py',
      "import sqlite3\ndef add(name, age):\n    con = sqlite3.connect('x.db')\n    con.execute('INSERT INTO students (name, age) VALUES (?, ?)', (name, age))\n    con.commit()\n",
    ],
    [
      'names',
      'a.py',
      "def add(cursor, name, age):\n    cursor.execute('INSERT INTO students (name, age) VALUES (%(name)s, %(age)s)', {'name': name, 'age': age})\n",
    ],
    [
      'many rows',
      'a.py',
      "def add(db, name, age):\n    db.executemany('INSERT INTO students (name, age) VALUES (?, ?)', [(name, age)])\n",
    ],
  ])('withstands %s', async (_, path, code) => {
    expect(await probe(path, code)).toMatchObject({ findings: [], notLookedFor: [], driven: 1 });
  });

  it('says that no statement reached the database', async () => {
    const { notLookedFor } = await probe(
      'a.js',
      'function add(name) { return "insert into students is what this would do"; }\n',
    );
    expect(notLookedFor.map(({ why }) => why)).toEqual(['no statement reached the database']);
  });
});

describe('an integer as text', () => {
  it.each([
    ['char *text(int n) { return 0; }', { name: 'text', manner: 'returns' }],
    [
      'int count(int n) { return 1; }\nvoid format(char *out, int n) {}',
      { name: 'format', manner: 'fills', bufferFirst: true },
    ],
    ['int add(int a, int b) { return a + b; }', null],
  ])('knows the shape of %s', (text, shape) => {
    const found = integerShape({ path: 'a.c', text, language: 'c' });
    if (shape) expect(found).toMatchObject(shape);
    else expect(found).toBeNull();
  });

  it.skipIf(!compiler)('finds memory that is too small, by the number that shows it (needs gcc)', async () => {
    const result = await probe(
      'a.c',
      '#include <stdio.h>\n#include <stdlib.h>\nchar *text(int n) { char *s = malloc(8); sprintf(s, "%d", n); return s; }\n',
    );
    expect(result.findings).toEqual([
      expect.objectContaining({
        rule: 'lathe/probe-memory-error',
        cwe: 'CWE-787',
        message: expect.stringMatching(/text\(-7000000\)/),
      }),
    ]);
  });

  it.skipIf(!compiler)('finds an integer that overflows, and nothing in code that is right (needs gcc)', async () => {
    const good =
      '#include <stdio.h>\n#include <stdlib.h>\nchar *text(int n) { char *s = malloc(16); if (!s) return 0; snprintf(s, 16, "%d", n); return s; }\n';
    expect(await probe('a.c', good)).toMatchObject({ findings: [], driven: 1 });
    const bad = good.replace('if (!s) return 0;', 'if (!s) return 0; if (n < 0) n = -n;');
    expect(rules(await probe('a.c', bad))).toEqual(['lathe/probe-integer-overflow']);
  });
});
