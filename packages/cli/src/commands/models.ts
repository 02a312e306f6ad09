import * as catalogue from '@lathe/makers';
import prettyBytes from 'pretty-bytes';
import { EXIT, type ExitStatus } from '../exit-status.ts';
import { formatCount } from '../format.ts';
import { pullInSight } from '../make/models.ts';
import { withSession } from '../make/session.ts';
import { plainLine } from '../plain-text.ts';
import { drawTable } from '../table.ts';
import { type Terminal, writeJson } from '../terminal.ts';

export async function listModels({ json }: { json?: boolean }, { out, env }: Terminal): Promise<ExitStatus> {
  const models = await catalogue.listModels(env);
  if (json === true) {
    writeJson(out, { schemaVersion: 1, models });
    return EXIT.done;
  }
  const { colors, columns: width } = out;
  const table = drawTable(
    [{ header: '' }, { header: 'name' }, { header: 'size', align: 'right' }, { header: 'licence' }, { header: 'here' }],
    models.map((model) => [
      model.isDefault ? colors.green('●') : '',
      model.name,
      prettyBytes(model.sizeBytes),
      model.licence,
      model.cached ? colors.green('yes') : colors.dim('no'),
    ]),
    { width, colors },
  );
  out.write(
    `${table.join('\n')}\n\n  ${colors.green('●')} is used where no model is named.\n  lathe models pull NAME       fetch one\n  --model local:FILE.gguf      any other\n`,
  );
  return EXIT.done;
}

export function pullModel(name: string, { json }: { json?: boolean }, terminal: Terminal): Promise<ExitStatus> {
  return withSession(terminal, async (session) => {
    const path = await pullInSight(name, session);
    session.display.close();
    if (json === true) writeJson(terminal.out, { schemaVersion: 1, name, path });
    else terminal.out.write(`${terminal.out.colors.green('✔')} ${name} is at ${path}\n`);
    return EXIT.done;
  });
}

export async function modelInfo(
  name: string,
  { json }: { json?: boolean },
  { out, env }: Terminal,
): Promise<ExitStatus> {
  const isPath = name.endsWith('.gguf') || /[/\\]/.test(name);
  const entry = isPath ? null : await catalogue.modelInfo(name, env);
  const path = entry?.path ?? (await catalogue.resolveModel(name, { env }));
  const shape = entry === null || entry.cached ? await readShape(path) : null;
  if (json === true) {
    writeJson(out, { schemaVersion: 1, name, path, catalogue: entry, shape });
    return EXIT.done;
  }
  const { colors } = out;
  const line = (what: string, value: string) => `  ${colors.dim(what.padEnd(12))} ${plainLine(value)}`;
  const lines = [colors.bold(name)];
  if (entry !== null) {
    lines.push(line('what', entry.description), line('licence', entry.licence));
    lines.push(
      line('size', `${prettyBytes(entry.sizeBytes)}, ${formatCount(entry.parametersMillions)} million parameters`),
    );
    lines.push(line('sha-256', entry.sha256));
    lines.push(...entry.sources.map((source, i) => line(i === 0 ? 'sources' : '', source)));
  }
  lines.push(line('file', entry?.cached === false ? `not here yet: lathe models pull ${entry.name}` : path));
  for (const [what, value] of Object.entries(shape ?? {})) lines.push(line(what, String(value)));
  out.write(`${lines.join('\n')}\n`);
  return EXIT.done;
}

/** What the file says of itself. Throws `LATHE_GGUF_…` where it is none. */
async function readShape(path: string): Promise<Record<string, string | number>> {
  const { openGguf } = await import('@lathe/transformer');
  const file = await openGguf(path);
  try {
    const text = (key: string) => String(file.metadata.get(key) ?? 'not said');
    const architecture = text('general.architecture');
    const types = new Map<string, number>();
    let parameters = 0;
    for (const { type, shape } of file.tensors.values()) {
      types.set(type, (types.get(type) ?? 0) + 1);
      parameters += shape.reduce((product, size) => product * size, 1);
    }
    return {
      architecture,
      title: text('general.name'),
      parameters,
      layers: text(`${architecture}.block_count`),
      width: text(`${architecture}.embedding_length`),
      heads: `${text(`${architecture}.attention.head_count`)}, ${text(`${architecture}.attention.head_count_kv`)} for keys and values`,
      window: `${text(`${architecture}.context_length`)} tokens`,
      tensors: [...types].map(([type, count]) => `${count} ${type}`).join(', '),
    };
  } finally {
    await file.close();
  }
}
