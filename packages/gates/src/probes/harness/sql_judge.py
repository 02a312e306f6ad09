"""Runs recorded statements on a real SQLite and tells which payloads became part of the statement."""

import json
import re
import sqlite3
import sys

MARK = 'LATHE-PROBE '


def table_of(sql):
    """Table and columns of an INSERT, or None."""
    match = re.search(r'(?:insert|replace)\s+(?:or\s+\w+\s+)?into\s+["`\[]?([\w.]+)["`\]]?\s*(?:\(([^)]*)\))?', sql, re.I)
    if not match:
        return None
    columns = [re.sub(r'[^\w]', '', one) for one in (match.group(2) or 'NAME, AGE').split(',')]
    return match.group(1).split('.')[-1], [one or 'c' for one in columns]


def run(statement):
    """('rows', rows) or ('error', message) of the statement on a fresh table."""
    sql, params = statement['sql'], statement['params']
    table = table_of(sql)
    if table is None:
        return ('other', None)
    connection = sqlite3.connect(':memory:')
    connection.execute(f'CREATE TABLE "{table[0]}" ({", ".join(chr(34) + one + chr(34) for one in table[1])})')  # noqa: S608 # lathe-ignore sql-from-text -- table names cannot be parameters, and this database is thrown away
    text = re.sub(r'%\((\w+)\)s', r':\1', re.sub(r'\$\d+|%s', '?', sql))
    values = params if isinstance(params, (list, dict)) else []
    if isinstance(values, list) and re.search(r'values\s+\?\s*$', text, re.I) and len(values) > 1:
        text = re.sub(r'values\s+\?\s*$', 'VALUES (' + ','.join('?' * len(values)) + ')', text, flags=re.I)
    try:
        if ';' in text and not values:
            connection.executescript(text)
        else:
            connection.execute(text, values)
        return ('rows', connection.execute(f'SELECT * FROM "{table[0]}"').fetchall())  # noqa: S608 # lathe-ignore sql-from-text -- as above
    except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
        return ('error', str(error))


def judge(function):
    honest = None
    for call in function['calls']:
        if call['text'] in ('Robert', '7') and not call.get('number'):
            for statement in call['statements']:
                ending, rows = run(statement)
                if ending == 'rows' and len(rows) == 1 and honest is None:
                    honest = call['text']
    breaks = []
    for call in function['calls']:
        payload = call['text']
        if payload in ('Robert', '7'):
            continue
        for statement in call['statements']:
            within = payload in statement['sql']
            ending, rows = run(statement)
            if not within:
                continue  # it travelled as a parameter, or was escaped
            if ending == 'rows' and honest is not None:
                stored = [str(value) for row in rows for value in row]
                if len(rows) != 1 or payload not in stored:
                    breaks.append({'input': payload, 'effect': f'{len(rows)} rows instead of one'})
            elif ending == 'error' and honest is not None and ("'" in payload or '"' in payload or ',' in payload):
                breaks.append({'input': payload, 'effect': f'the statement breaks: {rows}'})
            elif honest is None and ending != 'rows' and ("'" in payload):
                breaks.append({'input': payload, 'effect': 'the quote is part of the statement'})
    worst = sorted(breaks, key=lambda one: 'rows' not in one['effect'])
    return {'function': function['function'], 'line': function['line'], 'honest': honest, 'breaks': worst[:3]}


def main():
    recorded = None
    for line in sys.stdin.read().splitlines():
        if line.startswith(MARK):
            recorded = json.loads(line[len(MARK):])
    if recorded is None:
        recorded = {'unusable': 'it did not return'}
    if 'functions' in recorded:
        recorded = {'functions': [judge(function) for function in recorded['functions']]}
    print('\n' + MARK + json.dumps(recorded))


main()
