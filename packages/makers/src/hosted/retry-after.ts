/**
 * How long a server asks to be left alone, in milliseconds, or null where it does not say: `retry-after-ms` (OpenAI,
 * Azure), else `Retry-After` as seconds or as an HTTP date (RFC 9110, section 10.2.3). Header names are lower case.
 */
export function retryAfterMs(headers: Readonly<Record<string, string>> | undefined, nowMs: number): number | null {
  const milliseconds = headers?.['retry-after-ms'];
  if (milliseconds !== undefined && /^\d+(\.\d+)?$/.test(milliseconds)) return Number(milliseconds);
  const text = headers?.['retry-after']?.trim();
  if (text === undefined || text === '') return null;
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000;
  // Every form of an HTTP date begins with the day of the week; Date.parse takes much else for a year.
  const atMs = /^[A-Z][a-z]{2}/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(atMs) ? null : Math.max(0, atMs - nowMs);
}
