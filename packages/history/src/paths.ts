import ignore, { type Ignore } from 'ignore';

/** First folder of a path; `.` for a file at the top. */
export function directoryOf(path: string): string {
  const slash = path.indexOf('/');
  return slash < 0 ? '.' : path.slice(0, slash);
}

/** Names that tell generated, vendored and lock files, in gitignore syntax. */
const LEFT_OUT = `
package-lock.json
npm-shrinkwrap.json
yarn.lock
pnpm-lock.yaml
bun.lock
bun.lockb
Cargo.lock
Gemfile.lock
composer.lock
poetry.lock
uv.lock
Pipfile.lock
go.sum
flake.lock
*.min.js
*.min.css
*.map
*.snap
*.pb.go
*_pb2.py
*_pb2_grpc.py
*.generated.*
*.g.dart
*.designer.cs
*.svg
node_modules/
bower_components/
vendor/
vendored/
third_party/
third-party/
dist/
`;

/**
 * Says which files' lines count. Left out: lock, generated and vendored files by common names, and whatever the
 * repository's own `.gitattributes` marks `linguist-generated` or `linguist-vendored` (at HEAD; `-linguist-generated`
 * or `=false` takes a file back in).
 */
export class CountedPaths {
  #named: Ignore = ignore().add(LEFT_OUT);
  #marked: Ignore = ignore();
  #taken: Ignore = ignore();
  #cache = new Map<string, boolean>();

  constructor(gitattributes: string) {
    for (const line of gitattributes.split(/\r?\n/)) {
      const [pattern, ...attributes] = line.trim().split(/\s+/);
      if (!pattern || pattern.startsWith('#') || pattern.startsWith('!')) continue;
      for (const attribute of attributes) {
        const match = /^(-?)linguist-(?:generated|vendored)(?:=(.*))?$/.exec(attribute);
        if (!match) continue;
        const set = match[1] === '' && match[2] !== 'false';
        (set ? this.#marked : this.#taken).add(pattern);
      }
    }
  }

  counted(path: string): boolean {
    const known = this.#cache.get(path);
    if (known !== undefined) return known;
    const counted = this.#decide(path);
    this.#cache.set(path, counted);
    return counted;
  }

  #decide(path: string): boolean {
    if (!ignore.isPathValid(path)) return true;
    if (this.#taken.ignores(path)) return true;
    return !this.#named.ignores(path) && !this.#marked.ignores(path);
  }
}

/** A path as people read it: git's bytes as UTF-8, or as latin1 where they are not UTF-8. */
export function readablePath(latin1: string): string {
  const utf8 = Buffer.from(latin1, 'latin1').toString('utf8');
  return utf8.includes('�') ? latin1 : utf8;
}
