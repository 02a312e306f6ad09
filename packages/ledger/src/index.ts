export { openRunStore } from './open.ts';
