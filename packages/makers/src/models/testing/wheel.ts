import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';

const BUILD = `
import sys, zipfile
name, version, member, source, target = sys.argv[1:]
info = f"{name}-{version}.dist-info"
with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as wheel:
    wheel.write(source, member)
    # Runs where a wheel is installed or imported: neither may happen.
    wheel.writestr(f"{name}/__init__.py", "raise SystemExit('imported')")
    wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\nRequires-Dist: does-not-exist\\n")
    wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    wheel.writestr(f"{info}/RECORD", "")
`;

/** A wheel that carries one file, in a folder that pip can be pointed at with PIP_FIND_LINKS. */
export async function buildWheel(
  folder: string,
  { name, version, member, content }: { name: string; version: string; member: string; content: Uint8Array },
): Promise<void> {
  const source = join(folder, 'content.bin');
  await writeFile(source, content);
  await execa('python3', [
    '-c',
    BUILD,
    name,
    version,
    member,
    source,
    join(folder, `${name}-${version}-py3-none-any.whl`),
  ]);
}
