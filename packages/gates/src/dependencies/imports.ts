import { isBuiltin } from 'node:module';
import type { SourceFile } from '../finding.ts';

export interface ImportedPackage {
  readonly name: string;
  readonly line: number;
}

/** Names an import cannot be: relative, absolute, a subpath import, an alias, an address, or part of Node. */
const NOT_A_PACKAGE = /^(\.|\/|#|~|@\/|[a-z]+:)|[\s$`{}*]/;

const JAVASCRIPT_IMPORT =
  /(?:^|[^.\w$])(?:import\s*(?:type\s+)?(?:[\w$*{][^'"`;()]*?\sfrom\s*)?|export\s+(?:type\s+)?(?:\*|\{)[^'"`;()]*?from\s*|(?:require(?:\.resolve)?|import)\s*\(\s*)(['"])([^'"\n]+)\1/g;

function javascriptImports(text: string): ImportedPackage[] {
  const imports: ImportedPackage[] = [];
  for (const match of text.matchAll(JAVASCRIPT_IMPORT)) {
    const specifier = match[2]!;
    if (NOT_A_PACKAGE.test(specifier) || isBuiltin(specifier)) continue;
    const parts = specifier.split('/');
    const name = specifier.startsWith('@') ? parts.slice(0, 2).join('/') : parts[0]!;
    const end = match.index + match[0].length;
    imports.push({ name, line: text.slice(0, end).split('\n').length });
  }
  return imports;
}

function pythonImports(text: string): ImportedPackage[] {
  const imports: ImportedPackage[] = [];
  text.split('\n').forEach((source, index) => {
    const from = /^\s*from\s+([A-Za-z_]\w*)[\w.]*\s+import\b/.exec(source);
    if (from) imports.push({ name: from[1]!, line: index + 1 });
    const plain = /^\s*import\s+([\w.\s,]+?)(?:#.*|;.*)?$/.exec(source);
    for (const part of (plain?.[1] ?? '').split(',')) {
      const name = /^\s*([A-Za-z_]\w*)/.exec(part)?.[1];
      if (name) imports.push({ name, line: index + 1 });
    }
  });
  return imports.filter(({ name }) => !PYTHON_STANDARD.has(name));
}

/** Packages a file imports that are neither its own files nor part of the language. Comments are taken out first. */
export function importsOf(file: SourceFile): ImportedPackage[] {
  if (file.language === 'python') return pythonImports(file.text);
  if (file.language === 'c' || file.language === 'text') return [];
  const code = file.text
    .replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ' '))
    .replace(/^\s*\/\/.*$/gm, '');
  return javascriptImports(code);
}

/** Top-level modules of Python 3.8 to 3.14 (`sys.stdlib_module_names`, private ones left out). */
export const PYTHON_STANDARD: ReadonlySet<string> = new Set(
  `__future__ __main__ abc aifc annotationlib antigravity argparse array ast asynchat asyncio asyncore atexit audioop base64 bdb binascii binhex bisect
  builtins bz2 cProfile calendar cgi cgitb chunk cmath cmd code codecs codeop collections colorsys compileall compression
  concurrent configparser contextlib contextvars copy copyreg crypt csv ctypes curses dataclasses datetime dbm decimal
  difflib dis distutils doctest email encodings ensurepip enum errno faulthandler fcntl filecmp fileinput fnmatch
  formatter fractions ftplib functools gc genericpath getopt getpass gettext glob graphlib grp gzip hashlib heapq hmac
  html http idlelib imaplib imghdr imp importlib inspect io ipaddress itertools json keyword lib2to3 linecache locale
  logging lzma mailbox mailcap marshal math mimetypes mmap modulefinder msilib msvcrt multiprocessing netrc nis nntplib
  nt ntpath nturl2path numbers opcode operator optparse os ossaudiodev parser pathlib pdb pickle pickletools pipes
  pkgutil platform plistlib poplib posix posixpath pprint profile pstats pty pwd py_compile pyclbr pydoc pydoc_data
  pyexpat queue quopri random re readline reprlib resource rlcompleter runpy sched secrets select selectors shelve
  shlex shutil signal site smtpd smtplib sndhdr socket socketserver spwd sqlite3 sre_compile sre_constants sre_parse
  ssl stat statistics string stringprep struct subprocess sunau symbol symtable sys sysconfig syslog tabnanny tarfile
  telnetlib tempfile termios test textwrap this threading time timeit tkinter token tokenize tomllib trace traceback
  tracemalloc tty turtle turtledemo types typing unicodedata unittest urllib uu uuid venv warnings wave weakref
  webbrowser winreg winsound wsgiref xdrlib xml xmlrpc zipapp zipfile zipimport zlib zoneinfo`.split(/\s+/),
);
