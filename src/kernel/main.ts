import { startKernel } from './start';

/** What a kernelspec starts: `node main.js CONNECTION_FILE`. */
startKernel(process.argv[2] ?? '');
