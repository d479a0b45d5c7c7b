// npm run pack:gpu: packs everything that bench:gpu, `train` and `sweep` need on a machine with a GPU and without a network,
// into parts that can be transferred one by one. docs/gpu.md explains how to transfer and join them.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { cacheFolder } from '../setup/context.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const usage = `usage: npm run pack:gpu -- [options]

  --out DIR      where the parts are written (default pack-gpu)
  --part-mb N    maximum size of a part, 1 to 60 (default 44: with a clone of this project, less than 64 MiB)
  --no-nvidia    leave out NVIDIA's libraries, for a machine that has suitable ones
  --capability C blank TensorFlow's machine code for GPUs of other compute capabilities than C, as in 9.0
  --level N      of xz, 0 to 9 (default 6)
  --help         this text
`;

/** Libraries that TensorFlow loads to find GPUs (nvJitLink indirectly), and the compiler that XLA calls. */
const nvidia =
  'cublas cuda_nvcc cuda_nvrtc cuda_runtime cudnn cufft cusolver cusparse nvjitlink'.split(' ');

function fail(message) {
  console.error(`pack:gpu: ${message}`);
  process.exit(1);
}

function readFlags() {
  try {
    const { values } = parseArgs({
      options: {
        out: { type: 'string', default: 'pack-gpu' },
        'part-mb': { type: 'string', default: '44' },
        'no-nvidia': { type: 'boolean', default: false },
        capability: { type: 'string' },
        level: { type: 'string', default: '6' },
        help: { type: 'boolean', default: false },
      },
    });
    const partMb = Number(values['part-mb']);
    const level = Number(values.level);
    if (!Number.isInteger(partMb) || partMb < 1 || partMb > 60) {
      throw new TypeError(`--part-mb must be an integer from 1 to 60; got "${values['part-mb']}".`);
    }
    if (!Number.isInteger(level) || level < 0 || level > 9) {
      throw new TypeError(`--level must be an integer from 0 to 9; got "${values.level}".`);
    }
    const { capability } = values;
    if (capability !== undefined && !/^\d+\.\d$/.test(capability)) {
      throw new TypeError(`--capability "${capability}" is not a compute capability such as 9.0.`);
    }
    return { ...values, partMb, level };
  } catch (error) {
    console.error(`pack:gpu: ${error.message}\n\n${usage}`);
    return process.exit(2);
  }
}

const flags = readFlags();
if (flags.help) {
  console.log(usage);
  process.exit(0);
}
const cache = cacheFolder(process.env, process.cwd());
const site = join(cache, 'tensorflow/2.21.0-cuda');
const batches = join(cache, 'cifar-10-batches-bin');
if (!existsSync(join(site, '.lock'))) {
  fail(`${site} does not exist. ./kernel-setup.sh --cuda in a clone downloads it.`);
}
if (!existsSync(join(batches, 'test_batch.bin'))) {
  fail(`${batches} does not exist. npx cifar10-fast data downloads it.`);
}

const out = resolve(flags.out);
mkdirSync(out, { recursive: true });
// Beside the parts, so that large files are hard-linked rather than copied if the cache is on the same disk.
const stage = mkdtempSync(join(out, '.stage-'));
process.once('exit', () => rmSync(stage, { recursive: true, force: true }));
process.once('SIGINT', () => process.exit(130));

/** Stages a file, or all files of a folder, to be packed as `to`: hard-linked if possible, else copied. */
function put(from, to) {
  const target = join(stage, to);
  if (lstatSync(from).isDirectory()) {
    for (const name of readdirSync(from)) put(join(from, name), join(to, name));
    return;
  }
  mkdirSync(dirname(target), { recursive: true });
  rmSync(target, { force: true });
  try {
    linkSync(from, target);
  } catch {
    copyFileSync(from, target); // On another file system.
  }
}

function link(to, target) {
  const path = join(stage, to);
  mkdirSync(dirname(path), { recursive: true });
  symlinkSync(target, path);
}

/** The files that these commands and the benchmark load, found by loading them, and the package.json files above them. */
function loadedFiles() {
  const script = `
    const { loadTensorflow } = require(${JSON.stringify(root)});
    for (const name of ['exports/all', 'cli/train', 'cli/sweep', 'cli/worker', 'cli/info', 'cli/report']) {
      require(${JSON.stringify(join(root, 'dist'))} + '/' + name);
    }
    loadTensorflow();
    process.stdout.write(JSON.stringify(Object.keys(require.cache)));`;
  const { status, stdout, stderr } = spawnSync(process.execPath, ['-e', script], {
    encoding: 'utf8',
    maxBuffer: 1e8,
  });
  if (status !== 0) fail(`the library does not load; ./kernel-setup.sh repairs it.\n${stderr}`);
  const files = new Set(JSON.parse(stdout.slice(stdout.indexOf('['))));
  for (const file of Array.from(files)) {
    for (let folder = dirname(file); folder.startsWith(root); folder = dirname(folder)) {
      const manifest = join(folder, 'package.json');
      if (existsSync(manifest)) files.add(manifest);
      if (folder === root) break;
    }
  }
  return [...files].filter((file) => file.startsWith(root));
}

/**
 * Stages a copy of a library whose fat binaries have the machine code for other compute capabilities zeroed, so that it
 * compresses to almost nothing. Headers, lengths and PTX stay. The driver reads only the code for its own GPU.
 *
 * A fat binary is a header of 16 bytes, which starts with a magic number, and entries: kind (2 is machine code) as 16 bits at 0,
 * length of the header at 4, of the code at 8 (64 bits), capability at 28.
 */
function putBlanked(from, to, capability) {
  const bytes = readFileSync(from);
  const wanted = Number(capability.replace('.', ''));
  const magic = Buffer.from([0x50, 0xed, 0x55, 0xba, 1, 0, 16, 0]);
  let blanked = 0;
  for (let at = bytes.indexOf(magic); at !== -1;) {
    const end = at + 16 + Number(bytes.readBigUInt64LE(at + 8));
    if (end > bytes.length) fail(`${from} has a fat binary that extends past the end of the file.`);
    for (let entry = at + 16; entry < end;) {
      const code = entry + bytes.readUInt32LE(entry + 4);
      const next = code + Number(bytes.readBigUInt64LE(entry + 8));
      if (bytes.readUInt16LE(entry) === 2 && bytes.readUInt32LE(entry + 28) !== wanted) {
        bytes.fill(0, code, next);
        blanked += next - code;
      }
      entry = next;
    }
    at = bytes.indexOf(magic, end);
  }
  if (blanked === 0)
    fail(`${from} holds no machine code for other capabilities than ${capability}.`);
  const target = join(stage, to);
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, bytes);
  console.log(`${to}: ${Math.round(blanked / 1e6)} MB for other GPUs are blank`);
}

const app = 'cifar10-fast';
for (const file of loadedFiles()) put(file, join(app, relative(root, file)));
const graphviz = 'node_modules/@hpcc-js/wasm-graphviz';
// bench/ imports the parser of options.
const others = ['native/graph.node', 'native/stderr.node', 'scripts/options.mjs'];
for (const name of ['dist', 'results', graphviz, ...others]) {
  put(join(root, name), join(app, name));
}
// Skips the builds and measurements of this machine.
for (const name of readdirSync(join(root, 'bench'))) {
  if (name.startsWith('.') || name === 'measured') continue;
  put(join(root, 'bench', name), join(app, 'bench', name));
}
const deps = `${app}/node_modules/@tensorflow/tfjs-node-gpu/deps`;
for (const name of ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2']) {
  const library = join(site, 'tensorflow', name);
  if (flags.capability === undefined) put(library, `tensorflow/${name}`);
  else putBlanked(library, `tensorflow/${name}`, flags.capability);
  link(`${deps}/lib/${name}`, `../../../../../../tensorflow/${name}`);
}
link(`${deps}/nvidia`, '../../../../../nvidia');
link(`${deps}/tensorrt`, '../../../../../nvidia/cusolver/lib');
link(`${app}/node_modules/cifar10-fast`, '..');
put(process.execPath, 'bin/node');
put(batches, 'cache/cifar-10-batches-bin');
// Packed even with --no-nvidia: it is small, and its structures differ between major versions.
put(join(site, 'nvidia/cuda_runtime'), 'runtime/cuda_runtime');

for (const name of readdirSync(out)) {
  if (/^(base|nvidia)\.\d+$/.test(name)) rmSync(join(out, name));
}
const groups = [['base', stage, readdirSync(stage)]];
if (!flags['no-nvidia']) groups.push(['nvidia', site, nvidia.map((name) => `nvidia/${name}`)]);
const sums = [];
for (const [group, folder, names] of groups) {
  const shell = `set -o pipefail; tar -C "$1" -cf - "\${@:4}" | xz -T0 -${flags.level} | split -b "$3"000000 -d -a 4 - "$2."`;
  const { status } = spawnSync(
    'bash',
    ['-c', shell, 'bash', folder, join(out, group), String(flags.partMb), ...names],
    { stdio: ['ignore', 'inherit', 'inherit'] },
  );
  if (status !== 0)
    fail(`packing ${group} failed; it needs tar, xz, split, and free space in ${out}.`);
  const parts = readdirSync(out).filter((name) => name.startsWith(`${group}.`));
  for (const name of parts.toSorted()) {
    const digest = createHash('sha256')
      .update(readFileSync(join(out, name)))
      .digest('hex');
    sums.push(`${digest}  ${name}`);
  }
  const bytes = parts.reduce((sum, name) => sum + statSync(join(out, name)).size, 0);
  console.log(`${group}: ${parts.length} parts, ${Math.round(bytes / 1e6)} MB`);
}
writeFileSync(join(out, 'SHA256SUMS'), `${sums.join('\n')}\n`);
copyFileSync(join(root, 'setup/join-gpu.sh'), join(out, 'join.sh'));
console.log(`${sums.length} parts in ${out}; join.sh joins them`);
