/** Renders one chat template in a thread of its own, which the caller can bound and end. */
import { parentPort, workerData } from 'node:worker_threads';
import { Template } from '@huggingface/jinja';
import type { RenderReply, RenderRequest } from './chat-template.ts';

const { template, variables, maximumLength } = workerData as RenderRequest;

function render(): RenderReply {
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

parentPort!.postMessage(render());
