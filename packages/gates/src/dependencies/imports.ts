import { isBuiltin } from 'node:module';
import type { Language } from '../language.ts';
import { asCall, lineOf, literalText, type Node, nodesOfKind } from '../rules/syntax.ts';

export interface ImportedPackage {
  readonly name: string;
  readonly line: number;
}

/** Names an import cannot be: relative, absolute, a subpath import, an alias, an address. */
const NOT_A_PACKAGE = /^(\.|\/|#|~|@\/|[a-z]+:)|[\s${}*]/;

function javascriptImports(root: Node): ImportedPackage[] {
  const specifiers = [
    ...nodesOfKind(root, 'import_statement', 'export_statement').map((node) => node.field('source')),
    ...nodesOfKind(root, 'call_expression').map((node) => {
      const call = asCall(node);
      return call && /^(require|require\.resolve|import)$/.test(call.callee) ? (call.args[0]?.value ?? null) : null;
    }),
  ];
  return specifiers.flatMap((node) => {
    const specifier = node ? literalText(node) : null;
    if (!node || !specifier || NOT_A_PACKAGE.test(specifier) || isBuiltin(specifier)) return [];
    const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
    return [{ name, line: lineOf(node) }];
  });
}

function pythonImports(root: Node): ImportedPackage[] {
  const modules = [
    ...nodesOfKind(root, 'import_statement').flatMap((node) =>
      node.fieldChildren('name').map((child) => (child.kind() === 'aliased_import' ? child.field('name')! : child)),
    ),
    ...nodesOfKind(root, 'import_from_statement').flatMap((node) => node.field('module_name') ?? []),
  ];
  return modules.flatMap((node) => {
    const name = /^[A-Za-z_]\w*/.exec(node.text())?.[0];
    return name && !PYTHON_STANDARD.has(name) ? [{ name, line: lineOf(node) }] : [];
  });
}

/** Packages a file imports that are neither its own files nor part of the language. */
export function importsOf(root: Node, language: Exclude<Language, 'text' | 'c'>): ImportedPackage[] {
  return language === 'python' ? pythonImports(root) : javascriptImports(root);
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
