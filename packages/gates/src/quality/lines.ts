/** The lines of a file that count when copies are looked for. */
export interface Lines {
  /** Significant lines only: their text's hash and their number in the file. */
  readonly hashes: Int32Array;
  readonly numbers: Int32Array;
}

const INSIGNIFICANT =
  /^[\s{}()[\];,]*$|^\s*(\/\/|#|\*|\/\*|<!--|"""|''')|^\s*(import|from|export \{|export \*|use|#include|package)\b|^\s*(else|try|finally|do|end|pass|break|continue|return)\b\W*$/;

/** FNV-1a over the text without white space; collisions are excluded later by comparing the lines. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code <= 32) continue;
    hash = Math.imul(hash ^ code, 0x01000193);
  }
  return hash;
}

export function linesOf(text: string): Lines {
  const hashes: number[] = [];
  const numbers: number[] = [];
  text.split('\n').forEach((line, index) => {
    if (line.length > 500 || INSIGNIFICANT.test(line)) return;
    hashes.push(hashOf(line));
    numbers.push(index + 1);
  });
  return { hashes: Int32Array.from(hashes), numbers: Int32Array.from(numbers) };
}
