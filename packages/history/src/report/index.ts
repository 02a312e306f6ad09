/** Apart from the rest, because what it draws with takes 60 MB and most audits draw nothing. */
export { drawing } from './drawing.ts';
export { reportPage } from './report-page.ts';
