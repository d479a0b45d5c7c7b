import { spawn, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

/**
 * kernel-setup.sh in a copy of the checkout, with every tool that it calls in the hands of the test: a fake node, npm,
 * python3 and c++ do in milliseconds what the real ones do in minutes, and fail as the real ones fail. The wheels are
 * real wheels with tiny files, unpacked by the real setup/unpack.py. No network, no TensorFlow.
 */
const repository = resolve(__dirname, '../..');

const systemTools = (
  'awk bash cat chmod cp cut df dirname du env find flock getconf grep head ln mkdir mv readlink rm rmdir sed ' +
  'sha256sum sleep sort stat tail timeout touch tr uname wc xargs'
).split(' ');

const copied = [
  'kernel-setup.sh',
  'setup/unpack.py',
  'setup/packages-match.cjs',
  'setup/kernel/logo-svg.svg',
  'setup/kernel/logo-64x64.png',
];

const fakeNode = `
echo "node $*" >>"$CALLS"
case $1 in
  --version) echo "v\${FAKE_NODE:-20.20.2}" ;;
  setup/self-check.cjs)
    if [[ -n \${FAKE_SELF_CHECK:-} ]]; then echo "$FAKE_SELF_CHECK" >&2; exit 1; fi
    echo 'TensorFlow 2.21.0 on the CPU: matmul and convolution right' ;;
  setup/packages-match.cjs) exec "$REAL_NODE" "$@" ;;
  *tsc.js)
    if grep -q FAULT src/cli/main.ts; then echo 'src/cli/main.ts(1,1): error TS1: FAULT'; exit 2; fi
    mkdir -p dist/cli; cp src/cli/main.ts dist/cli/main.js ;;
  dist/cli/main.js | -e)
    if [[ $* == *--offline ]]; then exit 1; fi
    if [[ -n \${FAKE_DATA:-} ]]; then echo "$FAKE_DATA" >&2; exit 1; fi
    mkdir -p "$CIFAR10_FAST_CACHE/cifar-10-batches-bin"; cd "$CIFAR10_FAST_CACHE/cifar-10-batches-bin"
    touch data_batch_{1..5}.bin test_batch.bin ;;
esac`;

const fakeNpm = `
echo "npm $*" >>"$CALLS"
rm -rf node_modules
package=node_modules/@tensorflow/tfjs-node-gpu
mkdir -p "$package/binding" node_modules/{tslab/bin,typescript/lib,node-api-headers}
if [[ \${FAKE_NPM:-} == hang ]]; then touch "$AT_WORK"; sleep 20; fi
if [[ \${FAKE_NPM:-} == slow ]]; then sleep 1; fi
if [[ \${FAKE_NPM:-} == network ]]; then echo 'npm error code ENOTFOUND' >&2; exit 1; fi
touch "$package/binding/tfjs_backend.cc" "$package/binding/tfjs_binding.cc"
touch node_modules/node-api-headers/package.json
echo 'added 7 packages in 1s'`;

const fakePython = `
echo "python $*" >>"$CALLS"
case "$*" in
  '-I -c '*) echo "\${FAKE_PYTHON:-3.11.7 ok}" ;;
  '-m venv '*)
    mkdir -p "\${*: -1}/bin"; cp "\${BASH_SOURCE[0]}" "\${*: -1}/bin/python" ;;
  *'-m pip '*' download '*)
    if [[ \${FAKE_PIP:-} == hang ]]; then touch "$AT_WORK"; sleep 20; fi
    if [[ \${FAKE_PIP:-} == network ]]; then
      echo 'WARNING: Retrying: NewConnectionError: Temporary failure in name resolution' >&2
      echo 'ERROR: No matching distribution found for tensorflow-cpu' >&2; exit 1
    fi
    if [[ \${FAKE_PIP:-} == full ]]; then echo 'OSError: [Errno 28] No space left on device' >&2; exit 1; fi
    requirement=$(cut -d' ' -f1 "\${*: -1}"); folder=\${*: -3:1}
    requirement=\${requirement//==/@}; requirement=\${requirement//-/_}
    cp "$WHEELS/\${requirement/@/-}"-*.whl "$folder/" ;;
  *'-m pip '*' install '*) touch "\${0%/python}/jupyter"; chmod +x "\${0%/python}/jupyter" ;;
  *unpack.py*) exec "$REAL_PYTHON" "$@" ;;
esac`;

const fakeCompiler = `
echo "c++ $*" >>"$CALLS"
case "$*" in
  *-fsyntax-only*) exit "\${FAKE_COMPILER:-0}" ;;
  -dumpversion) echo 12; exit ;;
  *graph.cc*) if grep -q FAULT native/graph.cc; then echo 'native/graph.cc:1: error: FAULT' >&2; exit 1; fi ;;
esac
while (($#)); do if [[ $1 == -o ]]; then echo built >"$2"; fi; shift; done`;

/** Builds wheels with the files that setup/unpack.py takes out, and prints their SHA-256. */
const wheelMaker = `
import base64, hashlib, os, sys, zipfile
sys.path.insert(0, sys.argv[2])
import unpack
def make(stem, files, spoilt=""):
    name = "-".join(stem.split("-")[:2]) + ".dist-info/RECORD"
    rows = []
    path = os.path.join(sys.argv[1], stem + ".whl")
    with zipfile.ZipFile(path, "w") as wheel:
        for file in files:
            data = ("%s of %s " % (file, stem)).encode() * 40
            digest = hashlib.sha256(data + spoilt.encode()).digest()
            rows.append("%s,sha256=%s,%d" % (file, base64.urlsafe_b64encode(digest).decode().rstrip("="), len(data)))
            wheel.writestr(file, data)
        wheel.writestr(name, "\\n".join(rows) + "\\n" + name + ",,\\n")
    print(hashlib.sha256(open(path, "rb").read()).hexdigest())
tensorflow = unpack.LIBRARIES + unpack.HEADERS + ("tensorflow/python/much.py",)
make("tensorflow_cpu-2.21.0-cp311-cp311-any", tensorflow)
make("tensorflow-2.21.0-cp311-cp311-any", tensorflow)
make("nvidia_cusolver_cu12-11.7.5-py3-none-any", ("nvidia/cusolver/lib/libcusolver.so.11", "nvidia/cusolver/include/a.h"))
make("tensorflow_cpu-6.6.6-cp311-cp311-any", tensorflow, "spoilt")
`;

interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** What the script called, one line a call, since the last run. */
  readonly calls: readonly string[];
}

