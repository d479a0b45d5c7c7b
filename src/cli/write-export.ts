import { UsageError } from '../base/errors';
import { readTrained } from '../runs/trained-network';
import type { TrainedNetwork } from '../runs/trained-network';
import type { Command, Given } from './flags';
import { checkFolder, writeFolder } from './output';

/** The flags of a command that writes a trained network into a folder; `earlier`: what the folder may hold from an earlier call. */
export function folderFlags(earlier: string): Pick<Command['flags'], 'output' | 'force'> {
  return {
    output: {
      value: 'DIR',
      short: 'o',
      help: `folder to write into: new, empty, or with an earlier ${earlier}`,
    },
    force: { help: 'write into a folder that holds other files, too' },
  };
}

/** Flags of what is written and printed. */
export const exportFlags: Pick<Command['flags'], 'plain' | 'json'> = {
  plain: { help: 'of the image alone, if the experiment also evaluates its mirror image' },
  json: { help: 'what was written as one JSON object, for programs' },
};

/** A command that writes a trained network into a folder. */
export interface FolderCommand {
  readonly name: string;
  /** Files that it writes: the folder is checked before they are computed. Default: it is checked when they are there. */
  readonly expected?: readonly string[];
  /** The files by name. */
  readonly files: (
    trained: TrainedNetwork,
    tta: boolean,
  ) => ReadonlyMap<string, string | Uint8Array> | Promise<ReadonlyMap<string, string | Uint8Array>>;
  /** What its JSON says besides run, folder and files. */
  readonly facts: (tta: boolean) => object;
  /** Where the files are, in words. */
  readonly where: (folder: string, names: readonly string[]) => string;
}

/** Reads the network of the run that is named, writes its files, and prints what was written, as a line or as JSON. */
export async function writeExport(
  given: Given,
  { name: command, expected, files: filesOf, facts, where }: FolderCommand,
): Promise<number> {
  const folder = given.values.get('output');
  if (folder === undefined) {
    throw new UsageError(`${command}: --output is missing. Say where to: ${command} RUN -o DIR.`);
  }
  const trained = await readTrained(given.positionals[0]);
  if (trained.warning !== undefined) process.stderr.write(`${trained.warning}\n`);
  const how = { flag: '--output', isForced: given.switches.has('force') };
  if (expected !== undefined) await checkFolder(folder, expected, how);
  const tta = trained.tta && !given.switches.has('plain');
  const files = await filesOf(trained, tta);
  await writeFolder(folder, files, how);
  const { name: record, scale, seed, epoch, checkpoint } = trained;
  const names = [...files.keys()];
  const run = { record, scale, seed, epoch, checkpoint };
  process.stdout.write(
    given.switches.has('json')
      ? `${JSON.stringify({ ...run, ...facts(tta), folder, files: names })}\n`
      : `${record}, ${scale} scale, after epoch ${epoch}, in ${where(folder, names)}\n`,
  );
  return 0;
}
