import { LatheError, type Maker } from '@lathe/protocol';
import type { Device } from '@lathe/transformer';
import type { RequestLimiter } from './hosted/limiter.ts';

export interface OpenMakerOptions {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Shared by all makers of a run. */
  readonly limiter: RequestLimiter;
  /** Where a local model computes; the processor unless told. */
  readonly device?: Device | undefined;
  /** Ends the fetching of a local model that is not in the cache. */
  readonly signal?: AbortSignal;
}

const FORMS = 'local:NAME or local:FILE.gguf, openai:NAME, anthropic:NAME, google:NAME, agent:NAME or agent:COMMAND';

/**
 * The maker a model id names. What a kind of maker needs is imported when one of that kind is opened.
 *
 * @throws LATHE_USAGE_MODEL and what the kinds throw
 */
export async function openMaker(
  modelId: string,
  { environment, limiter, device, signal }: OpenMakerOptions,
): Promise<Maker> {
  const [, kind, name] = /^([a-z]+):(.*)$/s.exec(modelId) ?? [];
  if (kind === undefined || name === undefined || name.trim() === '') throw unknownForm(modelId);
  switch (kind) {
    case 'local': {
      const [{ resolveModel }, { modelCache }, { createLocalMaker }] = await Promise.all([
        import('./models/models.ts'),
        import('./models/model-cache.ts'),
        import('./local/local-maker.ts'),
      ]);
      const cache = modelCache({ ...environment });
      const modelPath = await resolveModel(name, { env: { ...environment }, ...(signal ? { signal } : {}) });
      return createLocalMaker({ model: modelId, modelPath, device, cache });
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
      const maxOutputTokens = wholeNumber('LATHE_MAX_OUTPUT_TOKENS', environment);
      return openHostedMaker({
        endpoint,
        limiter,
        ...(pricesFile ? { pricesFile } : {}),
        ...(maxOutputTokens === null ? {} : { maxOutputTokens }),
      });
    }
    case 'agent': {
      const { openAgentMaker } = await import('./agent/agent-maker.ts');
      const seconds = wholeNumber('LATHE_AGENT_SECONDS', environment);
      const concurrency = wholeNumber('LATHE_AGENT_CONCURRENCY', environment);
      return openAgentMaker({
        model: modelId,
        environment,
        ...(seconds === null ? {} : { limits: { timeMs: seconds * 1000 } }),
        ...(concurrency === null ? {} : { concurrency }),
      });
    }
    default:
      throw unknownForm(modelId);
  }
}

function wholeNumber(name: string, environment: OpenMakerOptions['environment']): number | null {
  const text = environment[name];
  if (text === undefined || text === '') return null;
  if (/^[1-9]\d{0,6}$/.test(text)) return Number(text);
  throw new LatheError('LATHE_USAGE_SETTING', `expected a whole number from 1 in ${name}, got ${JSON.stringify(text)}`);
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
