/** ESLint plugins that ship no types. They are handed to ESLint unseen. */
declare module '@microsoft/eslint-plugin-sdl' {
  const plugin: object;
  export default plugin;
}
declare module 'eslint-plugin-no-unsanitized' {
  const plugin: object;
  export default plugin;
}
declare module 'eslint-plugin-security' {
  const plugin: object;
  export default plugin;
}
