/** Every export of the package, for the API reference: one page a name, whichever entry point has it. */
export * from '../index';
export * from './engine';
export * from './studies';
export * from './notebook';
