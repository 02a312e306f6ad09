/** Typed access to a model file's metadata: the value or an error that names the key. */
import type { GgufFile } from './gguf.ts';
import { GgufError } from './gguf-error.ts';

type Source = Pick<GgufFile, 'path' | 'metadata'>;

export function metadataString(file: Source, key: string): string {
  return optionalString(file, key) ?? missing(file, key, 'a string');
}

export function optionalString(file: Source, key: string): string | null {
  const value = file.metadata.get(key);
  if (value === undefined) return null;
  if (typeof value !== 'string') wrong(file, key, 'a string', value);
  return value;
}

export function metadataInteger(file: Source, key: string, range: { min: number; max: number }): number {
  return optionalInteger(file, key, range) ?? missing(file, key, 'an integer');
}

export function optionalInteger(file: Source, key: string, range: { min: number; max: number }): number | null {
  const value = file.metadata.get(key);
  if (value === undefined) return null;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < range.min || value > range.max)
    wrong(file, key, `an integer from ${range.min} to ${range.max}`, value);
  return value;
}

/** A finite number. */
export function optionalNumber(file: Source, key: string): number | null {
  const value = file.metadata.get(key);
  if (value === undefined) return null;
  if (typeof value !== 'number' || !Number.isFinite(value)) wrong(file, key, 'a finite number', value);
  return value;
}

export function optionalBoolean(file: Source, key: string): boolean | null {
  const value = file.metadata.get(key);
  if (value === undefined) return null;
  if (typeof value !== 'boolean') wrong(file, key, 'a bool', value);
  return value;
}

export function metadataStrings(file: Source, key: string): readonly string[] {
  const value = file.metadata.get(key);
  if (value === undefined) missing(file, key, 'an array of strings');
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'string'))
    wrong(file, key, 'an array of strings', value);
  return value;
}

function missing(file: Source, key: string, expected: string): never {
  throw new GgufError(file.path, `metadata ${JSON.stringify(key)}`, expected, 'nothing');
}

function wrong(file: Source, key: string, expected: string, value: unknown): never {
  const got = typeof value === 'object' ? `${value?.constructor.name}` : String(value).slice(0, 80);
  throw new GgufError(file.path, `metadata ${JSON.stringify(key)}`, expected, got);
}
