import fs from 'node:fs';

// Kept before cells are given what is written there; see `captureDescriptors`.
const write = fs.writeSync;

/** A line for whoever reads the log of the server: on the terminal that Jupyter was started on, and in no cell. */
export function printToTerminal(line: string): void {
  write(2, `${line}\n`);
}
