"""Loads a file's definitions without running its demonstrations, and fills in what a fragment leaves out."""

import ast
import json
import os
import signal
import sys

MARK = 'LATHE-PROBE '

# Where a fragment uses a well-known name without importing it.
USUAL = {
    'AES': 'from Crypto.Cipher import AES',
    'pad': 'from Crypto.Util.Padding import pad',
    'unpad': 'from Crypto.Util.Padding import unpad',
    'get_random_bytes': 'from Crypto.Random import get_random_bytes',
    'Fernet': 'from cryptography.fernet import Fernet',
    'AESGCM': 'from cryptography.hazmat.primitives.ciphers.aead import AESGCM',
    'Cipher': 'from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes',
    'hashes': 'from cryptography.hazmat.primitives import hashes',
    'ec': 'from cryptography.hazmat.primitives.asymmetric import ec',
    'ecdsa': 'import ecdsa',
    'SigningKey': 'from ecdsa import SigningKey',
    'os': 'import os',
    're': 'import re',
    'sys': 'import sys',
    'random': 'import random',
    'string': 'import string',
    'base64': 'import base64',
    'hashlib': 'import hashlib',
    'hmac': 'import hmac',
    'pathlib': 'import pathlib',
    'Path': 'from pathlib import Path',
    'path': 'from os import path',
    'realpath': 'from os.path import realpath',
    'File': 'def File(*values): return __import__("builtins").open(*values)',
    'file': 'def file(*values): return __import__("builtins").open(*values)',
}


def _also_known_as_crypto():
    """Debian installs PyCryptodome as `Cryptodome` alone; code says `Crypto`."""
    import importlib
    import importlib.abc
    import importlib.util

    if importlib.util.find_spec('Crypto') is not None or importlib.util.find_spec('Cryptodome') is None:
        return

    class Alias(importlib.abc.MetaPathFinder, importlib.abc.Loader):
        def find_spec(self, name, path=None, target=None):
            return importlib.util.spec_from_loader(name, self) if name.split('.')[0] == 'Crypto' else None

        def create_module(self, spec):
            return importlib.import_module('Cryptodome' + spec.name[len('Crypto'):])

        def exec_module(self, module):
            pass

    sys.meta_path.insert(0, Alias())


_also_known_as_crypto()


class OutOfTime(BaseException):
    pass


def _expire(_signal, _frame):
    raise OutOfTime()


def timed(call, seconds=3):
    """('value', result), ('raised', name of the exception) or ('timeout', None)."""
    signal.signal(signal.SIGALRM, _expire)
    signal.alarm(seconds)
    try:
        return ('value', call())
    except OutOfTime:
        return ('timeout', None)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit too: the candidate may leave
        return ('raised', type(error).__name__)
    finally:
        signal.alarm(0)


class Candidate:
    def __init__(self, path):
        with open(path, encoding='utf-8', errors='replace') as source:
            self.text = source.read()
        self.missing = []
        self.namespace = {'__name__': 'candidate', '__file__': path}
        self.tree = ast.parse(self.text)
        self._fill()
        own = {node.name for node in self.tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
        for node in self.tree.body:
            if isinstance(node, (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                self._run(node)
            elif isinstance(node, (ast.Assign, ast.AnnAssign)) and not self._demonstrates(node, own):
                self._run(node)

    def _fill(self):
        used = {node.id for node in ast.walk(self.tree) if isinstance(node, ast.Name)}
        bound = set()
        for node in ast.walk(self.tree):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                bound.update((alias.asname or alias.name).split('.')[0] for alias in node.names)
            elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                bound.add(node.name)
        for name in sorted((used - bound) & set(USUAL)):
            self._execute(USUAL[name])

    def _demonstrates(self, node, own):
        """Whether an assignment calls the file's own functions: an example of use, not a definition."""
        return any(
            isinstance(inner, ast.Call) and isinstance(inner.func, ast.Name) and inner.func.id in own for inner in ast.walk(node)
        )

    def _run(self, node):
        # lathe-ignore code-from-data -- running the candidate is the probe's purpose, inside the sandbox
        self._execute(compile(ast.Module([node], []), '<candidate>', 'exec'))

    def _execute(self, code):
        def execute():
            exec(code, self.namespace)  # noqa: S102 # lathe-ignore code-from-data -- the probe's purpose is to run the candidate, inside the sandbox

        try:
            ending, detail = timed(execute)
        except ModuleNotFoundError:
            return
        if ending == 'raised' and detail in ('ModuleNotFoundError', 'ImportError'):
            text = code if isinstance(code, str) else ''
            self.missing.append(text)

    def functions(self):
        """(name, parameters without defaults, node, callable) of every top-level function, in source order."""
        for node in self.tree.body:
            if isinstance(node, ast.FunctionDef) and callable(self.namespace.get(node.name)):
                every = node.args.posonlyargs + node.args.args
                required = [argument.arg for argument in every[: len(every) - len(node.args.defaults)]]
                yield node.name, required, node, self.namespace[node.name]

    def methods(self, fill):
        """The same of every method of a top-level class, and what the class was made with: what `fill` gives for each parameter's name."""
        import inspect

        for node in self.tree.body:
            made = self.namespace.get(node.name) if isinstance(node, ast.ClassDef) else None
            if not inspect.isclass(made):
                continue
            try:
                wanted = [one for one in inspect.signature(made).parameters.values() if one.default is one.empty]
                values = [fill(one.name) for one in wanted if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
            except (TypeError, ValueError):
                continue
            ending, instance = timed(lambda made=made, values=values: made(*values)) if None not in values else ('raised', None)
            if ending != 'value':
                continue
            for method in node.body:
                if not isinstance(method, ast.FunctionDef) or method.name.startswith('__'):
                    continue
                every = method.args.posonlyargs + method.args.args
                required = [argument.arg for argument in every[: len(every) - len(method.args.defaults)]]
                if required and required[0] in ('self', 'cls'):
                    required = required[1:]
                bound = getattr(instance, method.name, None)
                if callable(bound):
                    yield f'{node.name}.{method.name}', required, method, bound, values

    def missing_modules(self):
        """Modules the file imports that this machine does not have."""
        import importlib.util

        names = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                names.update(alias.name.split('.')[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.split('.')[0])
        used = {node.id for node in ast.walk(self.tree) if isinstance(node, ast.Name)}
        for name in used & set(USUAL):
            if name not in self.namespace:
                names.add(USUAL[name].split()[1].split('.')[0])
        found = []
        for name in sorted(names):
            try:
                if name not in sys.builtin_module_names and importlib.util.find_spec(name) is None:
                    found.append(name)
            except (ImportError, ValueError):
                found.append(name)
        return found


def start(path):
    """The candidate with its own printing kept away, or None after saying why it cannot be used."""
    out = os.fdopen(os.dup(1), 'w')
    quiet = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(quiet, descriptor)

    def answer(value):
        out.write('\n' + MARK + json.dumps(value, default=repr) + '\n')
        out.flush()
        os._exit(0)

    sys.path.append(os.getcwd())
    sys.path.append(os.path.dirname(os.path.abspath(path)))
    try:
        candidate = Candidate(path)
    except (SyntaxError, ValueError, RecursionError) as error:
        answer({'unusable': f'it does not parse: {error}'})
    return candidate, answer
