// Step 4: the addons for Node, the links to TensorFlow, and the self-check.
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, join } from 'node:path';
import { which } from '../context.mjs';
import { SetupError, beginStep, complain, endStep } from '../output.mjs';
import { failureFromLog, logTail, run as runCommand } from '../process.mjs';
import { hashOf, isSame, readStamp, readText, writeStamp } from '../stamps.mjs';
import { needTool } from '../tools.mjs';

/** Increment it when the compiler's options change. */
const BUILD = 1;

const libraries = ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2'];

/** Node's C interface and its C++ wrapper: headers only. */
const headerPackages = ['node-api-headers', 'node-addon-api'];

/** Files of a folder by extension, sorted by name. */
const filesOf = (folder, ...extensions) =>
  extensions.flatMap((extension) =>
    readdirSync(folder)
      .filter((name) => name.endsWith(extension) && !name.startsWith('.'))
      .toSorted()
      .map((name) => join(folder, name)),
  );

const hasContent = (path) => (statSync(path, { throwIfNoEntry: false })?.size ?? 0) > 0;

/** Key of what the addons are built from; undefined before the packages are installed. */
function addonKey({ root, package: tfjs }) {
  if (!existsSync(join(tfjs, 'binding/tfjs_binding.cc'))) return undefined;
  const sources = [
    ...filesOf(join(root, 'native'), '.c', '.cc', '.h'),
    ...filesOf(join(tfjs, 'binding'), ''),
    ...headerPackages.map((name) => join(root, 'node_modules', name, 'package.json')),
  ];
  return `${BUILD} ${hashOf(...sources)}`;
}

/** Whether the addons are built from these packages and this native/. */
export function isBuilt(context) {
  const { root, package: tfjs } = context;
  const key = addonKey(context);
  return (
    key !== undefined &&
    readStamp(context, 'addon') === key &&
    hasContent(join(root, 'native/stderr.node')) &&
    hasContent(join(root, 'native/graph.node')) &&
    hasContent(join(tfjs, 'lib/napi-v8/tfjs_binding.node'))
  );
}

/** Link -> target, below the package's deps/. */
function links({ site, variant }) {
  const map = new Map([['include', join(site, 'tensorflow/include')]]);
  for (const name of libraries) map.set(`lib/${name}`, join(site, 'tensorflow', name));
  if (variant === 'cuda') {
    // The library looks for CUDA beside the path it was loaded from, not where the link points, and for cuSOLVER only in
    // a folder named tensorrt. Without these two links TensorFlow silently runs without the GPU.
    map.set('nvidia', join(site, 'nvidia'));
    map.set('tensorrt', join(site, 'nvidia/cusolver/lib'));
  }
  return map;
}

function isLinked(context) {
  const deps = join(context.package, 'deps');
  return [...links(context)].every(([name, target]) => isSame(join(deps, name), target));
}

function linkTensorflow(context) {
  const deps = join(context.package, 'deps');
  rmSync(deps, { recursive: true, force: true });
  mkdirSync(join(deps, 'lib'), { recursive: true });
  for (const [name, target] of links(context)) symlinkSync(target, join(deps, name));
}

const selfCheckKey = (context) =>
  `${addonKey(context)} ${context.site} ${Number.parseInt(context.nodeVersion, 10)}`;

const isChecked = (context) =>
  readStamp(context, 'self-check') === selfCheckKey(context) && isLinked(context);

export const isDone = (context) => isBuilt(context) && isChecked(context);

/** One line for the addons, one for the self-check. */
export function missing(context) {
  const lines = [];
  if (!isBuilt(context)) lines.push('addons: not built from these packages and this native/');
  if (!isChecked(context)) {
    const major = Number.parseInt(context.nodeVersion, 10);
    lines.push(`self-check: this TensorFlow is not linked, or was not tried with Node ${major}`);
  }
  return lines;
}

/**
 * Builds the addons. Node's C interface is stable and its headers come from npm, so one addon works with every Node. The
 * linker reads empty libraries that only carry TensorFlow's names: linking the real ones, 0.8 GB, takes ten seconds. `-z now`
 * turns a symbol that TensorFlow lacks into an error of the self-check.
 */
