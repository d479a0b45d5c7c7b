// Sets up the checkout; kernel-setup.sh starts it with a Node that is new enough. Imports nothing from npm: it runs before
// `npm ci`. Safe to kill: a step works in its own folder, moves the result into place, and writes its stamp to .setup/ last.
// A step without its stamp runs again.
import { readFileSync, rmSync } from 'node:fs';
import { makeContext } from './context.mjs';
import { check, clean, install } from './install.mjs';
import { UsageError, readOptions } from './options.mjs';
import { SetupError, complain } from './output.mjs';
import { onInterrupt } from './process.mjs';

let context;

function removeScratch() {
  if (context?.ownsScratch) rmSync(context.scratch, { recursive: true, force: true });
}

async function main() {
  const options = readOptions(process.argv.slice(2), process.cwd());
  if (options.mode === 'help') {
    process.stdout.write(readFileSync(new URL('usage.txt', import.meta.url)));
    return 0;
  }
  context = makeContext(options);
  if (options.mode === 'check') return check(context);
  await (options.mode === 'clean' ? clean(context) : install(context));
  return 0;
}

process.on('exit', removeScratch);
onInterrupt((code) => {
  complain('interrupted; run ./kernel-setup.sh again, it resumes where it stopped.');
  process.exit(code);
});

try {
  process.exitCode = await main();
} catch (error) {
  if (error instanceof UsageError) {
    process.stderr.write(
      `kernel-setup: ${error.message} ./kernel-setup.sh --help lists all options.\n`,
    );
    process.exitCode = 2;
  } else if (error instanceof SetupError) {
    complain(error.message, ...error.repair);
    process.exitCode = 1;
  } else if (error.code === 'ENOSPC') {
    complain(
      `no space left on the disk: ${error.message}.`,
      'Free some space and run ./kernel-setup.sh again; it resumes where it stopped.',
    );
    process.exitCode = 1;
  } else {
    complain('unexpected error:', error.stack ?? String(error));
    process.exitCode = 1;
  }
}
