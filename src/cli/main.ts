#!/usr/bin/env node
import { writeSync } from 'node:fs';
import { runProgram } from './program';

// A reader that closes the pipe early (`| head`) ends the program as SIGPIPE does: silently, and with an error status.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(141);
    const name = stream === process.stdout ? 'output' : 'error';
    try {
      writeSync(2, `cifar10-fast: standard ${name} cannot be written: ${error.message}\n`);
    } catch {
      // There is nowhere left to report it.
    }
    process.exit(1);
  });
}

void runProgram(process.argv.slice(2)).then((code) => {
  process.exitCode = code;
});
