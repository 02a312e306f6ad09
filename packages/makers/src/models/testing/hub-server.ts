import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface HubServer {
  readonly url: string;
  /** The `Range` header of each request for the file's bytes, in order; the one-byte inquiries are left out. */
  readonly ranges: (string | undefined)[];
  /** Breaks the next responses after this many bytes each. */
  breakAfterBytes: number[];
  close(): Promise<void>;
}

/** Serves one file as the hub does: by repository, revision and path, with ranges and an entity tag. */
export async function startHub(path: string, content: Uint8Array): Promise<HubServer> {
  const ranges: (string | undefined)[] = [];
  const state = { breakAfterBytes: [] as number[] };
  const server: Server = createServer((request, response) => {
    if (request.url !== path) {
      response.writeHead(404, { 'X-Error-Code': 'EntryNotFound' }).end();
      return;
    }
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
    const start = Number(range?.[1] ?? 0);
    const end = range?.[2] ? Number(range[2]) + 1 : content.length;
    if (request.headers.range !== 'bytes=0-0') ranges.push(request.headers.range);
    response.writeHead(range === null ? 200 : 206, {
      ETag: '"a-tag"',
      'Content-Length': end - start,
      ...(range !== null && { 'Content-Range': `bytes ${start}-${end - 1}/${content.length}` }),
    });
    const limit = end - start > 1 ? state.breakAfterBytes.shift() : undefined;
    if (limit === undefined) response.end(content.subarray(start, end));
    else
      response.write(content.subarray(start, Math.min(end, start + limit)), () =>
        setTimeout(() => response.destroy(), 50),
      );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    ranges,
    get breakAfterBytes() {
      return state.breakAfterBytes;
    },
    set breakAfterBytes(limits) {
      state.breakAfterBytes = limits;
    },
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
