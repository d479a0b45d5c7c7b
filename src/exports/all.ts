/** Every export of the package, for the API reference: one page per name, whichever entry point exports it. */
export * from '../index';
export * from './engine';
export * from './studies';
export * from './notebook';
