import { expect, test } from 'vitest';
import { addedLines } from './added-lines.ts';

test('added lines come with path and number, whatever they look like', () => {
  const patch = [
    'diff --git a/src/a b.sql b/src/a b.sql',
    '--- a/src/a b.sql\t',
    '+++ b/src/a b.sql\t',
    '@@ -1,3 +1,4 @@',
    ' kept',
    '--- a comment taken out',
    '+++ b/looks like a file',
    '+@@ -9,9 +9,9 @@',
    ' kept',
    '@@ -20 +21 @@ context',
    '-old',
    '\\ No newline at end of file',
    '+new',
    '\\ No newline at end of file',
    'diff --git a/new.js b/new.js',
    '--- /dev/null',
    '+++ b/new.js',
    '@@ -0,0 +1,2 @@',
    '+one',
    '+',
    '',
  ].join('\n');
  expect(addedLines(patch)).toEqual([
    { path: 'src/a b.sql', line: 1, text: '++ b/looks like a file' },
    { path: 'src/a b.sql', line: 2, text: '@@ -9,9 +9,9 @@' },
    { path: 'src/a b.sql', line: 20, text: 'new' },
    { path: 'new.js', line: 0, text: 'one' },
    { path: 'new.js', line: 1, text: '' },
  ]);
});

test('an empty difference adds nothing', () => {
  expect(addedLines('')).toEqual([]);
});