async function build(context) {
  const { root, scratch, package: tfjs } = context;
  const [compiler, ...given] = needTool(context, 'compiler');
  const folder = join(scratch, 'addon');
  const output = join(tfjs, 'lib/napi-v8');
  for (const path of [folder, output]) mkdirSync(path, { recursive: true });
  const headers = ['node-api-headers/include', 'node-addon-api'].flatMap((folder) => [
    '-I',
    join(root, 'node_modules', folder),
  ]);
  let logs = 0;
  const compile = async (...args) => {
    const own = { ...context, scratch: join(folder, `log-${logs++}`) };
    mkdirSync(own.scratch);
    if (!(await runCommand(own, compiler, [...given, ...args])).ok)
      throw failureFromLog(own, `${compiler} could not build the addons`, root);
  };
  for (const library of libraries) {
    const empty = join(folder, library.replace(/\.2$/, ''));
    await compile(
      '-shared',
      '-fPIC',
      `-Wl,-soname,${library}`,
      '-o',
      empty,
      '-x',
      'c',
      '/dev/null',
    );
  }
  const flags = ['-O3', '-fPIC', '-std=c++17', '-DNAPI_VERSION=8'];
  const includes = ['-I', tfjs, '-I', join(tfjs, 'deps/include'), ...headers];
  const binding = ['tfjs_backend.cc', 'tfjs_binding.cc'].map((name) => join(tfjs, 'binding', name));
  const native = filesOf(join(root, 'native'), '.cc');
  const objectOf = (path) => join(folder, `${basename(path)}.o`);
  await inParallel([...binding, ...native], (path) =>
    compile(...flags, ...includes, '-c', path, '-o', objectOf(path)),
  );
  /** Links one addon; `way` is the path from its folder to TensorFlow. */
  const link = (name, way, sources) =>
    compile(
      '-shared',
      '-o',
      join(folder, `${name}.node`),
      ...sources.map(objectOf),
      '-L',
      folder,
      '-Wl,--no-as-needed',
      '-ltensorflow_cc',
      '-ltensorflow_framework',
      '-Wl,-z,now',
      `-Wl,-rpath,$ORIGIN/${way}`,
    );
  await link('tfjs_binding', '../../deps/lib', binding);
  await link('graph', '../node_modules/@tensorflow/tfjs-node-gpu/deps/lib', native);
  const stderr = join(folder, 'stderr.node');
  const source = join(root, 'native/stderr.c');
  await compile('-O2', '-fPIC', '-shared', ...headers, '-o', stderr, '-x', 'c', source);

  renameSync(join(folder, 'tfjs_binding.node'), join(output, 'tfjs_binding.node'));
  for (const name of ['stderr.node', 'graph.node'])
    renameSync(join(folder, name), join(root, 'native', name));
}

/** Calls `work` for each item, with as many calls in parallel as there are processors. */
async function inParallel(items, work) {
  const left = [...items];
  const worker = async () => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
}

/** What TensorFlow itself wrote while the self-check had standard error redirected. */
function redirectedText(scratch) {
  return readdirSync(scratch)
    .filter((name) => name.startsWith('cifar10-fast-'))
    .map((name) => readText(join(scratch, name, 'stderr')))
    .join('\n')
    .trim();
}

/** Loads TensorFlow and computes with it. @returns the line that the self-check printed */
async function selfCheck(context) {
  const { scratch, variant, decision } = context;
  const expectsGpu =
    variant === 'cuda' && !decision.endsWith(' none') && which('nvidia-smi') !== undefined;
  const said = join(scratch, 'said');
  const args = ['setup/self-check.cjs', ...(expectsGpu ? ['--gpu'] : [])];
  const options = { env: { TMPDIR: scratch }, stdout: said };
  const { ok, status, signal } = await runCommand(context, 'node', args, options);
  if (status === 4) {
    const lines = readFileSync(join(scratch, 'log'), 'utf8').trim().split('\n');
    complain(
      'warning: nvidia-smi is installed, but TensorFlow found no GPU that it can use; it will run on the CPU.',
      ...lines.filter((line) => !/cpu_feature|oneDNN|absl/i.test(line)).slice(-9),
      './kernel-setup.sh --check --deep shows what was loaded; --cpu sets up without CUDA and silences this warning.',
    );
  } else if (!ok) {
    if (signal === 'SIGILL' || status === 132)
      complain('the processor does not have an instruction that TensorFlow uses.');
    throw new SetupError(
      'the self-check of TensorFlow failed:',
      [logTail(context, 12), redirectedText(scratch)].join('\n').trim(),
      './kernel-setup.sh --check --deep compares every library file with its hash.',
    );
  }
  return readFileSync(said, 'utf8').trim();
}

export async function run(context) {
  const { stamps } = context;
  beginStep(4, 'addons');
  rmSync(join(stamps, 'self-check'), { force: true });
  if (!isLinked(context)) linkTensorflow(context);
  const wasBuilt = isBuilt(context);
  if (!wasBuilt) {
    rmSync(join(stamps, 'addon'), { force: true });
    await build(context);
    writeStamp(context, 'addon', addonKey(context));
  }
  const said = await selfCheck(context);
  writeStamp(context, 'self-check', selfCheckKey(context));
  endStep(`${wasBuilt ? 'linked' : 'built and linked'}; ${said}`);
}
