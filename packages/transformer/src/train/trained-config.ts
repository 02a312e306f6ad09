import { type LoraConfig, loraSpecs } from './lora/lora-config.ts';
import { type ParameterSpec, parameterSpecs, type TrainingConfig } from './training-config.ts';

/** What a run trains: a whole model, or adapters on a base. */
export type TrainedConfig = TrainingConfig | LoraConfig;

/** What is trained, in the order of the model. */
export function trainedSpecs(config: TrainedConfig): readonly ParameterSpec[] {
  return config.preset === 'lora' ? loraSpecs(config) : parameterSpecs(config);
}
