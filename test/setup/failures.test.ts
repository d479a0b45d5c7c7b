import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fakeCompiler, fakePython } from './fakes.js';
import { box, count, program, setup, useSandbox, without } from './sandbox.js';

useSandbox();

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
    [
      'a PYTHON that does not exist',
      () => ({ PYTHON: '/no/such/python' }),
      /PYTHON is "\/no\/such\/python", which is not a Python 3/,
      /or unset it/,
    ],
    [
      'a PYTHON that is too old',
      () => (program('python3.8', 'echo 3.8.1 old'), { PYTHON: 'python3.8' }),
      /Python 3\.8\.1 is too old; 3\.9 or later is needed \(PYTHON is "python3\.8"\)/,
      /or unset it/,
    ],
    [
      'a CXX that does not exist',
      () => ({ CXX: '/no/such/c++' }),
      /no C\+\+ compiler was found \(CXX is "\/no\/such\/c\+\+"\)/,
      /or unset it/,
    ],
    [
      'a CXX that does not compile',
      () => (program('bad', 'exit 1'), { CXX: 'bad -m64' }),
      /bad -m64 cannot compile C\+\+17 .* \(CXX is "bad -m64"\)/,
      /or unset it/,
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
      () => (writeFileSync(join(box.sandbox, 'cpuinfo'), 'flags : sse avx512f_not\n'), {}),
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

  it('PYTHON and CXX select programs, the latter with arguments', () => {
    program('python3.12', `echo "3.12 $*" >>"$CALLS"\n${fakePython}`);
    program(
      'ccache',
      `[[ $1 == c++ ]] || exit 1; shift\necho "ccache $*" >>"$CALLS"\n${fakeCompiler}`,
    );
    without('python3');
    const { code, stderr, stdout, calls } = setup([], {
      PYTHON: '../bin/python3.12',
      CXX: 'ccache c++ -m64',
    });
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toContain(`${join(box.bin, 'ccache')} c++ -m64`);
    expect(stdout).toContain('glibc 2.');
    expect(stdout).not.toContain('glibc glibc');
    expect(count(calls, '3.12 -m venv')).toBe(1);
    expect(count(calls, 'ccache -m64 -shared')).toBeGreaterThan(0);
  });

  it('reports all problems at once', () => {
    without('c++', 'python3');
    const { code, stderr } = setup([], { FAKE_NODE: '18.0.0' });
    expect(code).toBe(1);
    expect(stderr.match(/^kernel-setup: /gm)).toHaveLength(3);
  });

  it('requires a compiler and Python only if a missing step needs them', () => {
    setup();
    without('c++', 'python3');
    appendFileSync(join(box.checkout, 'src/cli/main.ts'), '// more\n');
    expect(setup()).toMatchObject({ code: 0, stderr: '' });
  });

  it('uses another Python if the first is too old', () => {
    program('python3.12', fakePython.replace('3.11.7', '3.12.1'));
    program('python3', fakePython.replace('3.11.7 ok', '3.8.1 old'));
    expect(setup().stdout).toContain('Python 3.12.1');
  });

  it('warns about a Node newer than 26, and continues', () => {
    expect(setup([], { FAKE_NODE: '26.10.0' })).toMatchObject({ code: 0, stderr: '' });
    const { code, stderr } = setup([], { FAKE_NODE: '27.1.0' });
    expect(code).toBe(0);
    expect(stderr).toMatch(/warning: Node 27\.1\.0 is newer than 26.*continues/);
  });

  it('stops before any download if the disk is too small', () => {
    program('df', 'echo h; echo "/dev/one 100 60 204800 1% /"');
    const { code, stderr, calls } = setup();
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /cache has 200 MB free, \d+ MB are needed \(TensorFlow 1200, CIFAR-10 \d+, npm/,
    );
    expect(stderr).toContain('CIFAR10_FAST_CACHE');
    expect(count(calls, 'npm')).toBe(0);
  });

  it('counts cache and checkout separately if they are on two disks', () => {
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
    writeFileSync(box.cache, 'a file in its place');
    const { code, stderr } = setup();
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /the cache folder .*cache cannot be written: ENOTDIR: not a directory\./,
    );
    expect(stderr).toContain('CIFAR10_FAST_CACHE');
    expect(readFileSync(box.cache, 'utf8')).toBe('a file in its place');
  });
});

