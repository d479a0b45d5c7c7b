/** The fake tools of the sandbox, and the maker of its wheels. */

/** Appends every call to $CALLS; runs set-up itself with the real Node, and claims the version $FAKE_NODE. */
export const fakeNode = `
if [[ $1 == */setup/main.mjs ]]; then
  KERNEL_SETUP_NODE=\${FAKE_NODE:-20.20.2} exec "$REAL_NODE" "$@"
fi
echo "node $*" >>"$CALLS"
case $1 in
  --version) echo "v\${FAKE_NODE:-20.20.2}" ;;
  setup/self-check.cjs)
    if [[ -n \${FAKE_SELF_CHECK:-} ]]; then echo "$FAKE_SELF_CHECK" >&2; exit 1; fi
    echo 'TensorFlow 2.21.0 on the CPU: matmul and convolution right' ;;
  *bin/tsc)
    if grep -q FAULT src/cli/main.ts; then echo 'src/cli/main.ts(1,1): error TS1: FAULT'; exit 2; fi
    mkdir -p dist/cli; cp src/cli/main.ts dist/cli/main.js ;;
  dist/cli/main.js | -e)
    if [[ $* == *--offline ]]; then exit 1; fi
    if [[ -n \${FAKE_DATA:-} ]]; then echo "$FAKE_DATA" >&2; exit 1; fi
    mkdir -p "$CIFAR10_FAST_CACHE/cifar-10-batches-bin"; cd "$CIFAR10_FAST_CACHE/cifar-10-batches-bin"
    touch data_batch_{1..5}.bin test_batch.bin ;;
esac`;

/**
 * Creates $AT_WORK to show that it is running, then runs for 20 s. The trap is set before that: between two commands, a shell
 * would otherwise ignore a Ctrl-C.
 */
const hang = `
hang() {
  trap 'kill $!; exit 130' INT
  sleep 20 >/dev/null 2>&1 &
  touch "$AT_WORK"
  wait
}`;

export const fakeNpm = `${hang}
echo "npm $*" >>"$CALLS"
rm -rf node_modules
package=node_modules/@tensorflow/tfjs-node-gpu
mkdir -p "$package/binding" node_modules/node-api-headers node_modules/node-addon-api
if [[ \${FAKE_NPM:-} == hang ]]; then hang; fi
if [[ \${FAKE_NPM:-} == slow ]]; then sleep 1; fi
if [[ \${FAKE_NPM:-} == network ]]; then echo 'npm error code ENOTFOUND' >&2; exit 1; fi
touch "$package/binding/tfjs_backend.cc" "$package/binding/tfjs_binding.cc"
touch node_modules/node-api-headers/package.json node_modules/node-addon-api/package.json
echo 'added 7 packages in 1s'`;

export const fakePython = `${hang}
echo "python $*" >>"$CALLS"
case "$*" in
  '-I -c '*) echo "\${FAKE_PYTHON:-3.11.7 ok}" ;;
  '-m venv '*)
    mkdir -p "\${*: -1}/bin"; cp "\${BASH_SOURCE[0]}" "\${*: -1}/bin/python" ;;
  *'-m pip '*' download '*)
    if [[ \${FAKE_PIP:-} == hang ]]; then hang; fi
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

export const fakeCompiler = `
echo "c++ $*" >>"$CALLS"
case "$*" in
  *-fsyntax-only*) exit "\${FAKE_COMPILER:-0}" ;;
  -dumpversion) echo 12; exit ;;
  *graph.cc*) if grep -q FAULT native/graph.cc; then echo 'native/graph.cc:1: error: FAULT' >&2; exit 1; fi ;;
esac
while (($#)); do if [[ $1 == -o ]]; then echo built >"$2"; fi; shift; done`;

/** Builds wheels with the files that setup/unpack.py extracts, and prints their SHA-256. */
export const wheelMaker = `
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
