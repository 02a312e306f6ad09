import type { ParsedFile } from '../rules/parsed-file.ts';
import type { ANALYSES, RuleFile } from '../rules/rule-file.ts';
import { checkedThenOpened, useAfterFree } from './c-lifetime.ts';
import { fixedBuffer, pointerToLocal, uncheckedAllocation, uncheckedIndex } from './c-memory.ts';
import type { Hit } from './hit.ts';
import { homeMadeCipher } from './home-made-cipher.ts';
import { optionalTagCheck } from './optional-tag-check.ts';
import { pathContainment } from './path-containment.ts';
import { prototypePollution } from './prototype-pollution.ts';

export type { Hit } from './hit.ts';

/** Rules that take more than a pattern or a flow. Each gets the parsed file and its rule's own text. */
export const analyses: Readonly<
  Record<(typeof ANALYSES)[number], (file: ParsedFile, rule: RuleFile) => readonly Hit[] | Hit[]>
> = {
  'home-made-cipher': homeMadeCipher,
  'optional-tag-check': optionalTagCheck,
  'path-containment': pathContainment,
  'prototype-pollution': prototypePollution,
  'pointer-to-local': pointerToLocal,
  'unchecked-allocation': uncheckedAllocation,
  'fixed-buffer': fixedBuffer,
  'use-after-free': useAfterFree,
  'unchecked-index': uncheckedIndex,
  'checked-then-opened': checkedThenOpened,
};
