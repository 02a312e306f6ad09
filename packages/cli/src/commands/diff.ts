import { plainText } from '../plain-text.ts';
import type { Colors } from '../terminal.ts';

/** A unified diff with the colours git gives it. Its text is a candidate's: control characters are taken out. */
export function drawDiff(patch: string, colors: Colors): string {
  const lines = plainText(patch.replace(/\n$/, ''))
    .split('\n')
    .map((line) => {
      if (/^(diff|index|---|\+\+\+|new file|deleted file|old mode|new mode|similarity|rename) ?/.test(line))
        return colors.bold(line);
      if (line.startsWith('@@')) return colors.cyan(line);
      if (line.startsWith('+')) return colors.green(line);
      if (line.startsWith('-')) return colors.red(line);
      return line;
    });
  return `${lines.join('\n')}\n`;
}
