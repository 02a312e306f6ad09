import type { Finding } from '@lathe/protocol';
import { afterEach, describe, expect, it } from 'vitest';
import { auditRepository } from '../audit-repository.ts';
import { AuditDocument } from '../document.ts';
import { ScriptedRepository } from '../repository.fixture.ts';
import type { ScanFiles } from './over-time.ts';
import { trackFindings } from './track.ts';

const repositories: ScriptedRepository[] = [];
afterEach(() => {
  for (const repository of repositories.splice(0)) repository.remove();
});

function finding(path: string, line: number, evidence: string): Finding {
  return {
    kind: 'security',
    rule: 'test/eval',
    cwe: 'CWE-95',
    severity: 'high',
    confidence: 'high',
    path,
    line,
    message: 'eval runs what it is given',
    evidence,
  };
}

describe('findings over time', () => {
  it('says between which trees each finding came and went, who wrote its line, and looks at no content twice', async () => {
    const repository = new ScriptedRepository();
    repositories.push(repository);
    const looked: string[] = [];
    const scan: ScanFiles = async (tree, paths) => {
      const findings: Finding[] = [];
      for (const path of paths) {
        const text = Buffer.from((await tree.read(path)) ?? []).toString();
        looked.push(`${path} ${text.length}`);
        text.split('\n').forEach((line, i) => {
          if (line.includes('eval(')) findings.push(finding(path, i + 1, line));
        });
      }
      return { findings, notLookedFor: [] };
    };
    repository.commit({ 'a.js': 'start();\n', 'same.js': 'nothing to see\n' });
    const came = repository.commit({ 'a.js': 'start();\n  eval(first);\n' }, { days: 100 });
    const both = repository.commit({ 'b.js': 'eval(second);\n' }, { days: 100 });
    const moved = repository.commit({ 'a.js': null, 'c.js': '// moved\neval(first);\nstart();\n' }, { days: 100 });
    const went = repository.commit({ 'b.js': 'safe();\n' }, { days: 100 });
    const { document } = await auditRepository({
      directory: repository.directory,
      cacheDirectory: null,
      nowMs: 1_900_000_000_000,
      scan,
    });
    expect(AuditDocument.parse(document).findingSamples).toHaveLength(5);
    const [open, gone, ...rest] = document.findings;
    expect(rest).toEqual([]);
    expect(open).toMatchObject({
      status: 'open',
      path: 'c.js',
      line: 2,
      firstSeen: { commit: came },
      lastSeen: { commit: went },
      goneBy: null,
      openDays: { least: 300, most: null },
      lineWrittenIn: moved,
    });
    expect(gone).toMatchObject({
      status: 'gone',
      path: 'b.js',
      notBefore: { commit: came },
      firstSeen: { commit: both },
      lastSeen: { commit: moved },
      goneBy: { commit: went },
      openDays: { least: 100, most: 300 },
    });
    expect(looked).toEqual([...new Set(looked)]);
  });

  it('takes twelve trees at most, the first and the last among them', async () => {
    const repository = new ScriptedRepository();
    repositories.push(repository);
    const first = repository.commit({ a: 'one\n' });
    for (let i = 0; i < 20; i++) repository.commit({ a: `${i}\n` });
    const { document } = await auditRepository({
      directory: repository.directory,
      cacheDirectory: null,
      nowMs: 1_900_000_000_000,
      scan: async () => ({ findings: [], notLookedFor: [] }),
    });
    const commits = document.findingSamples.map(({ commit }) => commit);
    expect(commits).toHaveLength(12);
    expect([commits[0], commits.at(-1)]).toEqual([first, document.head]);
  });
});

describe('trackFindings', () => {
  it('counts a copy as new, a move as the same, and what comes back as another', () => {
    const a = finding('a.js', 1, 'eval(x)');
    const b = finding('b.js', 9, '  eval(x)');
    expect(trackFindings([[a], [a, b], [b], [], [a]]).map(({ firstSeen, lastSeen }) => [firstSeen, lastSeen])).toEqual([
      [0, 1],
      [1, 2],
      [4, 4],
    ]);
  });
});
