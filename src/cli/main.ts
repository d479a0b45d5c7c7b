#!/usr/bin/env node
import { writeSync } from 'node:fs';
import { runProgram } from './program';

// A reader that has seen enough (`| head`) ends the program as SIGPIPE does: without a word, and not as if all was done.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(141);
    const name = stream === process.stdout ? 'output' : 'error';
    try {
      writeSync(2, `cifar10-fast: standard ${name} cannot be written: ${error.message}\n`);
    } catch {
      // There is nowhere left to say it.
    }
    process.exit(1);
  });
}

void runProgram(process.argv.slice(2)).then((code) => {
  process.exitCode = code;
});