let home: string;
let wheels: string;
let hashes: readonly string[];
let realPython: string;

let sandbox: string;
let checkout: string;
let cache: string;
let bin: string;

function program(name: string, body: string): void {
  rmSync(join(bin, name), { force: true });
  writeFileSync(join(bin, name), `#!/bin/bash\n${body}\n`);
  chmodSync(join(bin, name), 0o755);
}

function without(...names: string[]): void {
  for (const name of names) rmSync(join(bin, name));
}

function environment(extra: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  return {
    PATH: bin,
    HOME: sandbox,
    CIFAR10_FAST_CACHE: cache,
    KERNEL_SETUP_CPUINFO: join(sandbox, 'cpuinfo'),
    CALLS: join(sandbox, 'calls'),
    AT_WORK: join(sandbox, 'at-work'),
    WHEELS: wheels,
    REAL_PYTHON: realPython,
    REAL_NODE: process.execPath,
    ...extra,
  };
}

function setup(
  args: readonly string[] = [],
  extra: Readonly<Record<string, string>> = {},
): Outcome {
  writeFileSync(join(sandbox, 'calls'), '');
  const { status, stdout, stderr } = spawnSync('/bin/bash', ['kernel-setup.sh', ...args], {
    cwd: checkout,
    env: environment(extra),
    encoding: 'utf8',
    timeout: 30_000,
  });
  const calls = readFileSync(join(sandbox, 'calls'), 'utf8').trim().split('\n');
  return { code: status, stdout, stderr, calls };
}

/** Starts the script, waits until the faked tool is at work, and sends the signal to the whole group. */
async function stopAtWork(signal: NodeJS.Signals, extra: Record<string, string>): Promise<Outcome> {
  const atWork = join(sandbox, 'at-work');
  rmSync(atWork, { force: true });
  const child = spawn('/bin/bash', ['kernel-setup.sh'], {
    cwd: checkout,
    env: environment(extra),
    detached: true,
  });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const ended = new Promise<number | null>((done) => child.on('close', done));
  while (!existsSync(atWork) && child.exitCode === null)
    await new Promise((done) => setTimeout(done, 10));
  if (child.pid === undefined || child.exitCode !== null)
    throw new Error(`it ended by itself: ${stderr}`);
  process.kill(-child.pid, signal);
  return { code: await ended, stdout: '', stderr, calls: [] };
}

const site = (variant = 'cpu'): string => join(cache, `tensorflow/2.21.0-${variant}`);
const library = (): string => join(site(), 'tensorflow/libtensorflow_cc.so.2');
const deps = (): string => join(checkout, 'node_modules/@tensorflow/tfjs-node-gpu/deps');
const count = (calls: readonly string[], start: string): number =>
  calls.filter((call) => call.startsWith(start)).length;

beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'kernel-setup-'));
  wheels = join(home, 'wheels');
  mkdirSync(wheels);
  realPython = spawnSync('python3', ['-c', 'import sys; print(sys.executable)'], {
    encoding: 'utf8',
  }).stdout.trim();
  const made = spawnSync(realPython, ['-', wheels, join(repository, 'setup')], {
    input: wheelMaker,
    encoding: 'utf8',
    env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' },
  });
  if (made.status !== 0) throw new Error(`the wheels were not made: ${made.stderr}`);
  hashes = made.stdout.trim().split('\n');
}, 60_000);

afterAll(() => {
  rmSync(home, { recursive: true, force: true });
}, 60_000);

