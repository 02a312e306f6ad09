"""Calls a candidate's functions with a recorded database and prints every statement that reached it, for sql_judge.py."""

import ast
import re
import sys
import types

import lathe_candidate as loader

DATABASE = re.compile(r'^(db|database|con|conn|connection|cursor|cur|c|client|pool|engine|session|tx|transaction|sqlite_?\w*|\w+_(db|conn|connection|cursor|session))$', re.I)
NUMBER = re.compile(r'age|num|count|_?id$|year|amount|price|qty|score|grade|int', re.I)
STATEMENT = re.compile(r'\b(insert|replace|update|delete|select|create|drop)\b', re.I)
# Where a fragment leans on a database module that is not installed here.
MODULES = ('sqlite3', 'psycopg2', 'psycopg', 'pymysql', 'MySQLdb', 'mysql', 'mysql.connector', 'pymssql', 'pyodbc', 'cx_Oracle', 'asyncpg', 'aiosqlite')

statements = []


class Recorder:
    """Answers to every method; whoever is given text that looks like SQL has it recorded."""

    lastrowid = rowcount = 1
    row_factory = None

    def __getattr__(self, name):
        if name.startswith('__'):
            raise AttributeError(name)

        def call(*values, **more):
            given = [value for value in values if not isinstance(value, Recorder)]
            if given and isinstance(given[0], (str, Text)) and STATEMENT.search(str(given[0])):
                params = given[1] if len(given) == 2 else list(given[1:])
                params = more.get('parameters', more.get('params', more.get('args', params)))
                if name == 'executemany' and isinstance(params, (list, tuple)) and params:
                    params = params[0]
                if isinstance(params, tuple):
                    params = list(params)
                statements.append({'sql': str(given[0]), 'params': params if isinstance(params, (list, dict)) else []})
            return [] if name.startswith('fetch') and name != 'fetchone' else self

        return call

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        return False

    def __await__(self):
        return self
        yield

    def __iter__(self):
        return iter(())

    def __call__(self, *values, **more):
        return self


class Text(str):
    """SQLAlchemy's text()."""


def install():
    for name in MODULES:
        module = types.ModuleType(name)
        module.connect = module.connect_async = lambda *values, **more: Recorder()
        module.create_pool = lambda *values, **more: Recorder()
        for error in ('Error', 'IntegrityError', 'OperationalError', 'DatabaseError', 'ProgrammingError', 'InterfaceError'):
            setattr(module, error, type(error, (Exception,), {}))
        module.Row = module.Connection = module.Cursor = Recorder
        sys.modules[name] = module
    sys.modules['mysql'].connector = sys.modules['mysql.connector']


def run(function, values):
    statements.clear()

    def call():
        result = function(**values)
        if hasattr(result, 'send') and hasattr(result, 'close'):  # a coroutine; the recorder never waits
            try:
                while True:
                    result.send(None)
            except StopIteration:
                pass

    loader.timed(call)
    return [dict(one) for one in statements]


TEXTS = ['Robert', '7', "O'Brien", "x', 1), ('Mallory', 99) -- ", "x'); DROP TABLE students; -- ", '8, 9), (10', '(SELECT 42)', 'x", 1), ("Mallory", 99) -- ']
NUMBERS = ["1), ('Mallory', 99) -- ", '1 OR 1=1']


def callables(candidate):
    """(name, parameters, line, function) of functions and of methods of classes that can be made."""
    for node in candidate.tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and callable(candidate.namespace.get(node.name)):
            yield node.name, required(node, 0), node.lineno, candidate.namespace[node.name]
        elif isinstance(node, ast.ClassDef) and isinstance(candidate.namespace.get(node.name), type):
            made = candidate.namespace[node.name]
            init = next((one for one in node.body if isinstance(one, ast.FunctionDef) and one.name == '__init__'), None)
            names = required(init, 1) if init else []
            ending, instance = loader.timed(lambda made=made, names=names: made(**{one: Recorder() for one in names}))
            if ending != 'value':
                continue
            for one in node.body:
                if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef)) and not one.name.startswith('__'):
                    yield f'{node.name}.{one.name}', required(one, 1), one.lineno, getattr(instance, one.name)


def required(node, skip):
    every = (node.args.posonlyargs + node.args.args)[skip:]
    return [one.arg for one in every[: max(0, len(every) - len(node.args.defaults))]] + [
        one.arg for one, default in zip(node.args.kwonlyargs, node.args.kw_defaults) if default is None
    ]


def main():
    install()
    candidate, answer = loader.start(sys.argv[1])
    used = {node.id for node in ast.walk(candidate.tree) if isinstance(node, ast.Name)}
    for name in used:
        if name not in candidate.namespace and DATABASE.match(name):
            candidate.namespace[name] = Recorder()
    found = []
    for name, names, line, function in callables(candidate):
        free = [one for one in names if not DATABASE.match(one)]
        if not free:
            continue

        def values(text, number, names=names):
            return {one: Recorder() if DATABASE.match(one) else number if NUMBER.search(one) else text for one in names}

        calls = [{'text': text, 'statements': run(function, values(text, 25))} for text in TEXTS]
        calls += [{'text': number, 'number': True, 'statements': run(function, values('Robert', number))} for number in NUMBERS]
        if any(call['statements'] for call in calls):
            found.append({'function': name, 'line': line, 'calls': calls})
    missing = [one for one in candidate.missing_modules() if one not in MODULES]
    answer({'functions': found} if found else {'unusable': 'no statement reached the database', 'missing': missing})


main()
