// Tests `cifar10-fast sweep --ray` on a real cluster: a head and two nodes on this machine, one of which is killed.
//
//   npm run test:ray
//
// If the system allows it (`unshare`), the cluster runs in a network namespace of its own, else on loopback addresses of this
// machine. The last line is `N passed, N failed`; the exit code is 1 if anything failed.
import { spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { optionsOf } from './options.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const bin = join(root, '.venv-ray/bin');
const cli = join(root, 'dist/cli/main.js');
// Internal option: the script restarts itself inside the namespace.
const { inside: isInside = false } = optionsOf(import.meta.url, { inside: { type: 'boolean' } });

if (!existsSync(join(bin, 'ray'))) {
  console.error('test:ray: Ray is not installed. npm run ray:setup');
  process.exit(1);
}
if (!existsSync(cli)) {
  console.error('test:ray: the library is not compiled. ./kernel-setup.sh');
  process.exit(1);
}
if (!isInside && spawnSync('unshare', ['-rn', 'ip', 'link', 'set', 'lo', 'up']).status === 0) {
  const inside = `ip link set lo up && exec "$0" "$@"`;
  const self = [process.execPath, fileURLToPath(import.meta.url), '--inside'];
  const { status } = spawnSync('unshare', ['-rn', 'bash', '-c', inside, ...self], {
    stdio: 'inherit',
  });
  process.exit(status ?? 1);
}

// A short name: Ray creates sockets below it, whose paths are limited to 107 characters.
const scratch = mkdtempSync(join(tmpdir(), 'cf10-'));
/** The caller's environment without settings of Ray, of Node, and of the number of threads. */
const clean = Object.fromEntries(
  Object.entries(process.env).filter(
    ([name]) => !/^(RAY_|NODE_OPTIONS|.*NUM_THREADS|TF_NUM_)/.test(name),
  ),
);
const rayEnv = { ...clean, RAY_USAGE_STATS_ENABLED: '0', RAY_DISABLE_IMPORT_WARNING: '1' };
const started = [];

/** Starts a program in the background, in a process group of its own. */
function begin(program, args, { env = {}, cwd = scratch } = {}) {
  const child = spawn(program, args, {
    cwd,
    env: { ...rayEnv, ...env },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const what = { child, stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text) => (what.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text) => (what.stderr += text));
  what.end = new Promise((done) => child.on('close', (code) => done(code)));
  started.push(what);
  return what;
}

function killGroup({ child }, signal = 'SIGKILL') {
  try {
    process.kill(-child.pid, signal);
  } catch {
    // The group has ended already.
  }
}

async function until(what, isTrue, sec = 90) {
  for (const end = Date.now() + 1000 * sec; Date.now() < end; await sleep(200)) {
    if (isTrue()) return;
  }
  throw new Error(`waited ${sec} s for ${what}`);
}

function freePort() {
  return new Promise((done) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });
}

const results = { passed: 0, failed: 0 };
function check(name, isTrue, found) {
  results[isTrue ? 'passed' : 'failed'] += 1;
  console.log(`${isTrue ? 'ok  ' : 'FAIL'} ${name}`);
  if (!isTrue && found !== undefined) console.log(`     found: ${JSON.stringify(found)}`);
}

/** The ids of the worker processes of this package that are running. */
function workers() {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      return (args[1] ?? '').startsWith(root) && args[2] === 'worker';
    } catch {
      return false;
    }
  });
}

const sweepArgs = (logDir, runs, ...more) => [
  cli,
  'sweep',
  'demo',
  '--scale',
  'smoke',
  '--runs',
  String(runs),
  '--log-dir',
  logDir,
  '--json',
  ...more,
];
const lines = (text) =>
  text
    .trim()
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));

/** Everything that must be bit-identical for the same seed. */
function figures(logDir, seed) {
  return lines(readFileSync(join(logDir, `demo-smoke-${seed}`, 'log.jsonl'), 'utf8')).map(
    ({ epoch, lr, train, valid }) => [epoch, lr, train.loss, train.acc, valid.loss, valid.acc],
  );
}

const runs = 6;

/** Runs the local sweep with which the one through Ray is compared; returns its folder. */
async function sweepHere() {
  const local = join(scratch, 'local');
  console.log('local sweep, two workers');
  const here = begin(process.execPath, sweepArgs(local, runs, '--workers', '2'));
  check('the local sweep ends well', (await here.end) === 0, here.stderr);

  return local;
}

