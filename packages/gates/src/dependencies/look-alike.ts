/** Edits that turn one word into the other: insert, delete, replace, swap neighbours (Damerau 1964, optimal string alignment). */
export function editDistance(a: string, b: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let best = Math.min(previous[j]! + 1, current[j - 1]! + 1, previous[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        best = Math.min(best, beforePrevious[j - 2]! + 1);
      current.push(best);
    }
    beforePrevious = previous;
    previous = current;
  }
  return previous[b.length]!;
}

/** Separators and case do not make a name another one: `python_dateutil`, `Python-Dateutil`. */
function plain(name: string): string {
  return name.toLowerCase().replace(/[-_.]/g, '');
}

/**
 * The known name that `name` could be taken for, or null: one edit away, the same but for separators, or a known name
 * with a common ending (`requests-py`). Names of five letters and less are all close to each other (`three`, `there`) and are left alone.
 */
export function looksLike(name: string, known: readonly string[]): string | null {
  // A leading underscore is how packages name what is their own.
  if (/^[@_]/.test(name) || known.includes(name)) return null;
  const own = plain(name);
  if (own.length < 6) return null;
  for (const other of known) {
    const target = plain(other);
    if (target.length < 5 || Math.abs(target.length - own.length) > 1) continue;
    if (own === target ? name.toLowerCase() !== other : editDistance(own, target) === 1) return other;
  }
  return null;
}
