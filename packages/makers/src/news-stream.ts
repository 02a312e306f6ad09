import type { MakerNews } from '@lathe/protocol';

/**
 * News of work that goes on at several places at once, in the order it is told. Ends or throws as `work` does; where
 * nobody reads on, `stop` is called and the end of the work awaited.
 */
export async function* streamNews(
  work: (tell: (news: MakerNews) => void) => Promise<void>,
  stop: (reason: Error) => void,
): AsyncGenerator<MakerNews> {
  let ended: Promise<unknown> = Promise.resolve();
  const stream = new ReadableStream<MakerNews>({
    start(controller) {
      const done = work((news) => controller.enqueue(news));
      ended = done.then(
        () => controller.close(),
        (error) => controller.error(error),
      );
    },
  });
  try {
    yield* stream.values({ preventCancel: true });
  } finally {
    stop(new Error('nobody waits for the candidates any more'));
    await ended;
  }
}