/** Starts a head and two nodes. */
async function startCluster() {
  const port = await freePort();
  const address = `127.0.0.1:${port}`;
  const node = (ip, ...args) =>
    begin(
      join(bin, 'ray'),
      ['start', '--block', '--disable-usage-stats', '--node-ip-address', ip, ...args],
      // A cluster's own configuration may set these; they must not affect the results.
      { env: { TF_NUM_INTRAOP_THREADS: '2', OMP_NUM_THREADS: '3' } },
    );
  console.log(`cluster at ${address}`);
  const head = node(
    '127.0.0.1',
    '--head',
    '--port',
    String(port),
    '--num-cpus',
    '0',
    '--include-dashboard=false',
    '--temp-dir',
    join(scratch, 'ray'),
  );
  await until('the head', () => head.stdout.includes('Ray runtime started'));
  const nodes = [];
  for (const ip of ['127.0.0.2', '127.0.0.3']) {
    const one = node(ip, '--address', address, '--num-cpus', '1');
    nodes.push(one);
    await until(`node ${ip}`, () => one.stdout.includes('Ray runtime started'));
  }
  return { address, nodes };
}

async function testKilledNode({ address, nodes }, local) {
  console.log('the same sweep through Ray; a node is killed once both have a run');
  const remote = join(scratch, 'remote');
  const there = begin(process.execPath, sweepArgs(remote, runs, '--ray', address));
  await until(
    'two runs at work',
    () => workers().length === 2 || there.child.exitCode !== null,
    180,
  );
  await until(
    'the first result',
    () => there.stdout.includes('\n') || there.child.exitCode !== null,
    180,
  );
  // A worker that has reported its result may still be exiting, so wait for one that started after it.
  const before = new Set(workers());
  const areTwoAtWork = () => {
    const now = workers();
    return now.length === 2 && now.some((pid) => !before.has(pid));
  };
  await until('two runs at work again', () => areTwoAtWork() || there.child.exitCode !== null, 60);
  killGroup(nodes[1]);
  await there.end;
  checkOutcome(there, remote);
  for (let seed = 0; seed < runs; seed++) {
    const [a, b] = [local, remote].map((folder) => JSON.stringify(figures(folder, seed)));
    check(`seed ${seed} is bit-identical to the local sweep`, a === b, [a, b]);
  }
  const about = JSON.parse(readFileSync(join(remote, 'demo-smoke-0/run.json'), 'utf8'));
  check(
    'threads are those of the sweep, not those of the node',
    about.intraOpThreads === 1,
    about.intraOpThreads,
  );
  await until('the last worker to end', () => workers().length === 0, 30).catch(() => undefined);
  check('no worker is left behind', workers().length === 0, workers());

  const again = begin(process.execPath, sweepArgs(remote, runs, '--ray', address));
  check(
    'a second sweep finds everything done',
    (await again.end) === 0 &&
      lines(again.stdout).every(
        (line) => line.finishedBefore !== undefined || line.groups !== undefined,
      ),
    again.stdout,
  );
}

/** Checks the output and the folders of a sweep that lost a node. */
function checkOutcome(there, remote) {
  const code = there.child.exitCode;
  check('the sweep ends well although a node was killed', code === 0, there.stderr);
  const said = code === 0 ? lines(there.stdout) : [];
  const last = said.at(-1);
  const seeds = said.slice(0, -1).map(({ seed }) => seed);
  check(
    'every run is reported once',
    JSON.stringify(seeds.toSorted()) === JSON.stringify([...Array(runs).keys()]),
    seeds,
  );
  const folders = readdirSync(remote).toSorted();
  const wanted = Array.from({ length: runs }, (_, seed) => `demo-smoke-${seed}`);
  check('and lies in one folder', JSON.stringify(folders) === JSON.stringify(wanted), folders);
  check('a lost run was started again', /Started again/.test(there.stderr), there.stderr);
  check('none failed, none is open', last?.failures.length === 0 && last?.open === 0, last);
}

async function testInterrupt({ address }) {
  console.log('Ctrl-C in mid-sweep');
  const stopped = join(scratch, 'stopped');
  const sweep = begin(process.execPath, sweepArgs(stopped, 3, '--seed', '50', '--ray', address));
  const isOver = () => sweep.child.exitCode !== null;
  await until('the first result', () => sweep.stdout.includes('\n') || isOver(), 180);
  await until('the next run at work', () => workers().length === 1 || isOver(), 60);
  sweep.child.kill('SIGINT');
  check('it ends with exit code 130', (await sweep.end) === 130, sweep.stderr);
  check('and says how to resume', /the same command resumes/.test(sweep.stderr), sweep.stderr);
  await until('its workers to end', () => workers().length === 0, 30).catch(() => undefined);
  check('no worker is left behind', workers().length === 0, workers());
}

