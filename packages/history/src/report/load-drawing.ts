/** `drawing` of drawing.ts, asked for when something is drawn: what it draws with takes 60 MB, and most commands draw nothing. */
export async function loadDrawing(): Promise<typeof import('./drawing.ts').drawing> {
  return (await import('./drawing.ts')).drawing;
}
