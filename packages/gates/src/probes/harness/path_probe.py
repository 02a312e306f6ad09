"""
Opens files through a candidate that means to stay inside one folder. The folder is made up: paths below it are mapped to
a temporary place under the functions of `os` and `open`, so that the probe needs no rights and the code sees its own paths.
"""

import ast
import builtins
import io
import itertools
import os
import re
import shutil
import sys
import tempfile

import lathe_candidate as loader

BASE = re.compile(r'base|root|(^|_)dir|folder|safe|allowed|parent', re.I)
# What a folder is called where the code speaks of it without its place.
FOLDER_NAME = re.compile(r'/?(safe\w*|\w*dir|\w*folder|root|uploads?|public|files|data)/?', re.I)
INSIDE, OUTSIDE = 'inside', 'outside'
ROOT = os.path.realpath(tempfile.mkdtemp())
real = {name: getattr(os, name) for name in ('open', 'stat', 'lstat', 'readlink', 'listdir', 'scandir', 'access', 'mkdir')}
real_open = io.open
opened = []
virtual = {'on': False, 'cwd': None, 'roots': []}


def place(path):
    """Where a path of the candidate's world lies on this machine."""
    if not virtual['on'] or isinstance(path, int):
        return path
    try:
        text = os.fspath(path)
    except TypeError:
        return path
    if isinstance(text, bytes):
        text = os.fsdecode(text)
    if not text.startswith('/'):
        if virtual['cwd'] is None:
            return path
        text = virtual['cwd'] + '/' + text
    text = re.sub(r'^/(\./|/)*', '/', text)
    for root in virtual['roots']:
        if text == root or text.startswith(root + '/'):
            return ROOT + text
    return path


def where(path):
    """Whether a place of this machine is inside the folder, in the outside of the made-up world, or neither."""
    on, virtual['on'] = virtual['on'], False
    try:
        target = os.path.realpath(path)
    except (OSError, ValueError, TypeError):
        return None
    finally:
        virtual['on'] = on
    if target == ROOT + virtual['folder'] or target.startswith(ROOT + virtual['folder'] + '/'):
        return INSIDE
    return OUTSIDE if target.startswith(ROOT + '/') and os.path.isfile(target) else None


def mapped(name):
    def call(path='.', *rest, **more):
        return real[name](place(path), *rest, **more)

    return call


def open_mapped(path, *rest, **more):
    target = place(path)
    handle = real_open(target, *rest, **more)
    if virtual['on'] and not isinstance(target, int):
        opened.append(where(target))
    return handle


def os_open_mapped(path, flags, *rest, **more):
    target = place(path)
    descriptor = real['open'](target, flags, *rest, **more)
    if virtual['on'] and not flags & os.O_DIRECTORY:
        opened.append(where(target))
    return descriptor


def readlink_mapped(path, *rest, **more):
    target = real['readlink'](place(path), *rest, **more)
    return target[len(ROOT):] if virtual['on'] and isinstance(target, str) and target.startswith(ROOT + '/') else target


def chdir_mapped(path):
    virtual['cwd'] = os.fspath(path)


def install():
    for name in ('stat', 'lstat', 'listdir', 'scandir', 'access', 'mkdir'):
        setattr(os, name, mapped(name))
    os.open = os_open_mapped
    os.readlink = readlink_mapped
    os.chdir = chdir_mapped
    builtins.open = io.open = open_mapped


