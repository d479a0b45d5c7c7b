// What the scripts have in common: their options, and the comment at their head as their help.
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
 * The options of a script, as `parseArgs` of Node reads them, and the other words that it was given. `--help` prints the comment
 * at the head of the script and ends with exit code 0; what the script does not know ends it with 2.
 *
 * @param url `import.meta.url` of the script
 * @param options as `parseArgs` takes them
 * @param mostWords how many words it takes besides; default: none
 * @param read makes of the options and words what is returned; an error of it is printed, and ends the script with 2
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