describe('a step that fails', () => {
  it('npm without a network: reports it, keeps nothing incomplete, and succeeds later', () => {
    const { code, stderr } = setup([], { FAKE_NPM: 'network' });
    expect(code).toBe(1);
    expect(stderr).toMatch(/npm ci failed: the package registry did not respond/);
    expect(stderr).toContain('--offline DIR');
    expect(setup(['--check']).stdout).toContain('missing: packages');
    expect(setup().code).toBe(0);
  });

  it('pip without a network: names the package, and keeps the npm packages', () => {
    const { code, stderr } = setup([], { FAKE_PIP: 'network' });
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /could not fetch tensorflow-cpu 2\.21\.0: the package registry did not respond/,
    );
    expect(stderr).toContain('--offline DIR');
    const again = setup();
    expect(again.code).toBe(0);
    expect(count(again.calls, 'npm')).toBe(0);
  });

  it('a disk that fills up during a step', () => {
    const { code, stderr } = setup([], { FAKE_PIP: 'full' });
    expect(code).toBe(1);
    expect(stderr).toMatch(/no space left on the disk of .*cache.*\n.*resumes where it stopped/);
  });

  it("the self-check: shows the library's messages, and does not count as done", () => {
    const { code, stderr } = setup([], { FAKE_SELF_CHECK: 'matmul is wrong: element 3' });
    expect(code).toBe(1);
    expect(stderr).toMatch(/self-check of TensorFlow failed:\n {2}matmul is wrong: element 3/);
    expect(setup(['--check']).stdout).toMatch(/^missing: self-check/);
    expect(setup().code).toBe(0);
  });

  it('the compiler of the addons: shows its errors, and builds all once the source is fixed', () => {
    const source = readFileSync(join(box.checkout, 'native/graph.cc'));
    writeFileSync(join(box.checkout, 'native/graph.cc'), 'FAULT');
    const { code, stderr } = setup();
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /c\+\+ could not build the addons:\n {2}native\/graph\.cc:1: error: FAULT/,
    );
    expect(setup(['--check']).stdout).toContain('missing: addons');
    writeFileSync(join(box.checkout, 'native/graph.cc'), source);
    expect(setup().stdout).toMatch(/^1\/7 .*\n4\/7 addons +built and linked/);
    expect(existsSync(join(box.checkout, 'native/graph.node'))).toBe(true);
  });

  it('a step that fails ends the installation of Jupyter in the background', () => {
    // Longer than the timeout of set-up here.
    const slow = fakePython.replace("' install '*)", "' install '*) exec sleep 60;");
    program('python3', slow);
    writeFileSync(join(box.checkout, 'src/cli/main.ts'), 'FAULT');
    const { code, stderr } = setup();
    expect(code).toBe(1);
    expect(stderr).toMatch(/^kernel-setup: the library does not compile:\n.*FAULT\n.*\n$/);
    program('python3', fakePython);
    writeFileSync(join(box.checkout, 'src/cli/main.ts'), 'export {};\n');
    expect(setup().stdout).toMatch(/\n7\/7 Jupyter .*\nset up/);
  });

  it('the compiler of the library: shows the first errors', () => {
    writeFileSync(join(box.checkout, 'src/cli/main.ts'), 'FAULT');
    const { code, stderr } = setup();
    expect(code).toBe(1);
    expect(stderr).toMatch(/does not compile:\n {2}src\/cli\/main\.ts\(1,1\): error TS1: FAULT/);
  });

  it('the data: shows the reasons and both workarounds', () => {
    const { code, stderr } = setup([], {
      FAKE_DATA: 'cifar10: CIFAR-10 could not be obtained from any source.',
    });
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /could not be fetched and verified:\n {2}cifar10: CIFAR-10 could not be obtained/,
    );
    expect(stderr).toMatch(/--offline DIR.*--no-data/);
    expect(setup(['--no-data']).code).toBe(0);
  });
});