def folder_of(tree):
    """The absolute folder the code speaks of."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
            match = re.match(r'^\^?(/[A-Za-z][\w.-]*(?:/[\w-]+)*)/?', text)
            if match and '\n' not in text and not re.search(r'\.\w+$', match.group(1)) and not re.match(r'^\^?/(dev|etc|proc|bin|usr)\b', text):
                found.append(match.group(1))
    found.sort(key=lambda one: (one.count('/'), len(one)))
    if not found and any(isinstance(node, ast.Attribute) and node.attr in ('split', 'parts') for node in ast.walk(tree)):
        # `path.split('/')[1] == 'safe'`: the folder without its slash
        for node in ast.walk(tree):
            if isinstance(node, ast.Compare):
                for side in (node.left, *node.comparators):
                    if isinstance(side, ast.Constant) and isinstance(side.value, str) and re.fullmatch(r'[A-Za-z][\w-]+', side.value):
                        found.append('/' + side.value)
    if not found:
        # `path.index('safedir') >= 0`, `'safedir' in path`
        for node in ast.walk(tree):
            looked_for = []
            if isinstance(node, ast.Compare):
                looked_for = [node.left, *node.comparators]
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ('index', 'find', 'count', 'startswith', 'split'):
                looked_for = node.args
            for one in looked_for:
                if isinstance(one, ast.Constant) and isinstance(one.value, str) and FOLDER_NAME.fullmatch(one.value):
                    found.append('/' + one.value.strip('/'))
    return found[0] if found else None


def furnish(folder):
    for root in virtual['roots']:
        shutil.rmtree(ROOT + root, ignore_errors=True)
    os.makedirs(ROOT + folder + '/sub')
    os.makedirs(ROOT + '/lathe-outside')
    os.makedirs(ROOT + folder + '-lathe')
    for path in (folder + '/ok.txt', folder + '/sub/ok.txt', '/lathe-outside/secret', folder + '-lathe/secret'):
        with real_open(ROOT + path, 'w') as handle:
            handle.write(path)
    os.symlink(ROOT + '/lathe-outside/secret', ROOT + folder + '/link')
    os.symlink(ROOT + '/lathe-outside', ROOT + folder + '/linked')


def reach(result):
    """What a returned value gives access to, besides the files opened on the way."""
    if isinstance(result, (str, bytes)) or hasattr(result, '__fspath__'):
        text = os.fsdecode(os.fspath(result))
        if len(text) < 4096 and '\n' not in text and '\0' not in text and ('/' in text or virtual['cwd']):
            target = place(result)
            return where(target) if os.path.exists(target) or os.path.lexists(target) else None
    if isinstance(result, (tuple, list)) and len(result) < 8:
        for part in result:
            if reach(part) == OUTSIDE:
                return OUTSIDE
    return None


def attempt(call, folder):
    furnish(folder)
    opened.clear()
    virtual['on'], virtual['cwd'] = True, None
    ending, result = loader.timed(call)
    reached = reach(result) if ending == 'value' else None
    virtual['on'] = False
    seen = {place for place in [*opened, reached] if place}
    if hasattr(result, 'close') and not isinstance(result, type):
        loader.timed(result.close)
    return {'ending': ending, 'seen': seen, 'truth': ending == 'value' and result is True}


def main():
    candidate, answer = loader.start(sys.argv[1])
    folder = folder_of(candidate.tree)
    given = False
    if folder is None:
        folder, given = '/lathe-inside', True
    virtual['folder'] = folder
    virtual['roots'] = ['/' + folder.split('/')[1], '/' + folder.split('/')[1] + '-lathe', '/lathe-outside']
    install()
    up = '/'.join(['..'] * folder.count('/'))
    attacks = [
        ('traversal', f'{folder}/{up}/lathe-outside/secret'),
        ('traversal', f'{folder}/sub/../{up}/lathe-outside/secret'),
        ('traversal', f'{up}/lathe-outside/secret'),
        ('traversal', f'/{up}/lathe-outside/secret'),
        ('absolute', '/lathe-outside/secret'),
        ('symlink', f'{folder}/link'),
        ('symlink', f'{folder}/linked/secret'),
        ('symlink', 'link'),
        ('symlink', 'linked/secret'),
        ('sibling', f'{folder}-lathe/secret'),
    ]
    honest = [f'{folder}/ok.txt', 'ok.txt', '/ok.txt', f'{folder}/sub/ok.txt']
    best = None
    methods = [(one, values) for *one, values in candidate.methods(lambda name: folder if BASE.search(name) else None)]
    for (name, required, node, function), values in itertools.chain(((one, []) for one in candidate.functions()), methods):
        base = [one for one in required if BASE.search(one)]
        # Where the code names no folder, it is handed one: beside the path, or when its object is made.
        handed = given and not values
        if handed and not (len(base) == 1 and len(required) == 2):
            continue
        if len(required) - (1 if handed else 0) != 1:
            continue

        def call(path, function=function, required=required, base=base, handed=handed):
            return function(*[folder if handed and one in base else path for one in required])

        usable = [path for path in honest if INSIDE in attempt(lambda path=path: call(path), folder)['seen']]
        predicate = False
        if not usable:
            usable = [path for path in honest if attempt(lambda path=path: call(path), folder)['truth']]
            predicate = bool(usable) and not attempt(lambda: call('/lathe-outside/secret'), folder)['truth']
            if not predicate:
                continue
        leaks = []
        for kind, path in attacks:
            outcome = attempt(lambda path=path: call(path), folder)
            if OUTSIDE in outcome['seen'] or (predicate and kind != 'absolute' and outcome['truth'] and path.startswith('/')):
                leaks.append({'kind': kind, 'input': path})
        found = {'function': name, 'line': node.lineno, 'folder': folder, 'honest': usable[0], 'leaks': leaks, 'predicate': predicate}
        # A function that opens says more than one that only answers.
        if best is None or (best['predicate'] and not predicate):
            best = found
    answer(best or {'unusable': 'no function opened a file inside the folder', 'missing': candidate.missing_modules()})


main()
