#!/usr/bin/env bash
# In node-addon-api, terminating a worker thread aborts the whole process if an AsyncWorker of that thread settles a promise.
#
# Node calls the completion of queued work while it tears the thread down. Settling the promise fails there, node-addon-api
# throws, cannot pass the error to JavaScript either, and throws again where nothing catches it: terminate, SIGABRT. This is the
# default; with NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS defined, the process survives.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
printf '{"private":true}' >package.json
npm install --silent --no-audit --no-fund --ignore-scripts node-addon-api@8.9.2 node-api-headers@1.9.0
cat >sleep.cc <<'CC'
#include <napi.h>
#include <unistd.h>
struct Sleep : Napi::AsyncWorker {
  Napi::Promise::Deferred deferred;
  explicit Sleep(Napi::Env env) : Napi::AsyncWorker(env), deferred(env) {}
  void Execute() override { usleep(300000); }
  void OnOK() override { deferred.Resolve(Env().Undefined()); }
  void OnError(const Napi::Error& error) override { deferred.Reject(error.Value()); }
};
Napi::Value Start(const Napi::CallbackInfo& info) {
  auto* worker = new Sleep(info.Env());
  worker->Queue();
  return worker->deferred.Promise();
}
Napi::Object Init(Napi::Env env, Napi::Object) { return Napi::Function::New(env, Start); }
NODE_API_MODULE(sleep, Init)
CC
cat >main.cjs <<'JS'
const { Worker, isMainThread, parentPort, workerData } = require('node:worker_threads');
if (isMainThread) {
  const worker = new Worker(__filename, { workerData: process.argv[2] });
  worker.once('message', () => worker.terminate().then(() => console.log('still alive')));
} else {
  require(workerData)();
  parentPort.postMessage('started');
}
JS
build() {
  c++ -std=c++17 -shared -fPIC -DNAPI_VERSION=8 -DNODE_ADDON_API_CPP_EXCEPTIONS "${@:2}" -I node_modules/node-addon-api \
    -I node_modules/node-api-headers/include -o "$1" sleep.cc
}
build plain.node
build swallow.node -DNODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS
plain=$(node main.cjs ./plain.node 2>&1 && echo 'exit code 0' || echo "exit code $?")
swallow=$(node main.cjs ./swallow.node 2>&1 && echo 'exit code 0' || echo "exit code $?")
printf 'node-addon-api 8.9.2, Node %s\n\nas it comes:\n%s\n\nwith NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS:\n%s\n' \
  "$(node --version)" "$plain" "$swallow"
[[ $plain == *'terminate called'*'exit code 134' && $swallow == $'still alive\nexit code 0' ]] ||
  { echo 'changed: expected an abort (134) without the macro, and none with it'; exit 1; }
