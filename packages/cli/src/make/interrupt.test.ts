import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { watchInterrupt } from './interrupt.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

test('the first press stops, one that follows at once is the same, a later one ends the process', () => {
  const exit = vi.spyOn(process, 'exit').mockReturnValue(undefined as never);
  const onStop = vi.fn();
  const interrupt = watchInterrupt(onStop);
  process.emit('SIGINT');
  expect(interrupt.signal.aborted).toBe(true);
  vi.advanceTimersByTime(100);
  process.emit('SIGINT');
  expect(exit).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1000);
  process.emit('SIGINT');
  expect(exit).toHaveBeenCalledExactlyOnceWith(4);
  expect(onStop).toHaveBeenCalledOnce();
  interrupt.ignore();
  expect(process.listenerCount('SIGINT')).toBe(0);
});
