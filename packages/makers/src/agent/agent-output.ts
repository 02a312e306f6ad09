import { StringDecoder } from 'node:string_decoder';
import { AcpTool, type AgentReport, readReport } from './reports.ts';

/** Reports stand at the end of what an agent prints; more than this of it is not kept. */
const KEPT_CHARACTERS = 4 * 2 ** 20;

/** What an agent prints on stdout, as it comes. */
export class AgentOutput {
  readonly #decoder = new StringDecoder('utf8');
  readonly #onTool: (title: string) => void;
  #text = '';
  #line = '';

  /** `onTool`: told what the agent is at, where it says so. */
  constructor(onTool: (title: string) => void) {
    this.#onTool = onTool;
  }

  push(chunk: Buffer): void {
    const text = this.#decoder.write(chunk);
    this.#text = (this.#text + text).slice(-KEPT_CHARACTERS);
    const lines = (this.#line + text).split('\n');
    this.#line = lines.pop()!.slice(-KEPT_CHARACTERS);
    for (const line of lines) if (line.startsWith('{"type":"acp.tool"')) this.#tool(line);
  }

  report(): AgentReport {
    return readReport(this.#text);
  }

  /** The end of it. */
  tail(): string {
    return this.#text.slice(-16_384);
  }

  #tool(line: string): void {
    try {
      const tool = AcpTool.safeParse(JSON.parse(line));
      if (tool.success) this.#onTool(tool.data.title.replaceAll(/\s+/g, ' ').slice(0, 80));
    } catch {
      // Not a line of the client after all.
    }
  }
}
