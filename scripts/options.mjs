// Parses the options of scripts and benchmarks, and prints the comment at the head of a script as its help.
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

/** The comment at the head of a script. */
function headOf(file) {
  const lines = readFileSync(file, 'utf8').split('\n');
  const end = lines.findIndex((line) => !line.startsWith('//'));
  return lines
    .slice(0, end)
    .map((line) => line.replace(/^\/\/ ?/, ''))
    .join('\n');
}

/**
 * Parses the command line of a script with Node's `parseArgs`, and returns its options and positional arguments (`words`).
 * `--help` prints the comment at the head of the script and exits with 0; an unknown option exits with 2.
 *
 * @param url `import.meta.url` of the script
 * @param options as `parseArgs` takes them
 * @param mostWords the maximum number of positional arguments; default: 0
 * @param read converts the options and words into the returned value; if it throws, the message is printed and the exit code is 2
 */
export function optionsOf(url, options = {}, { mostWords = 0, read = (given) => given } = {}) {
  const file = fileURLToPath(url);
  const help = { type: 'boolean', short: 'h' };
  try {
    const { values, positionals } = parseArgs({
      options: { ...options, help },
      allowPositionals: mostWords > 0,
    });
    if (values.help === true) {
      console.log(headOf(file));
      process.exit(0);
    }
    if (positionals.length > mostWords) {
      throw new TypeError(`"${positionals[mostWords]}" is one argument too many.`);
    }
    return read({ ...values, words: positionals });
  } catch (error) {
    console.error(`${basename(file, '.mjs')}: ${error.message}\n\n${headOf(file)}`);
    return process.exit(2);
  }
}

/** The value of an option as a positive integer. @throws TypeError if it is not one */
export function wholeNumber(name, text) {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) {
    throw new TypeError(`--${name} must be a positive integer, as in --${name} 8; got "${text}".`);
  }
  return value;
}
