/** `drawing` of drawing.ts, asked for when something is drawn: what it draws with takes tens of megabytes, and most commands draw nothing. */
export async function loadDrawing(): Promise<typeof import('./drawing.ts').drawing> {
  return (await import('./drawing.ts')).drawing;
}