async function measureCost({ address, nodes }) {
  console.log('the overhead of Ray: runs of a worker that does nothing');
  const stub = join(scratch, 'stub');
  mkdirSync(join(stub, 'dist/cli'), { recursive: true });
  writeFileSync(join(stub, 'dist/cli/main.js'), stubWorker);
  writeFileSync(join(stub, 'package.json'), '{}');
  killGroup(nodes[0]);
  await stubNode(address, stub);
  const cost = join(scratch, 'cost');
  const timed = async (runs, seed) => {
    const start = Date.now();
    const stubs = begin(process.execPath, sweepArgs(cost, runs, '--seed', seed, '--ray', address));
    const code = await stubs.end;
    return { code, stderr: stubs.stderr, sec: (Date.now() - start) / 1000 };
  };
  const [few, many] = [await timed(20, '0'), await timed(120, '1000')];
  const kept = readdirSync(cost).length;
  check('140 runs, each once', few.code === 0 && many.code === 0 && kept === 140, [kept, many]);
  const times = Array.from({ length: 5 }, () => {
    const start = Date.now();
    const input = `${JSON.stringify({ kind: 'prepare', engine: {} })}\n`;
    spawnSync(process.execPath, [join(stub, 'dist/cli/main.js'), 'worker'], { input });
    return Date.now() - start;
  });
  const perRun = (1000 * (many.sec - few.sec)) / 100;
  console.log(
    `     ${few.sec.toFixed(1)} s for 20 runs, ${many.sec.toFixed(1)} s for 120, one after the other: ` +
      `${perRun.toFixed(0)} ms a run, of which ${times.toSorted((a, b) => a - b)[2]} ms are the start of Node`,
  );
}

/** Starts a node whose workers are loaded from another folder. */
async function stubNode(address, home) {
  const where = ['--node-ip-address', '127.0.0.4', '--address', address, '--num-cpus', '1'];
  const one = begin(join(bin, 'ray'), ['start', '--block', '--disable-usage-stats', ...where], {
    env: { CIFAR10_FAST_HOME: home },
  });
  await until('a node', () => one.stdout.includes('Ray runtime started'));
}

async function testFaults({ address }) {
  const cost = join(scratch, 'cost');
  console.log('invalid set-ups are reported');
  const dead = begin(
    process.execPath,
    sweepArgs(cost, 1, '--ray', `127.0.0.1:${await freePort()}`),
  );
  check(
    'a dead address',
    (await dead.end) === 1 && /cannot connect to 127\.0\.0\.1:/.test(dead.stderr),
    dead.stderr,
  );
  const none = begin(process.execPath, sweepArgs(cost, 1, '--ray', address), {
    env: { CIFAR10_FAST_RAY_PYTHON: join(scratch, 'no/python') },
  });
  check(
    'no Python with Ray',
    (await none.end) === 1 && /Ray is not installed.*npm run ray:setup/s.test(none.stderr),
    none.stderr,
  );
  const bare = begin(process.execPath, sweepArgs(cost, 1, '--ray', address), {
    env: { CIFAR10_FAST_RAY_PYTHON: 'python3', PYTHONPATH: '' },
  });
  check(
    'a Python without Ray',
    (await bare.end) === 1 && /has no Ray.*npm run ray:setup/s.test(bare.stderr),
    bare.stderr,
  );
}

async function main() {
  const local = await sweepHere();
  const cluster = await startCluster();
  await testKilledNode(cluster, local);
  await testInterrupt(cluster);
  await measureCost(cluster);
  await testFaults(cluster);
}

const stubWorker = `
const { mkdirSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');
const say = (event) => process.stdout.write(JSON.stringify(event) + '\\n');
require('node:readline').createInterface({ input: process.stdin }).once('line', (line) => {
  const job = JSON.parse(line);
  if (job.kind === 'prepare') say({ event: 'prepared', engine: { mode: 'captured', precision: 'fp32', device: 'cpu', intraOpThreads: 1, algorithms: [] } });
  else {
    const folder = join(job.logDir, job.id);
    const result = { epochs: 1, accPercent: 50 + job.seed / 100, loss: 1, trainSec: 1, imagesPerSec: 1 };
    mkdirSync(folder);
    const about = { record: 'demo', scale: 'smoke', seed: job.seed, started: '2026', mode: 'captured', precision: 'fp32',
      intraOpThreads: 1, experiment: job.experiment, hardware: { cpu: 'none', cores: 1, memoryBytes: 0, cpuFlags: [], gpus: [] }, result };
    writeFileSync(join(folder, 'run.json'), JSON.stringify(about));
    say({ event: 'done', folder, result });
  }
  process.stdin.destroy();
});
`;

try {
  await main();
} catch (error) {
  check(`ran to its end: ${error.stack}`, false);
  for (const { child, stdout, stderr } of started) {
    console.log(
      `     ${child.spawnargs.join(' ')}\n${stdout.slice(-1500)}\n${stderr.slice(-1500)}`,
    );
  }
} finally {
  for (const one of started) killGroup(one);
  await Promise.all(started.map((one) => one.end));
  rmSync(scratch, { recursive: true, force: true });
}
console.log(`${results.passed} passed, ${results.failed} failed`);
process.exitCode = results.failed === 0 && results.passed > 0 ? 0 : 1;