beforeEach(() => {
  sandbox = mkdtempSync(join(home, 'run-'));
  checkout = join(sandbox, 'check out');
  cache = join(sandbox, 'cache');
  bin = join(sandbox, 'bin');
  for (const folder of [
    bin,
    join(checkout, 'setup'),
    join(checkout, 'native'),
    join(checkout, 'src/cli'),
  ])
    mkdirSync(folder, { recursive: true });
  for (const name of ['stderr.c', 'graph.cc'])
    writeFileSync(join(checkout, 'native', name), `// ${name}\n`);
  mkdirSync(join(checkout, 'setup/kernel'), { recursive: true });
  for (const name of copied) copyFileSync(join(repository, name), join(checkout, name));
  for (const name of ['package.json', 'package-lock.json', 'tsconfig.json'])
    writeFileSync(join(checkout, name), '{}\n');
  const lock = (requirement: string, hash = ''): string => `${requirement} --hash=sha256:${hash}\n`;
  writeFileSync(
    join(checkout, 'setup/lock-cpu.txt'),
    `# locked\n${lock('tensorflow-cpu==2.21.0', hashes[0])}`,
  );
  writeFileSync(
    join(checkout, 'setup/lock-cuda.txt'),
    lock('tensorflow==2.21.0', hashes[1]) + lock('nvidia-cusolver-cu12==11.7.5', hashes[2]),
  );
  writeFileSync(join(checkout, 'setup/lock-jupyter.txt'), lock('jupyterlab==1.0', '00'));
  writeFileSync(join(checkout, 'src/cli/main.ts'), 'export {};\n');
  writeFileSync(join(sandbox, 'cpuinfo'), 'flags\t\t: fpu sse avx avx2\n');

  for (const tool of systemTools) {
    const path = ['/usr/bin', '/bin']
      .map((folder) => join(folder, tool))
      .find((at) => existsSync(at));
    if (path !== undefined) symlinkSync(path, join(bin, tool));
  }
  program('node', fakeNode);
  program('npm', fakeNpm);
  program('python3', fakePython);
  program('c++', fakeCompiler);
});

describe('a whole set-up', () => {
  it('does every step once, says so in a line each, and then has nothing to do', () => {
    const first = setup();
    expect(first.stderr).toBe('');
    expect(first.code).toBe(0);
    expect(first.stdout.split('\n').map((line) => line.slice(0, 15).trimEnd())).toEqual([
      '1/7 tools',
      '2/7 packages',
      '3/7 TensorFlow',
      '4/7 addons',
      '5/7 library',
      '6/7 data',
      '7/7 Jupyter',
      'set up: TensorF',
      '',
    ]);
    expect(first.stdout).toMatch(/^(\d\/7 .* \d+\.\d s\n){7}set up: .* in \d+\.\d s\n$/);
    const npm = first.calls.filter((call) => call.startsWith('npm'));
    expect(npm).toHaveLength(1);
    expect(npm[0]).toMatch(/^npm ci --include=dev --ignore-scripts /);

    const start = performance.now();
    const second = setup();
    expect(performance.now() - start).toBeLessThan(1000);
    expect(second).toEqual({
      code: 0,
      stdout: 'set up: TensorFlow 2.21.0 (CPU), CIFAR-10, Jupyter; nothing to do\n',
      stderr: '',
      calls: ['node --version'],
    });
    expect(setup(['--check'])).toMatchObject({ code: 0, calls: ['node --version'] });
  });

  it('keeps only the libraries and headers, and no wheel', () => {
    setup();
    expect(readFileSync(join(site(), '.sha256'), 'utf8').trim().split('\n')).toHaveLength(16);
    expect(existsSync(library())).toBe(true);
    expect(existsSync(join(site(), 'tensorflow/python'))).toBe(false);
    expect(new Set(readdirSync(join(cache, 'tensorflow')))).toEqual(
      new Set(['.lock', '2.21.0-cpu']),
    );
    expect(existsSync(join(checkout, '.setup/scratch'))).toBe(false);
  });

  it('links the library into the package, and the checkout under its own name', () => {
    setup();
    expect(readFileSync(join(deps(), 'lib/libtensorflow_cc.so.2'), 'utf8')).toContain(
      '_cc.so.2 of',
    );
    expect(existsSync(join(deps(), 'include/tensorflow/c/c_api.h'))).toBe(true);
    expect(existsSync(join(deps(), 'nvidia'))).toBe(false);
    expect(existsSync(join(checkout, 'node_modules/cifar10-fast/dist/cli/main.js'))).toBe(true);
    const command = statSync(join(checkout, 'node_modules/.bin/cifar10-fast'));
    expect(command.mode & 0o111).toBe(0o111);
  });

  it('writes a kernel that starts from this checkout, again when the checkout has moved', () => {
    setup();
    renameSync(checkout, join(sandbox, 'moved "here"'));
    checkout = join(sandbox, 'moved "here"');
    expect(setup(['--check']).stdout).toContain('missing: Jupyter');
    expect(setup().code).toBe(0);
    const spec: unknown = JSON.parse(
      readFileSync(join(checkout, '.venv/share/jupyter/kernels/tslab/kernel.json'), 'utf8'),
    );
    expect(spec).toEqual({
      argv: ['node', join(checkout, 'dist/kernel/main.js'), '{connection_file}'],
      display_name: 'TypeScript (cifar10-fast)',
      language: 'typescript',
      interrupt_mode: 'message',
    });
    expect(readdirSync(join(checkout, '.venv/share/jupyter/kernels/tslab'))).toContain(
      'logo-64x64.png',
    );
  });

  it('does again only what a change asks for', () => {
    setup();
    appendFileSync(join(checkout, 'src/cli/main.ts'), '// more\n');
    expect(setup().stdout).toMatch(/^1\/7 .*\n5\/7 .*\nset up: .*\n$/);
    writeFileSync(join(checkout, 'src/cli/main.test.ts'), '// a test is not compiled\n');
    expect(setup().stdout).toMatch(/nothing to do/);
    appendFileSync(join(checkout, 'package-lock.json'), '\n');
    expect(setup().stdout).toMatch(/^1\/7 .*\n2\/7 .*\n4\/7 .*\n5\/7 .*\nset up: .*\n$/);
    expect(setup([], { FAKE_NODE: '24.1.0' }).stdout).toMatch(/^1\/7 .*\n4\/7 .*\nset up: .*\n$/);
  });

  it('takes over what npm install has brought, and nothing less', () => {
    setup();
    const record = (file: string, packages: Record<string, object>): void => {
      writeFileSync(join(checkout, file), JSON.stringify({ packages }));
    };
    const [present, wanted] = ['node_modules/.package-lock.json', 'package-lock.json'];
    const tool = { version: '2.0.0', integrity: 'sha512-a' };
    record(wanted, { '': {}, tool, mac: { version: '1.0.0', optional: true } });
    record(present, { tool, 'cifar10-fast': { link: true } });
    const taken = setup();
    expect(taken.stdout).toMatch(/^1\/7 .*\n5\/7 .*\nset up: .*\n$/);
    expect(count(taken.calls, 'npm')).toBe(0);

    for (const other of [
      { tool: { ...tool, version: '1.0.0' } },
      { tool: { ...tool, integrity: 'sha512-b' } },
      {},
      { tool, stray: { version: '1.0.0' } },
    ]) {
      appendFileSync(join(checkout, wanted), '\n');
      record(present, other);
      expect(count(setup().calls, 'npm ci')).toBe(1);
    }
  });

  it('removes what a deleted source had been compiled to', () => {
    setup();
    writeFileSync(join(checkout, 'dist/gone.js'), '');
    writeFileSync(join(checkout, 'dist/gone.d.ts'), '');
    appendFileSync(join(checkout, 'src/cli/main.ts'), '// more\n');
    setup();
    expect(readdirSync(join(checkout, 'dist'))).toEqual(['cli']);
  });

  it('leaves out what it is told to leave out', () => {
    const { code, stdout, calls } = setup(['--no-jupyter', '--no-data']);
    expect(code).toBe(0);
    expect(stdout).not.toMatch(/data|Jupyter|CIFAR/);
    expect(calls.some((call) => call.includes('pip --quiet --no-input install'))).toBe(false);
    expect(setup(['--check', '--no-jupyter', '--no-data']).code).toBe(0);
    const check = setup(['--check']);
    expect(check.code).toBe(1);
    expect(check.stdout).toMatch(/^missing: data.*\nmissing: Jupyter.*\n/);
  });

  it('a second checkout takes TensorFlow from the cache', () => {
    setup();
    const other = join(sandbox, 'other');
    cpSync(checkout, other, {
      recursive: true,
      filter: (path) => !/node_modules|\.venv|\.setup|dist$/.test(path),
    });
    checkout = other;
    const { code, stdout, calls } = setup();
    expect(code).toBe(0);
    expect(stdout).not.toContain('3/7');
    expect(calls.some((call) => call.includes('download'))).toBe(false);
  });

  it('two at once do each step once', async () => {
    const start = (): Promise<number | null> =>
      new Promise((done) => {
        spawn('/bin/bash', ['kernel-setup.sh'], {
          cwd: checkout,
          env: environment({ FAKE_NPM: 'slow' }),
        }).on('close', done);
      });
    expect(await Promise.all([start(), start()])).toEqual([0, 0]);
    const calls = readFileSync(join(sandbox, 'calls'), 'utf8').split('\n');
    expect(count(calls, 'npm ci')).toBe(1);
    expect(calls.filter((call) => call.includes(' download '))).toHaveLength(1);
    expect(setup(['--check']).code).toBe(0);
  });
});

