/** Colours by role, once for light and once for dark; everything else refers to them. */
export const STYLE = `
:root {
  --ground: #fbfaf8; --panel: #ffffff; --text: #22242a; --quiet: #666a73; --rule: #e3e1dc; --accent: #a1481a; --interval: #d9a98f;
  --op-added: #3d7a57; --op-updated: #7fb08f; --op-replaced: #b8cfa9; --op-moved: #4a6fa5; --op-copied: #d08a2e; --op-deleted: #b9463f;
  --curve-1: #a1481a; --curve-2: #2f6c8f; --curve-3: #5b7f3b; --curve-4: #7a4f93; --curve-5: #8a7423;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #17181b; --panel: #1f2125; --text: #e4e3df; --quiet: #9a9da5; --rule: #34363b; --accent: #e8935f; --interval: #7c5540;
    --op-added: #5fae82; --op-updated: #3f7a5b; --op-replaced: #6d8560; --op-moved: #6f97d1; --op-copied: #dfa14e; --op-deleted: #d66c63;
    --curve-1: #e8935f; --curve-2: #6fb2d6; --curve-3: #9cc274; --curve-4: #bb91d4; --curve-5: #cbb45c;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--text); font: 16px/1.55 system-ui, sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 2rem 1rem 4rem; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .3rem; font-weight: 650; }
h1 em { font-style: normal; color: var(--accent); }
h2 { font-size: 1.2rem; margin: 2.6rem 0 .6rem; padding-top: 1.2rem; border-top: 1px solid var(--rule); }
h3 { font-size: 1rem; margin: 1.6rem 0 .3rem; }
p { margin: .5rem 0; }
code { font: .92em ui-monospace, monospace; overflow-wrap: anywhere; }
.quiet { color: var(--quiet); font-size: .92rem; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: .8rem; margin: 1.4rem 0 0; }
.figures div { background: var(--panel); border: 1px solid var(--rule); border-radius: .5rem; padding: .8rem 1rem; display: grid; gap: .1rem; align-content: start; }
.figures b { font-size: 1.5rem; font-weight: 650; font-variant-numeric: tabular-nums; }
.figures small { color: var(--quiet); }
figure { margin: .6rem 0; }
figure svg { width: 100%; height: auto; color: var(--text); }
figure text { fill: currentColor; }
.narrow { display: none; }
.legend { list-style: none; margin: .3rem 0; padding: 0; display: flex; flex-wrap: wrap; gap: .2rem 1rem; font-size: .9rem; }
.legend i { display: inline-block; width: .75rem; height: .75rem; border-radius: .15rem; margin-right: .4rem; vertical-align: -.05rem; }
/* Shadows at the sides that have more to show; what is at its end covers its own. */
.scroll { overflow-x: auto; background:
  linear-gradient(to right, var(--ground) 1rem, transparent) left / 2rem 100% local,
  linear-gradient(to left, var(--ground) 1rem, transparent) right / 2rem 100% local,
  linear-gradient(to right, var(--rule), transparent) left / .7rem 100%,
  linear-gradient(to left, var(--rule), transparent) right / .7rem 100%;
  background-repeat: no-repeat; }
small { color: var(--quiet); }
.scroll table { border-collapse: collapse; width: 100%; font-size: .92rem; font-variant-numeric: tabular-nums; margin: .6rem 0; }
.scroll th, .scroll td { text-align: right; padding: .35rem .6rem; border-bottom: 1px solid var(--rule); white-space: nowrap; }
.scroll th:first-child, .scroll td:first-child { text-align: left; padding-left: 0; }
.scroll th { color: var(--quiet); font-weight: 500; }
.named { display: block; min-width: 10.5rem; text-align: left; white-space: normal; font-size: .85rem; }
.named span { white-space: nowrap; }
.scroll.words td, .scroll.words th { text-align: left; }
.scroll.words code { overflow-wrap: break-word; }
.scroll small { white-space: nowrap; }
.scroll.words td:first-child, .scroll.words td:nth-child(2) { white-space: normal; min-width: 10rem; }
.scroll table:has(.named) th:last-child { text-align: left; }
.commit { margin: .4rem 0; }
details { margin: .4rem 0; }
summary { cursor: pointer; }
.d2h-wrapper { font-size: .8rem; overflow-x: auto; margin-top: .5rem; }
@media (max-width: 30rem) {
  main { padding: 1.2rem .9rem 3rem; }
  h1 { font-size: 1.35rem; }
  .figures { grid-template-columns: 1fr 1fr; gap: .6rem; }
  .figures b { font-size: 1.2rem; }
  .scroll .named { white-space: nowrap; }
  .wide { display: none; }
  .narrow { display: block; }
}
`;
