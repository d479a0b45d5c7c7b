// Step 3: TensorFlow's libraries and headers, from its wheels into the cache.
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { TENSORFLOW } from '../context.mjs';
import { releaseLock, takeLock } from '../lock.mjs';
import { SetupError, beginStep, endStep } from '../output.mjs';
import { failureFromLog, logTail, run as runCommand } from '../process.mjs';
import { filesMatch, listFiles, readStamp, readText } from '../stamps.mjs';
import { directorySize } from '../disk.mjs';
import { isUsable, makeVenv, pip } from './venv.mjs';

export const isDone = ({ site, siteMark }) =>
  readText(join(site, '.lock')) === siteMark && filesMatch(join(site, '.sizes'), site);

export const missing = (context) =>
  isDone(context)
    ? undefined
    : `TensorFlow: ${TENSORFLOW} for ${context.variant.toUpperCase()} is not complete in ${context.site}`;

const remove = (path) => rmSync(path, { recursive: true, force: true });

/** Fetches one wheel into a folder. */
async function fetchWheel(context, wheel, folder) {
  // pip may run under any Python; the addon's library comes from the wheel for 3.11. NVIDIA's wheels fit every Python.
  const platform = wheel.name.startsWith('tensorflow')
    ? ['--implementation=cp', '--python-version=3.11', '--platform=manylinux_2_27_x86_64']
    : [];
  const requirement = join(context.scratch, 'requirement.txt');
  writeFileSync(requirement, `${wheel.line}\n`);
  const flags = ['--require-hashes', '--no-deps', '--no-cache-dir', '--only-binary=:all:'];
  const args = ['download', ...flags, ...platform, '-d', folder, '-r', requirement];
  if (!(await pip(context, args, folder)).ok)
    throw failureFromLog(context, `pip could not fetch ${wheel.name} ${wheel.version}`, folder);
}

/** The files that may be a wheel: what pip fetched, or what the --offline folder holds. */
async function wheelFiles(context, wheel, download) {
  const { offline } = context.options;
  const folder = offline === '' ? download : offline;
  if (offline === '') {
    mkdirSync(download, { recursive: true });
    await fetchWheel(context, wheel, download);
  }
  const files = readdirSync(folder)
    .filter((name) => name.startsWith(`${wheel.stem}-`) && name.endsWith('.whl'))
    .toSorted();
  if (files.length === 0)
    throw new SetupError(
      `${folder} holds no ${wheel.stem}-*.whl, and ${wheel.name} ${wheel.version} is not in the cache.`,
      'docs/setup.md says how to fetch it on a machine with a network.',
    );
  return files.map((name) => join(folder, name));
}

async function unpack(context, wheel, files, part) {
  const python = join(context.venv, 'bin/python');
  const args = ['-I', join(context.root, 'setup/unpack.py'), part, wheel.sha256, ...files];
  const { ok, status } = await runCommand(context, python, args);
  if (ok) return;
  if (status === 3)
    throw new SetupError(
      `this is not the locked wheel: ${logTail(context, 6)}.`,
      'It is corrupt, truncated or a different build, and was discarded. Download it again.',
    );
  throw failureFromLog(context, `${files[0]} could not be unpacked`, part);
}

/** A line of a lock file: `NAME==VERSION --hash=sha256:HASH`. */
function parseWheel(line) {
  const [requirement, hash] = line.split(' ');
  const [name, version] = requirement.split('==');
  const stem = `${name.replaceAll('-', '_')}-${version}`;
  return { line, name, version, stem, sha256: hash.replace('--hash=sha256:', '') };
}

/** Writes the lists of hashes and sizes, then moves the unpacked folder into place. */
function moveIntoPlace({ cache, site, siteMark, variant }, part) {
  const notes = join(part, '.wheels');
  const digests = readdirSync(notes)
    .filter((name) => name.endsWith('.sha256'))
    .toSorted()
    .map((name) => readFileSync(join(notes, name), 'utf8'))
    .join('');
  writeFileSync(join(part, '.sha256'), digests);
  // Lines of `HASH  NAME`.
  const names = digests
    .trimEnd()
    .split('\n')
    .map((line) => line.slice(66));
  writeFileSync(join(part, '.sizes'), `${listFiles(part, names)}\n`);
  remove(notes);
  writeFileSync(join(part, '.lock'), `${siteMark}\n`);
  const old = join(cache, `tensorflow/.old-${variant}-${process.pid}`);
  if (existsSync(site)) renameSync(site, old);
  renameSync(part, site);
  remove(old);
}

export async function run(context) {
  const { cache, site, siteMark, variant, options } = context;
  const mark = createHash('sha256').update(`${siteMark}\n`).digest('hex').slice(0, 12);
  const part = join(cache, `tensorflow/.part-${variant}-${mark}`);
  beginStep(3, 'TensorFlow', part);
  await takeLock(context, 'cache', join(cache, 'tensorflow/.lock'), cache);
  if (isDone(context)) {
    releaseLock(context, 'cache');
    endStep(`${TENSORFLOW} for ${variant.toUpperCase()}, from another set-up`);
    return;
  }
  if (readStamp(context, 'venv') === '' || !isUsable(context)) await makeVenv(context);

  // Keeps the fully unpacked wheels of a killed set-up and removes everything else.
  for (const name of readdirSync(join(cache, 'tensorflow')))
    if (name.startsWith('.') && name.includes(`-${variant}-`) && name !== basename(part))
      remove(join(cache, 'tensorflow', name));
  const download = join(part, '.download');
  remove(download);
  mkdirSync(part, { recursive: true });
  let fetchedBytes = 0;
  for (const wheel of context.wheels.map(parseWheel)) {
    if (existsSync(join(part, `.wheels/${wheel.stem}.sha256`))) continue;
    const files = await wheelFiles(context, wheel, download);
    if (options.offline === '') fetchedBytes += statSync(files[0]).size;
    await unpack(context, wheel, files, part);
    remove(download);
  }
  moveIntoPlace(context, part);
  releaseLock(context, 'cache');
  const fetchedMb = Math.floor(fetchedBytes / 1e6);
  endStep(
    `${TENSORFLOW} for ${variant.toUpperCase()}, ${fetchedMb} MB fetched, ${directorySize(site)} MB in the cache`,
  );
}