describe('a tool that is missing or wrong', () => {
  const faults: readonly [string, () => Record<string, string>, RegExp, RegExp][] = [
    ['Node 18', () => ({ FAKE_NODE: '18.19.0' }), /Node 18\.19\.0 is too old; 20\.19/, /n 22/],
    ['Node 20.18', () => ({ FAKE_NODE: '20.18.9' }), /Node 20\.18\.9 is too old/, /n 22/],
    ['no Node', () => (without('node'), {}), /Node\.js was not found/, /install -y nodejs/],
    ['no npm', () => (without('npm'), {}), /npm was not found/, /apt-get install -y npm/],
    ['no Python', () => (without('python3'), {}), /Python 3 was not found/, /install -y python3/],
    [
      'Python without venv',
      () => ({ FAKE_PYTHON: '3.11.2 bare' }),
      /Python 3\.11\.2 has no venv module/,
      /apt-get install -y python3 python3-venv/,
    ],
    [
      'Python 3.8',
      () => ({ FAKE_PYTHON: '3.8.1 old' }),
      /Python 3\.8\.1 is too old; 3\.9/,
      /apt-get/,
    ],
    ['no compiler', () => (without('c++'), {}), /no C\+\+ compiler was found/, /install -y g\+\+/],
    [
      'a compiler without C++17',
      () => ({ FAKE_COMPILER: '1' }),
      /c\+\+ cannot compile C\+\+17/,
      /g\+\+/,
    ],
    ['musl', () => (program('getconf', 'exit 1'), {}), /no glibc \(musl/, /Debian 11/],
    [
      'an old glibc',
      () => (program('getconf', 'echo glibc 2.26'), {}),
      /glibc 2\.26 is too old/,
      /Ubuntu/,
    ],
    ['another processor', () => (program('uname', 'echo aarch64'), {}), /on aarch64/, /WSL/],
    [
      'no AVX',
      () => (writeFileSync(join(sandbox, 'cpuinfo'), 'flags : sse avx512f_not\n'), {}),
      /no AVX/,
      /-cpu host/,
    ],
  ];
  it.each(faults)('%s: one message with the repair, exit code 1', (_, prepare, what, repair) => {
    const { code, stdout, stderr, calls } = setup([], prepare());
    expect(code).toBe(1);
    expect(stderr).toMatch(what);
    expect(stderr).toMatch(repair);
    expect(stderr.match(/^kernel-setup: /gm)).toHaveLength(1);
    expect(stdout).toBe('');
    expect(count(calls, 'npm')).toBe(0);
  });

  it('says everything that is wrong at once', () => {
    without('c++', 'python3');
    const { code, stderr } = setup([], { FAKE_NODE: '18.0.0' });
    expect(code).toBe(1);
    expect(stderr.match(/^kernel-setup: /gm)).toHaveLength(3);
  });

  it('asks for a compiler and Python only where they have something to do', () => {
    setup();
    without('c++', 'python3');
    appendFileSync(join(checkout, 'src/cli/main.ts'), '// more\n');
    expect(setup()).toMatchObject({ code: 0, stderr: '' });
  });

  it('takes another Python where the first is too old', () => {
    program('python3.12', fakePython.replace('3.11.7', '3.12.1'));
    program('python3', fakePython.replace('3.11.7 ok', '3.8.1 old'));
    expect(setup().stdout).toContain('Python 3.12.1');
  });

  it('goes on with a Node newer than 24, and says so', () => {
    const { code, stderr } = setup([], { FAKE_NODE: '26.0.0' });
    expect(code).toBe(0);
    expect(stderr).toMatch(/warning: Node 26\.0\.0 is newer than 24.*going on/);
  });

  it('stops before any download when the disk is too small', () => {
    program('df', 'echo h; echo "/dev/one 100 60 204800 1% /"');
    const { code, stderr, calls } = setup();
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /cache has 200 MB free, \d+ MB are needed \(TensorFlow 1200, CIFAR-10 \d+, npm/,
    );
    expect(stderr).toContain('CIFAR10_FAST_CACHE');
    expect(count(calls, 'npm')).toBe(0);
  });

  it('counts cache and checkout apart where they are on two disks', () => {
    program(
      'df',
      'if [[ $* == *cache* ]]; then echo "/a 1 1 9999999 1% /a"; else echo "/b 1 1 102400 1% /b"; fi',
    );
    const { code, stderr } = setup();
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /check out has 100 MB free, \d+ MB are needed \(npm packages \d+, Jupyter/,
    );
  });

  it('names a cache folder that cannot be written', () => {
    writeFileSync(cache, 'a file in its place');
    const { code, stderr } = setup();
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /the cache folder .*cache cannot be written: (Not a directory|File exists)\./,
    );
    expect(stderr).toContain('CIFAR10_FAST_CACHE');
    expect(readFileSync(cache, 'utf8')).toBe('a file in its place');
  });
});

