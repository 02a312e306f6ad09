import { detectIsolation } from '@lathe/sandbox';

const { parts } = await detectIsolation();
const missing = parts.find((part) => part.required && !part.ok);

/**
 * Why candidates cannot be run here, to stand in a test's title, or null. Tests that run candidates are skipped then:
 * without isolation lathe refuses, and there is nothing to test.
 */
export const withoutIsolation = missing === undefined ? null : ` (skipped: ${missing.name}: ${missing.detail})`;
