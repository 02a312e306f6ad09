export interface AddedLine {
  readonly path: string;
  /** Number in the new file, from 0. */
  readonly line: number;
  readonly text: string;
}

/** The lines a unified diff in git's format puts in. Paths that git quotes stay quoted. */
export function addedLines(patch: string): AddedLine[] {
  const added: AddedLine[] = [];
  let path = '';
  let line = 0;
  let oldLeft = 0;
  let newLeft = 0;
  for (const row of patch.split('\n')) {
    if (oldLeft <= 0 && newLeft <= 0) {
      const hunk = /^@@ -\d+(?:,(\d+))? \+(\d+)(?:,(\d+))? @@/.exec(row);
      if (hunk !== null) {
        oldLeft = Number(hunk[1] ?? 1);
        line = Number(hunk[2]) - 1;
        newLeft = Number(hunk[3] ?? 1);
      } else if (row.startsWith('+++ '))
        path = row
          .slice(4)
          .replace(/\t$/, '')
          .replace(/^("?)b\//, '$1');
      continue;
    }
    if (row.startsWith('\\')) continue;
    if (row.startsWith('-')) oldLeft -= 1;
    else {
      if (row.startsWith('+')) added.push({ path, line, text: row.slice(1) });
      else oldLeft -= 1;
      newLeft -= 1;
      line += 1;
    }
  }
  return added;
}