describe('a step that fails', () => {
  it('npm without a network: says so, keeps nothing half, and goes on later', () => {
    const { code, stderr } = setup([], { FAKE_NPM: 'network' });
    expect(code).toBe(1);
    expect(stderr).toMatch(/npm ci failed: the package source did not answer/);
    expect(stderr).toContain('--offline DIR');
    expect(setup(['--check']).stdout).toContain('missing: packages');
    expect(setup().code).toBe(0);
  });

  it('pip without a network: says what it wanted, and keeps the npm packages', () => {
    const { code, stderr } = setup([], { FAKE_PIP: 'network' });
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /could not fetch tensorflow-cpu 2\.21\.0: the package source did not answer/,
    );
    expect(stderr).toContain('--offline DIR');
    const again = setup();
    expect(again.code).toBe(0);
    expect(count(again.calls, 'npm')).toBe(0);
  });

  it('a disk that fills up meanwhile', () => {
    const { code, stderr } = setup([], { FAKE_PIP: 'full' });
    expect(code).toBe(1);
    expect(stderr).toMatch(/no space left on the disk of .*cache.*\n.*goes on where it stopped/);
  });

  it('the self-check: shows what the library said, and does not count as done', () => {
    const { code, stderr } = setup([], { FAKE_SELF_CHECK: 'matmul is wrong: element 3' });
    expect(code).toBe(1);
    expect(stderr).toMatch(/self-check of TensorFlow failed:\n {2}matmul is wrong: element 3/);
    expect(setup(['--check']).stdout).toMatch(/^missing: self-check/);
    expect(setup().code).toBe(0);
  });

  it('the compiler of the addons: shows its errors, and builds all when the source is right', () => {
    const source = readFileSync(join(checkout, 'native/graph.cc'));
    writeFileSync(join(checkout, 'native/graph.cc'), 'FAULT');
    const { code, stderr } = setup();
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /c\+\+ could not build the addons:\n {2}native\/graph\.cc:1: error: FAULT/,
    );
    expect(setup(['--check']).stdout).toContain('missing: addons');
    writeFileSync(join(checkout, 'native/graph.cc'), source);
    expect(setup().stdout).toMatch(/^1\/7 .*\n4\/7 addons +built and linked/);
    expect(existsSync(join(checkout, 'native/graph.node'))).toBe(true);
  });

  it('the compiler of the library: shows the first errors', () => {
    writeFileSync(join(checkout, 'src/cli/main.ts'), 'FAULT');
    const { code, stderr } = setup();
    expect(code).toBe(1);
    expect(stderr).toMatch(/does not compile:\n {2}src\/cli\/main\.ts\(1,1\): error TS1: FAULT/);
  });

  it('the data: shows the reasons and both ways round', () => {
    const { code, stderr } = setup([], { FAKE_DATA: 'cifar10: no source gave CIFAR-10.' });
    expect(code).toBe(1);
    expect(stderr).toMatch(/could not be fetched and verified:\n {2}cifar10: no source gave/);
    expect(stderr).toMatch(/--offline DIR.*--no-data/);
    expect(setup(['--no-data']).code).toBe(0);
  });
});

