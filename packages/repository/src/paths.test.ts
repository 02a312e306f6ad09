import { expect, test } from 'vitest';
import { linkRefusal, pathRefusal } from './paths.ts';

test.each([
  'a.txt',
  'src/ünï 日本/a b.ts',
  '.github/workflows/x.yml',
  '.gitignore',
  '.gitattributes',
  'git/x',
  'a..b/c',
  '...',
  'con.txt',
])('lets %s in', (path) => {
  expect(pathRefusal(path)).toBeNull();
});

test.each([
  ['', 'empty'],
  ['/etc/passwd', 'absolute'],
  ['C:/x', 'absolute'],
  ['c:x', 'absolute'],
  ['../x', '".."'],
  ['a/../../x', '".."'],
  ['a/./b', '"."'],
  ['a//b', 'empty part'],
  ['a/', 'empty part'],
  ['a\\..\\x', 'backslash'],
  ['a\nb', 'control'],
  ['a\0b', 'control'],
  ['\ud800', 'Unicode'],
  [`${'x'.repeat(256)}`, '255'],
  ['.git', 'own folder'],
  ['.git/hooks/post-checkout', 'own folder'],
  ['sub/.git/config', 'own folder'],
  ['.GIT/config', 'own folder'],
  ['.Git', 'own folder'],
  ['.git./x', 'own folder'],
  ['.git /x', 'own folder'],
  ['.git . /x', 'own folder'],
  ['git~1/config', 'own folder'],
  ['GIT~1', 'own folder'],
  ['.git::$INDEX_ALLOCATION/config', 'own folder'],
  ['.g\u200cit/config', 'own folder'],
  ['.git\ufeff', 'own folder'],
])('refuses %j', (path, why) => {
  expect(pathRefusal(path)).toContain(why);
});

test.each([
  ['a', 'b'],
  ['a/b/c', '../d'],
  ['a/b/c', '../../d/e'],
  ['a', './b/./c'],
])('lets a link %s → %s in', (path, target) => {
  expect(linkRefusal(path, target)).toBeNull();
});

test.each([
  ['a', '/etc/passwd', 'absolute'],
  ['a', 'C:\\x', 'absolute'],
  ['a', '', 'no target'],
  ['a', '..', 'out of'],
  ['a', '../x', 'out of'],
  ['a/b', '../../x', 'out of'],
  // Inside by its letters; outside where `d` is a link to a higher folder.
  ['a/b', 'd/../../x', 'out of'],
  ['a', 'd/../x', 'out of'],
  ['a', '.git/config', 'own folder'],
  ['a/b', '../.GIT/hooks', 'own folder'],
])('refuses a link %s → %s', (path, target, why) => {
  expect(linkRefusal(path, target)).toContain(why);
});
