import { LatheError, type Maker } from '@lathe/protocol';
import type { RequestLimiter } from './hosted/limiter.ts';

export interface OpenMakerOptions {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Shared by all makers of a run. */
  readonly limiter: RequestLimiter;
  /** Ends the fetching of a local model that is not in the cache. */
  readonly signal?: AbortSignal;
}

const FORMS = 'local:NAME or local:FILE.gguf, openai:NAME, anthropic:NAME, google:NAME, agent:NAME or agent:COMMAND';

/**
 * The maker a model id names. What a kind of maker needs is imported when one of that kind is opened.
 *
 * @throws LATHE_USAGE_MODEL and what the kinds throw
 */
export async function openMaker(modelId: string, { environment, limiter, signal }: OpenMakerOptions): Promise<Maker> {
  const [, kind, name] = /^([a-z]+):(.*)$/s.exec(modelId) ?? [];
  if (kind === undefined || name === undefined || name.trim() === '') throw unknownForm(modelId);
  switch (kind) {
    case 'local': {
      const [{ resolveModel }, { createLocalMaker }] = await Promise.all([
        import('./models/models.ts'),
        import('./local/local-maker.ts'),
      ]);
      const modelPath = await resolveModel(name, { env: { ...environment }, ...(signal ? { signal } : {}) });
      return createLocalMaker({ model: modelId, modelPath });
    }
    case 'openai':
    case 'anthropic':
    case 'google': {
      const [{ openHostedMaker }, { endpointOf }] = await Promise.all([
        import('./hosted/hosted-maker.ts'),
        import('./hosted/endpoint.ts'),
      ]);
      const endpoint = endpointOf(kind, name, environment);
      const pricesFile = environment.LATHE_PRICES;
      return openHostedMaker({ endpoint, limiter, ...(pricesFile ? { pricesFile } : {}) });
    }
    case 'agent': {
      const { openAgentMaker } = await import('./agent/agent-maker.ts');
      return openAgentMaker({ model: modelId, environment });
    }
    default:
      throw unknownForm(modelId);
  }
}

/** The model where none is named: the strongest local one in the cache, else the smallest download. */
export async function defaultModelId(environment: OpenMakerOptions['environment']): Promise<string> {
  const { defaultModel } = await import('./models/models.ts');
  return `local:${(await defaultModel({ ...environment })).name}`;
}

function unknownForm(modelId: string): LatheError {
  return new LatheError('LATHE_USAGE_MODEL', `${JSON.stringify(modelId)} names no model`, {
    remedy: `use one of ${FORMS}`,
  });
}