describe('killed half-way', () => {
  it('in npm: the packages are installed anew', async () => {
    await stopAtWork('SIGKILL', { FAKE_NPM: 'hang' });
    expect(setup(['--check']).stdout).toContain('missing: packages');
    const { code, calls } = setup();
    expect(code).toBe(0);
    expect(count(calls, 'npm ci')).toBe(1);
  });

  it('in a download: the packages stay, the rest of the download goes', async () => {
    await stopAtWork('SIGKILL', { FAKE_PIP: 'hang' });
    expect(existsSync(site())).toBe(false);
    const { code, calls } = setup();
    expect(code).toBe(0);
    expect(count(calls, 'npm')).toBe(0);
    expect(new Set(readdirSync(join(cache, 'tensorflow')))).toEqual(
      new Set(['.lock', '2.21.0-cpu']),
    );
  });

  it('among several wheels: those unpacked whole are not fetched again', async () => {
    program('nvidia-smi', 'echo "GPU 0: NVIDIA"');
    const last = fakePython.replace('== hang ]]', '== hang && $(<"${*: -1}") == nvidia* ]]');
    program('python3', last);
    await stopAtWork('SIGKILL', { FAKE_PIP: 'hang' });
    const { code, calls } = setup();
    expect(code).toBe(0);
    expect(calls.filter((call) => call.includes(' download '))).toHaveLength(1);
    expect(existsSync(join(site('cuda'), 'nvidia/cusolver/lib/libcusolver.so.11'))).toBe(true);
  });

  it('in Jupyter: the environment is made anew', () => {
    program('python3', fakePython.replace("' install '*)", "' install '*) kill -9 $PPID;"));
    setup();
    program('python3', fakePython);
    const { code, stdout, calls } = setup();
    expect(stdout).toMatch(/^1\/7 .*\n7\/7 .*\nset up/);
    expect(code).toBe(0);
    expect(count(calls, 'python -m venv')).toBe(1);
  });

  it('Ctrl-C: says that it can go on, exit code 130', async () => {
    const { code, stderr } = await stopAtWork('SIGINT', { FAKE_PIP: 'hang' });
    expect(code).toBe(130);
    expect(stderr).toMatch(/interrupted; start .* again/);
    expect(existsSync(join(checkout, '.setup/scratch'))).toBe(false);
  });
});

describe('a damaged cache', () => {
  it('a library cut short is found at once and fetched again', () => {
    setup();
    const good = readFileSync(library());
    truncateSync(library(), 10);
    expect(setup(['--check'])).toMatchObject({ code: 1 });
    expect(setup().stdout).toContain('3/7 TensorFlow');
    expect(readFileSync(library())).toEqual(good);
  });

  it('one flipped byte is found by --check --deep, with the repair', () => {
    setup();
    expect(setup(['--check', '--deep']).stdout).toMatch(/^files: 16 in .*, each as hashed\n/);
    const bytes = readFileSync(library());
    bytes[100] = (bytes[100] ?? 0) ^ 1;
    writeFileSync(library(), bytes);
    const { code, stdout, stderr } = setup(['--check', '--deep']);
    expect(code).toBe(1);
    expect(stdout + stderr).toMatch(
      /libtensorflow_cc\.so\.2: FAILED[^]*are not what was unpacked[^]*rm -r/,
    );
  });

  it('data that changed since it was verified is verified again', () => {
    setup();
    appendFileSync(join(cache, 'cifar-10-batches-bin/data_batch_3.bin'), 'x');
    expect(setup(['--check']).stdout).toMatch(/^missing: data/);
    expect(setup().stdout).toMatch(/^1\/7 .*\n6\/7 data/);
  });
});

