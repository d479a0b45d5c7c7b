import fs from 'node:fs';

// Saved before `captureDescriptors` redirects writes to cells.
const write = fs.writeSync;

/** Prints a line to the server's log, the terminal that Jupyter was started on, and not to a cell. */
export function printToTerminal(line: string): void {
  write(2, `${line}\n`);
}
