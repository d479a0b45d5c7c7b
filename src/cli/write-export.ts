import { UsageError } from '../base/errors';
import { readTrained } from '../runs/trained-network';
import type { TrainedNetwork } from '../runs/trained-network';
import type { Command, Given } from './flags';
import { checkFolder, writeFolder } from './output';

/** The flags of a command that writes a trained network into a folder. `earlier` names what an earlier call left there. */
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

/** Flags for what is written and printed. */
export const exportFlags: Pick<Command['flags'], 'plain' | 'json'> = {
  plain: { help: 'do not average over the mirror image, even if the experiment does' },
  json: { help: 'print what was written as one JSON object, for programs' },
};

/** A command that writes a trained network into a folder. */
export interface FolderCommand {
  readonly name: string;
  /** Names of the files, to check the folder before computing them. Default: checked after computing. */
  readonly expected?: readonly string[];
  /** The files by name. */
  readonly files: (
    trained: TrainedNetwork,
    tta: boolean,
  ) => ReadonlyMap<string, string | Uint8Array> | Promise<ReadonlyMap<string, string | Uint8Array>>;
  /** Fields of the JSON output besides run, folder and files. */
  readonly facts: (tta: boolean) => object;
  /** Describes where the files are. */
  readonly where: (folder: string, names: readonly string[]) => string;
}

/** Reads the network of the named run, writes its files, and prints what was written, as a line or as JSON. */
export async function writeExport(
  given: Given,
  { name: command, expected, files: filesOf, facts, where }: FolderCommand,
): Promise<number> {
  const folder = given.values.get('output');
  if (folder === undefined) {
    throw new UsageError(`${command}: --output is missing. Name a folder: ${command} RUN -o DIR.`);
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