describe('--offline', () => {
  const offline = (): string => join(sandbox, 'off line');
  const wheel = 'tensorflow_cpu-2.21.0-cp311-cp311-any.whl';
  beforeEach(() => {
    mkdirSync(offline());
    copyFileSync(join(wheels, wheel), join(offline(), wheel));
  });

  it('takes wheels and the npm cache from the folder, and leaves them there', () => {
    mkdirSync(join(offline(), 'npm-cache'));
    const { code, calls } = setup(['--offline', '../off line']);
    expect(code).toBe(0);
    expect(calls.some((call) => call.includes(' download '))).toBe(false);
    expect(calls.find((call) => call.startsWith('npm'))).toContain(
      `--offline --cache ${offline()}/npm-cache`,
    );
    expect(calls.find((call) => call.includes(' install '))).toContain(
      `--no-index --find-links ${offline()}`,
    );
    expect(calls.find((call) => call.startsWith('node -e'))).toBeDefined();
    expect(existsSync(join(offline(), wheel))).toBe(true);
  });

  it('a wheel that is another one: both hashes, and what was good stays', () => {
    setup();
    const good = readFileSync(library());
    writeFileSync(
      join(checkout, 'setup/lock-cpu.txt'),
      `tensorflow-cpu==2.21.0 --hash=sha256:${'ab'.repeat(32)}\n`,
    );
    const { code, stderr } = setup(['--offline', offline()]);
    expect(code).toBe(1);
    expect(stderr).toContain('this is not the locked wheel');
    expect(stderr).toContain(`has SHA-256 ${hashes[0]?.slice(0, 16)}..., expected abababab`);
    expect(readFileSync(library())).toEqual(good);
    expect(existsSync(join(offline(), wheel))).toBe(true);
  });

  it('a wheel that was cut short: its size', () => {
    truncateSync(join(offline(), wheel), 700);
    const { code, stderr } = setup([`--offline=${offline()}`]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/\(700 bytes\) has SHA-256 .* expected .*\n.*Fetch it again/);
    expect(existsSync(site())).toBe(false);
  });

  it('a wheel that does not match its own record', () => {
    const bad = 'tensorflow_cpu-6.6.6-cp311-cp311-any.whl';
    copyFileSync(join(wheels, bad), join(offline(), bad));
    writeFileSync(
      join(checkout, 'setup/lock-cpu.txt'),
      `tensorflow-cpu==6.6.6 --hash=sha256:${hashes[3]}\n`,
    );
    const { code, stderr } = setup(['--offline', offline()]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/libtensorflow_cc\.so\.2 differs from the wheel's own RECORD/);
    expect(existsSync(site())).toBe(false);
  });

  it('no wheel: what was looked for', () => {
    rmSync(join(offline(), wheel));
    const { code, stderr } = setup(['--offline', offline()]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/holds no tensorflow_cpu-2\.21\.0-\*\.whl/);
  });
});

describe('CPU or CUDA', () => {
  const smi = 'echo "nvidia-smi $*" >>"$CALLS"; echo "GPU 0: NVIDIA H100 (UUID: 1)"';

  it('nvidia-smi decides for CUDA, with the two links that the GPU needs', () => {
    program('nvidia-smi', smi);
    const { code, stdout } = setup();
    expect(code).toBe(0);
    expect(stdout).toContain('TensorFlow 2.21.0 (CUDA)');
    expect(existsSync(join(deps(), 'nvidia/cusolver/lib/libcusolver.so.11'))).toBe(true);
    expect(existsSync(join(deps(), 'tensorrt/libcusolver.so.11'))).toBe(true);
    expect(existsSync(join(site('cuda'), 'nvidia/cusolver/include'))).toBe(false);
    expect(setup().calls).toEqual(['node --version']);
  });

  const gpu = (line: string): string => `case $* in -L) ${smi} ;; *) echo "${line}" ;; esac`;
  it.each([
    [
      'Tesla V100-SXM2-16GB, 7.0, 470.82.01',
      /driver 470\.82\.01 of Tesla V100.* too old.* 525 or later/,
    ],
    ['NVIDIA H100, 9.0, 535.104.05', /driver 535\.104\.05 of NVIDIA H100.* 555 or later/],
    ['Tesla K80, 3.7, 470.82.01', /Tesla K80 has compute capability 3\.7; TensorFlow wants 6\.0/],
  ])('says aloud what keeps CUDA from a GPU, and goes on: %s', (line, message) => {
    program('nvidia-smi', gpu(line));
    const { code, stdout, stderr } = setup();
    expect(code).toBe(0);
    expect(stdout).toContain('TensorFlow 2.21.0 (CUDA)');
    expect(stderr).toMatch(message);
    expect(stderr.match(/^kernel-setup: /gm)).toHaveLength(1);
  });

  it.each(['Tesla V100-SXM2-16GB, 7.0, 535.104.05', 'NVIDIA H200, 9.0, 580.159.03'])(
    'has nothing to say of a GPU that will do: %s',
    (line) => {
      program('nvidia-smi', gpu(line));
      expect(setup()).toMatchObject({ code: 0, stderr: '' });
    },
  );

  it('an nvidia-smi that finds no GPU decides for the CPU, until it finds one', () => {
    program('nvidia-smi', 'exit 9');
    expect(setup().stdout).toContain('(CPU)');
    program('nvidia-smi', smi);
    expect(setup(['--check']).stdout).toContain('2.21.0 for CUDA is not whole');
  });

  it('a choice is remembered, and undone by the other one', () => {
    program('nvidia-smi', smi);
    expect(setup(['--cpu']).stdout).toContain('(CPU)');
    expect(setup()).toMatchObject({
      stdout: expect.stringMatching(/\(CPU\).*nothing to do/),
      code: 0,
    });
    expect(setup(['--cuda']).stdout).toContain('(CUDA)');
    expect(setup().stdout).toMatch(/\(CUDA\).*nothing to do/);
    expect(setup(['--cpu']).stdout).toMatch(/^1\/7 .*\n4\/7 .*\nset up: .*\(CPU\)/);
    expect(existsSync(join(deps(), 'nvidia'))).toBe(false);
  });
});

describe('the command line', () => {
  const wrong: readonly [readonly string[], RegExp][] = [
    [['--jupiter'], /^kernel-setup: unknown option --jupiter; nearest: --no-jupyter\. .*\n$/],
    [['--chek'], /nearest: --check\./],
    [['cuda'], /unknown option cuda; nearest: --cuda\./],
    [['--deep'], /--deep goes with --check/],
    [['--cpu', '--cuda'], /--cpu and --cuda exclude each other/],
    [['--offline'], /--offline needs a folder/],
    [['--offline', 'nowhere'], /nowhere is not a folder/],
  ];
  it.each(wrong)('%j: one line, exit code 2', (args, message) => {
    const { code, stdout, stderr } = setup(args);
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toMatch(message);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });

  it('--help names every option that there is', () => {
    const { code, stdout } = setup(['--help']);
    expect(code).toBe(0);
    for (const option of [
      'cpu',
      'cuda',
      'no-jupyter',
      'no-data',
      'offline',
      'check',
      'deep',
      'clean',
    ])
      expect(stdout).toContain(`--${option}`);
  });

  it('--check on a bare checkout says what is missing and changes nothing', () => {
    const before = readdirSync(checkout);
    const { code, stdout, stderr } = setup(['--check']);
    expect(code).toBe(1);
    expect(stderr).toBe('');
    expect(stdout.match(/^missing: \w+/gm)).toEqual([
      'missing: packages',
      'missing: TensorFlow',
      'missing: addons',
      'missing: self',
      'missing: library',
      'missing: data',
      'missing: Jupyter',
    ]);
    expect(readdirSync(checkout)).toEqual(before);
    expect(existsSync(cache)).toBe(false);
  });

  it('--clean says what it frees and removes only what set-up made', () => {
    setup();
    writeFileSync(join(cache, 'mine'), 'not of set-up');
    const before = readdirSync(checkout).filter(
      (name) => !/^(node_modules|dist|\.venv|\.setup)$/.test(name),
    );
    const { code, stdout } = setup(['--clean']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^( +\d+ MB {2}\/.*\n){8} +\d+ MB {2}in all/);
    expect(stdout).toMatch(/removed\n$/);
    expect(readdirSync(cache)).toEqual(['mine']);
    expect(readdirSync(checkout)).toEqual(before);
    expect(new Set(readdirSync(join(checkout, 'native')))).toEqual(
      new Set(['graph.cc', 'stderr.c']),
    );
    expect(setup().code).toBe(0);
  });
});

describe.skipIf(!existsSync(join(repository, 'native/stderr.node')))(
  'the self-check, with TensorFlow',
  () => {
    const selfCheck = (args: readonly string[], env: Record<string, string> = {}): Outcome => {
      const { status, stdout, stderr } = spawnSync(
        process.execPath,
        [join(repository, 'setup/self-check.cjs'), ...args],
        { encoding: 'utf8', env: { ...process.env, ...env } },
      );
      return { code: status, stdout, stderr, calls: [] };
    };

    it('is quiet, and says what it loaded and computed', () => {
      const { code, stdout, stderr } = selfCheck(['--deep']);
      expect(stderr).toBe('');
      expect(code).toBe(0);
      expect(stdout).toMatch(
        /^TensorFlow 2\.21\.0 on the [CG]PU, Node .* loaded in \d\.\d s\nlibrary \//,
      );
      expect(stdout).toMatch(/matmul right in 768 numbers .*\nconvolution right in 972 numbers/);
    });

    it.each(['matMul', 'conv2d'])('a %s that is off by 1 % fails, with the number', (operation) => {
      const spoil = join(dirname(wheels), `spoil-${operation}.cjs`);
      writeFileSync(
        spoil,
        `const Module = require('node:module');
       const load = Module._load;
       Module._load = function (name, ...rest) {
         const loaded = load.call(this, name, ...rest);
         if (name !== '@tensorflow/tfjs-node-gpu') return loaded;
         return { ...loaded, ${operation}: (...args) => loaded.mul(loaded.${operation}(...args), 1.01) };
       };`,
      );
      const { code, stderr } = selfCheck([], { NODE_OPTIONS: `--require ${spoil}` });
      expect(code).toBe(1);
      expect(stderr).toMatch(
        /^(matmul|convolution) is wrong: element \d+ is -?[\d.]+, expected -?\d+\./,
      );
    });

    it('another TensorFlow in LD_LIBRARY_PATH is not taken for ours', () => {
      const folder = join(dirname(wheels), 'foreign');
      mkdirSync(folder);
      const lib = join(repository, 'node_modules/@tensorflow/tfjs-node-gpu/deps/lib');
      for (const name of readdirSync(lib)) {
        // A second name takes no time, but only a copy can be on another disk.
        const original = realpathSync(join(lib, name));
        try {
          linkSync(original, join(folder, name));
        } catch {
          copyFileSync(original, join(folder, name));
        }
      }
      const { code, stderr } = selfCheck([], { LD_LIBRARY_PATH: folder });
      expect(code).toBe(1);
      expect(stderr).toContain(`${folder}/libtensorflow_cc.so.2 was loaded in the place of`);
    });
  },
);
