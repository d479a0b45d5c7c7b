import { KernelError } from '../base/errors';
import { startKernel } from './start';
import { printToTerminal } from './terminal';

/** The program that a kernelspec starts: `node main.js CONNECTION_FILE`. */
try {
  startKernel(process.argv[2] ?? '');
} catch (error) {
  if (!(error instanceof KernelError)) throw error;
  printToTerminal(error.message);
  process.exitCode = 1;
}
