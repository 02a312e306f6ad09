/** Renders one chat template in a process of its own, which the caller bounds and ends: request on stdin, reply on stdout. */
import { json } from 'node:stream/consumers';
import { Template } from '@huggingface/jinja';
import type { RenderReply, RenderRequest } from './chat-template.ts';

function render({ template, variables, maximumLength }: RenderRequest): RenderReply {
  try {
    const compiled = new Template(template);
    const texts = variables.map((each) => compiled.render(each));
    const long = texts.find((text) => text.length > maximumLength);
    if (long !== undefined)
      return { error: `it made ${long.length} characters, at most ${maximumLength} are accepted` };
    return { texts };
  } catch (error) {
    return { error: error instanceof Error ? error.message.slice(0, 500) : String(error) };
  }
}

process.stdout.write(JSON.stringify(render((await json(process.stdin)) as RenderRequest)));
