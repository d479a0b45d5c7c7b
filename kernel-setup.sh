#!/usr/bin/env bash
#
# Sets up everything that cifar10-fast needs and that is not there yet: npm packages, TensorFlow's C++ library, the addon
# that joins it to Node, the compiled library, CIFAR-10, Jupyter with the TypeScript kernel. ./kernel-setup.sh --help says
# how to steer it, docs/setup.md what goes where and how each failure is repaired.
#
# How it stays safe to kill: a step works in a folder of its own and moves the result into place, and leaves its stamp in
# .setup/ as its last act. What has no stamp is done again. One lock keeps two set-ups of a checkout apart, another two
# that fill the shared cache.
set -euo pipefail
shopt -s nullglob
export LC_ALL=C
unset CDPATH POSIXLY_CORRECT

readonly TENSORFLOW=2.21.0
readonly UNPACKED=1 # raise it when setup/unpack.py takes other files out of the wheels
readonly BATCHES=cifar-10-batches-bin
readonly CPUINFO=${KERNEL_SETUP_CPUINFO:-/proc/cpuinfo}
# What a step needs on disk while it works, in MB (docs/setup.md, "Sizes").
readonly NEEDS_PACKAGES=650 NEEDS_CPU=1200 NEEDS_CUDA=5300 NEEDS_DATA=400 NEEDS_JUPYTER=450

readonly started_in=$PWD
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
cd -- "$root"
readonly root
readonly stamps=$root/.setup venv=$root/.venv
readonly scratch=$stamps/scratch
readonly package=$root/node_modules/@tensorflow/tfjs-node-gpu
readonly kernelspec=$venv/share/jupyter/kernels/tslab

usage() {
  cat <<'HELP'
usage: ./kernel-setup.sh [options]

Sets up this checkout; what is there already is left alone. On a machine that is set up it takes a fraction of a second.

  --cpu            TensorFlow for the processor; remembered in this checkout
  --cuda           TensorFlow for NVIDIA GPUs (3 GB to download); remembered in this checkout
                   without either, nvidia-smi decides
  --no-jupyter     leave Jupyter and the kernel out, this time
  --no-data        leave CIFAR-10 out, this time
  --offline DIR    take wheels, npm's cache and the data from a folder (docs/setup.md lists the files)
  --check          say what is missing, change nothing: exit code 0 or 1
  --check --deep   also compare every library file with its hash, load TensorFlow and compute with it
  --clean          say what the set-up takes on disk, then remove it
  --help           this text

CIFAR10_FAST_CACHE names the folder for TensorFlow and CIFAR-10, which all checkouts share (default: ~/.cache/cifar10-fast).
HELP
}

# ---- Talking -------------------------------------------------------------------------------------------------------

ticker=
step_name=
step_number=
step_start=0

now_us() {
  local time=${EPOCHREALTIME:-$SECONDS.000000}
  REPLY=${time/./}
}

now_us
readonly began=$REPLY

# Tenths of a second since $1, into REPLY.
since() {
  now_us
  local tenths=$(((REPLY - $1 + 50000) / 100000))
  REPLY=$((tenths / 10)).$((tenths % 10))
}

ticker_stop() {
  [[ -n $ticker ]] || return 0
  kill "$ticker" 2>/dev/null || true
  wait "$ticker" 2>/dev/null || true
  ticker=
  printf '\r\033[K'
}

# On a terminal: what is being done, for how long, and how much has arrived in the folder $1.
ticker_start() {
  [[ -t 1 ]] || return 0
  local folder=${1:-} parent=$$
  (
    exec 8>&- 9>&-
    while kill -0 "$parent" 2>/dev/null; do
      since "$step_start"
      local size=
      if [[ -n $folder && -d $folder ]]; then
        size=$(du -sm "$folder" 2>/dev/null | cut -f1) || size=
      fi
      printf '\r\033[K%s/7 %-11s %s s%s' "$step_number" "$step_name" "${REPLY%.*}" "${size:+, $size MB}"
      sleep 1
    done
  ) &
  ticker=$!
}

step_begin() {
  step_number=$1 step_name=$2
  now_us
  step_start=$REPLY
  ticker_start "${3:-}"
}

step_end() {
  ticker_stop
  since "$step_start"
  printf '%s/7 %-11s %-60s %6s s\n' "$step_number" "$step_name" "$1" "$REPLY"
}

# The first argument is what is wrong, the others are lines that repair it.
complain() {
  ticker_stop
  printf 'kernel-setup: %s\n' "$1" >&2
  shift
  (($# == 0)) || printf '  %s\n' "${@//$'\n'/$'\n  '}" >&2
}

fail() {
  complain "$@"
  exit 1
}

as_root() {
  if ((EUID == 0)); then REPLY=$1; else REPLY="sudo $1"; fi
}

# Runs a command whose output nobody wants to see unless it fails.
quietly() {
  "$@" >"$scratch/log" 2>&1 </dev/null
}

log_has() {
  grep -qiE -- "$1" "$scratch/log"
}

# Ends the set-up with what the failed command in the log tells: $1 is what could not be done, $2 the folder it wrote to.
fail_from_log() {
  local what=$1 folder=$2
  if log_has 'ENOSPC|no space left'; then
    fail "$what: no space left on the disk of $folder." \
      'Free some space and start ./kernel-setup.sh again; it goes on where it stopped.'
  elif log_has 'do not match the hashes|EINTEGRITY|hash mismatch'; then
    fail "$what: what arrived is not the locked file (its hash differs)." "$(tail -n 6 "$scratch/log")" \
      'Nothing of it was kept. Start ./kernel-setup.sh again; if it stays, a proxy or mirror alters files.'
  elif log_has 'ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET|ENOTCACHED|NewConnectionError|Connection (refused|reset|aborted)|timed out|Name or service not known|name resolution|Network is unreachable|ProxyError|SSLError|No matching distribution'; then
    fail "$what: the package source did not answer, or does not have it." "$(tail -n 3 "$scratch/log")" \
      'Check the network (HTTPS_PROXY is honoured) and start ./kernel-setup.sh again, or fetch the files elsewhere and' \
      'name their folder: ./kernel-setup.sh --offline DIR (docs/setup.md lists them).'
  fi
  fail "$what:" "$(tail -n 12 "$scratch/log")"
}

# ---- Options -------------------------------------------------------------------------------------------------------

distance() {
  local a=$1 b=$2 i j cost best diagonal
  local -a row
  for ((j = 0; j <= ${#b}; j++)); do row[j]=$j; done
  for ((i = 1; i <= ${#a}; i++)); do
    diagonal=${row[0]}
    row[0]=$i
    for ((j = 1; j <= ${#b}; j++)); do
      cost=1
      [[ ${a:i-1:1} != "${b:j-1:1}" ]] || cost=0
      best=$((diagonal + cost))
      diagonal=${row[j]}
      ((best <= row[j] + 1)) || best=$((row[j] + 1))
      ((best <= row[j - 1] + 1)) || best=$((row[j - 1] + 1))
      row[j]=$best
    done
  done
  REPLY=${row[${#b}]}
}

usage_error() {
  printf 'kernel-setup: %s ./kernel-setup.sh --help lists all options.\n' "$1" >&2
  exit 2
}

unknown_option() {
  local option least=99 nearest=
  for option in --cpu --cuda --no-jupyter --no-data --offline --check --deep --clean --help; do
    distance "$1" "$option"
    ((REPLY >= least)) || least=$REPLY nearest=$option
  done
  usage_error "unknown option $1; nearest: $nearest."
}

asked='' offline='' mode=install deep=false with_jupyter=true with_data=true
while (($# > 0)); do
  case $1 in
    --cpu | --cuda)
      [[ -z $asked || $asked == "${1#--}" ]] || usage_error '--cpu and --cuda exclude each other.'
      asked=${1#--}
      ;;
    --no-jupyter) with_jupyter=false ;;
    --no-data) with_data=false ;;
    --offline)
      (($# > 1)) || usage_error '--offline needs a folder.'
      offline=$2
      shift
      ;;
    --offline=*) offline=${1#*=} ;;
    --check) mode=check ;;
    --deep) deep=true ;;
    --clean) mode=clean ;;
    --help | -h)
      usage
      exit 0
      ;;
    *) unknown_option "$1" ;;
  esac
  shift
done
[[ $deep == false || $mode == check ]] || usage_error '--deep goes with --check.'
if [[ -n $offline ]]; then
  [[ $offline == /* ]] || offline=$started_in/$offline
  [[ -d $offline ]] || usage_error "--offline: $offline is not a folder."
  offline=$(cd -- "$offline" && pwd -P)
fi

if [[ -n ${CIFAR10_FAST_CACHE:-} ]]; then
  cache=$CIFAR10_FAST_CACHE
elif [[ -n ${XDG_CACHE_HOME:-} ]]; then
  cache=$XDG_CACHE_HOME/cifar10-fast
elif [[ -n ${HOME:-} ]]; then
  cache=$HOME/.cache/cifar10-fast
else
  fail 'neither CIFAR10_FAST_CACHE nor HOME is set: there is no place for the cache.' \
    'Set CIFAR10_FAST_CACHE to a folder that can be written.'
fi
[[ $cache == /* ]] || cache=$started_in/$cache
readonly cache
export CIFAR10_FAST_CACHE=$cache

# ---- What is there -------------------------------------------------------------------------------------------------

# Content of a stamp, or nothing, into REPLY.
stamp() {
  REPLY=
  [[ ! -r $stamps/$1 ]] || REPLY=$(<"$stamps/$1")
}

write_stamp() {
  printf '%s\n' "$2" >"$stamps/$1.new"
  mv -f -- "$stamps/$1.new" "$stamps/$1"
}

hash_of() {
  REPLY=$(cat -- "$@" | sha256sum)
  REPLY=${REPLY%% *}
}

# The sizes (and with %Y the times) of the files that a list names, in the list's own form.
sizes_match() {
  local list=$1 folder=$2 format=$3 names=()
  [[ -s $list ]] || return 1
  mapfile -t names < <(cut -d' ' -f"$4" -- "$list")
  [[ $(cd -- "$folder" 2>/dev/null && stat -L -c "$format" -- "${names[@]}" 2>/dev/null) == "$(<"$list")" ]]
}

# Sets `variant` to cpu or cuda, `decision` to how that came about (asked for, or which nvidia-smi said so), `wheels` to
# the lines of the lock and `site` to the folder that they are unpacked to.
variant='' decision='' wheels='' site='' site_mark=''
decide_variant() {
  local recorded how smi
  stamp variant
  read -r recorded how <<<"$REPLY" || true
  if [[ -n $asked ]]; then
    variant=$asked decision="$asked asked"
  elif [[ ${how:-} == asked ]]; then
    variant=$recorded decision=$REPLY
  else
    smi=$(command -v nvidia-smi || echo none)
    # A GPU that was there is not asked again: nvidia-smi takes up to a second.
    if [[ ${recorded:-} == cuda && $how == "$smi" ]]; then
      variant=cuda
    elif [[ $smi != none ]] && timeout 20 nvidia-smi -L 2>/dev/null | grep -q '^GPU '; then
      variant=cuda
    else
      variant=cpu
    fi
    decision="$variant $smi"
  fi
  site=$cache/tensorflow/$TENSORFLOW-$variant
  wheels=$(grep -v '^#' "setup/lock-$variant.txt")
  site_mark=$wheels$'\n'"unpacked $UNPACKED"
}

packages_ok() {
  hash_of package-lock.json
  packages_key=$REPLY
  stamp packages
  [[ $REPLY == "$packages_key" && -d node_modules ]]
}

tensorflow_ok() {
  [[ -r $site/.lock && $(<"$site/.lock") == "$site_mark" ]] && sizes_match "$site/.sizes" "$site" '%s %n' 2-
}

addon_key=''
addon_ok() {
  [[ -r $package/binding/tfjs_binding.cc ]] || return 1
  hash_of native/*.c native/*.cc native/*.h "$package"/binding/* "$root/node_modules/node-api-headers/package.json"
  addon_key="1 $REPLY"
  stamp addon
  [[ $REPLY == "$addon_key" && -s native/stderr.node && -s native/graph.node &&
    -s $package/lib/napi-v8/tfjs_binding.node ]]
}

links_ok() {
  local deps=$package/deps
  [[ $deps/include -ef $site/tensorflow/include ]] || return 1
  [[ $deps/lib/libtensorflow_cc.so.2 -ef $site/tensorflow/libtensorflow_cc.so.2 ]] || return 1
  [[ $deps/lib/libtensorflow_framework.so.2 -ef $site/tensorflow/libtensorflow_framework.so.2 ]] || return 1
  if [[ $variant == cuda ]]; then
    [[ $deps/nvidia -ef $site/nvidia && $deps/tensorrt -ef $site/nvidia/cusolver/lib ]]
  else
    [[ ! -L $deps/nvidia && ! -L $deps/tensorrt ]]
  fi
}

self_check_ok() {
  self_check_key="$addon_key $site ${node_version%%.*}"
  stamp self-check
  [[ $REPLY == "$self_check_key" ]] && links_ok
}

library_ok() {
  REPLY=$(find src tsconfig.json package.json -type f ! -name '*.test.ts' -print0 | sort -z |
    xargs -0 sha256sum | sha256sum)
  library_key="${REPLY%% *} $packages_key"
  stamp library
  [[ $REPLY == "$library_key" && -x dist/cli/main.js && node_modules/.bin/cifar10-fast -ef dist/cli/main.js &&
    node_modules/cifar10-fast -ef $root ]]
}

# Verified once, and of the same sizes and times since. Every training run compares the hashes anyhow.
data_ok() {
  sizes_match "$stamps/data" "$cache/$BATCHES" '%s %Y %n' 3-
}

kernel_json() {
  local path=${root//\\/\\\\}
  REPLY='{
  "argv": ["node", "'"${path//\"/\\\"}"'/dist/kernel/main.js", "{connection_file}"],
  "display_name": "TypeScript (cifar10-fast)",
  "language": "typescript",
  "interrupt_mode": "message"
}'
}

# The interpreter that the environment was made with is there, in the same minor version.
venv_ok() {
  [[ -x $venv/bin/python ]] || return 1
  local program
  program=$(readlink -f -- "$venv/bin/python")
  [[ ${program##*/} != python3.* || -d $venv/lib/${program##*/} ]]
}

jupyter_ok() {
  hash_of setup/lock-jupyter.txt
  jupyter_key="jupyter $REPLY $root"
  stamp venv
  [[ $REPLY == "$jupyter_key" && -x $venv/bin/jupyter && -r $kernelspec/kernel.json ]] && venv_ok || return 1
  [[ -r $kernelspec/logo-svg.svg ]] || return 1
  kernel_json
  [[ $(<"$kernelspec/kernel.json") == "$REPLY" ]]
}

node_version=
find_node() {
  node_version=$(node --version 2>/dev/null) || node_version=
  node_version=${node_version#v}
}

# Everything that is missing, a line each, into `missing`.
missing=()
survey() {
  missing=()
  [[ -n $node_version ]] && ! node_is_old || missing+=("Node: ${node_version:-none found}; 20.19 or later is needed")
  packages_ok || missing+=('packages: node_modules is not what package-lock.json asks for')
  tensorflow_ok || missing+=("TensorFlow: $TENSORFLOW for ${variant^^} is not whole in $site")
  addon_ok || missing+=('addons: not built for these packages and this native/')
  self_check_ok || missing+=("self-check: this TensorFlow was not linked and tried with Node ${node_version%%.*}")
  library_ok || missing+=('library: dist/ is not compiled from this src/, or not linked')
  [[ $with_data == false ]] || data_ok || missing+=("data: CIFAR-10 was not verified in $cache")
  [[ $with_jupyter == false ]] || jupyter_ok || missing+=('Jupyter: .venv or the kernel in it is not what setup/ asks for')
}

summary() {
  REPLY="TensorFlow $TENSORFLOW (${variant^^})"
  [[ $with_data == false ]] || REPLY+=', CIFAR-10'
  [[ $with_jupyter == false ]] || REPLY+=', Jupyter'
}

# ---- 1 Tools -------------------------------------------------------------------------------------------------------

problems=0
problem() {
  complain "$@"
  problems=$((problems + 1))
}

node_is_old() {
  local major minor
  IFS=. read -r major minor _ <<<"$node_version"
  ((major < 20 || (major == 20 && minor < 19)))
}

warn_of_node() {
  local major=${node_version%%.*}
  if ((major > 24)); then
    complain "warning: Node $node_version is newer than 24, the newest that this was tried with; going on."
  fi
}

check_node() {
  local repair
  as_root 'apt-get install -y nodejs npm'
  repair="$REPLY   (Debian 13, Ubuntu 25.04 or later; before those:"
  as_root 'npm install -g n'
  repair+=" $REPLY && "
  as_root 'n 22'
  repair+="$REPLY)"
  if [[ -z $node_version ]]; then
    problem 'Node.js was not found; 20.19 or later is needed.' "$repair"
  elif node_is_old; then
    problem "Node $node_version is too old; 20.19 or later is needed." "$repair"
  elif ! command -v npm >/dev/null; then
    as_root 'apt-get install -y npm'
    problem 'npm was not found (Debian ships it apart from Node).' "$REPLY"
  fi
}

check_machine() {
  local system machine libc version
  system=$(uname -s) machine=$(uname -m)
  if [[ $system != Linux || $machine != x86_64 ]]; then
    problem "this is $system on $machine; TensorFlow's library is set up for Linux on x86_64 only." \
      'Use such a machine, a virtual one, or WSL 2.'
    return
  fi
  libc=$(getconf GNU_LIBC_VERSION 2>/dev/null) || libc=
  version=${libc#glibc }
  if [[ -z $libc ]]; then
    problem 'this system has no glibc (musl, as in Alpine?); TensorFlow needs glibc 2.27 or later.' \
      'Use Debian 11 or later, Ubuntu 20.04 or later, or a container image made from them.'
  elif ((${version%%.*} < 2 || (${version%%.*} == 2 && $(cut -d. -f2 <<<"$version") < 27))); then
    problem "glibc $version is too old for TensorFlow's library (manylinux_2_27); 2.27 or later is needed." \
      'Use Debian 11 or later, or Ubuntu 20.04 or later.'
  fi
  if [[ -r $CPUINFO ]] && ! grep -qw avx "$CPUINFO"; then
    problem "this processor (or virtual machine) has no AVX, which TensorFlow's library is compiled for." \
      'Use a machine with AVX; in a virtual machine, pass the host processor through (QEMU: -cpu host).'
  fi
}

python='' python_version=''
check_python() {
  local candidate answer found='' repair
  for candidate in ${PYTHON:+"$PYTHON"} python3 python3.14 python3.13 python3.12 python3.11 python3.10 python3.9; do
    command -v "$candidate" >/dev/null || continue
    answer=$("$candidate" -I -c '
import sys
state = "old"
if sys.version_info >= (3, 9):
    state = "ok"
    try:
        import venv, ensurepip
    except ImportError:
        state = "bare"
print("%d.%d.%d" % sys.version_info[:3], state)' 2>/dev/null) || continue
    if [[ $answer == *' ok' ]]; then
      python=$(command -v "$candidate") python_version=${answer% *}
      return
    fi
    [[ -n $found && $answer != *' bare' ]] || found=$answer
  done
  as_root 'apt-get install -y python3 python3-venv'
  repair=$REPLY
  case $found in
    *' bare') problem "Python ${found% *} has no venv module (Debian ships it apart)." "$repair" ;;
    *' old') problem "Python ${found% *} is too old; 3.9 or later is needed." "$repair" ;;
    *) problem 'Python 3 was not found; 3.9 or later is needed (it fetches TensorFlow and runs Jupyter).' "$repair" ;;
  esac
}

compiler=
check_compiler() {
  local candidate tried=
  for candidate in ${CXX:+"$CXX"} c++ g++ clang++; do
    command -v "$candidate" >/dev/null || continue
    if "$candidate" -std=c++17 -x c++ -fsyntax-only - <<<'#include <string>' >/dev/null 2>&1; then
      compiler=$candidate
      return
    fi
    tried=$candidate
  done
  as_root 'apt-get install -y g++'
  if [[ -n $tried ]]; then
    problem "$tried cannot compile C++17 with the standard library." "$REPLY"
  else
    problem 'no C++ compiler was found (c++, g++, clang++).' "$REPLY"
  fi
}

# The nearest parent of $1 that exists, into REPLY.
existing_parent() {
  REPLY=$1
  while [[ ! -e $REPLY ]]; do REPLY=$(dirname -- "$REPLY"); done
}

check_cache() {
  local reason
  if ! reason=$({ mkdir -p -- "$cache/tensorflow" && : >"$cache/.write-test.$$"; } 2>&1); then
    problem "the cache folder $cache cannot be written: ${reason##*: }." \
      'Give CIFAR10_FAST_CACHE the name of a folder that can be, or repair that one.'
    return 1
  fi
  rm -f -- "$cache/.write-test.$$"
}

# Free MB and the name of the file system of $1, into `free_mb` and `filesystem`.
free_space() {
  existing_parent "$1"
  read -r filesystem free_mb < <(df -Pk -- "$REPLY" 2>/dev/null | awk 'END { print $1 ":" $6, int($4 / 1024) }') ||
    free_mb=
  [[ $free_mb =~ ^[0-9]+$ ]]
}

check_space() {
  local in_cache=0 in_checkout=0 what_cache='' what_checkout='' filesystem free_mb checkout_fs
  packages_ok || in_checkout=$((in_checkout + NEEDS_PACKAGES)) what_checkout+=", npm packages $NEEDS_PACKAGES"
  [[ $with_jupyter == false ]] || jupyter_ok ||
    in_checkout=$((in_checkout + NEEDS_JUPYTER)) what_checkout+=", Jupyter $NEEDS_JUPYTER"
  if ! tensorflow_ok; then
    local size=$NEEDS_CPU
    [[ $variant == cpu ]] || size=$NEEDS_CUDA
    in_cache=$((in_cache + size)) what_cache+=", TensorFlow $size"
  fi
  [[ $with_data == false ]] || data_ok || in_cache=$((in_cache + NEEDS_DATA)) what_cache+=", CIFAR-10 $NEEDS_DATA"

  free_space "$root" || return 0
  checkout_fs=$filesystem
  if free_space "$cache" && [[ $filesystem == "$checkout_fs" ]]; then
    in_cache=$((in_cache + in_checkout)) what_cache+=$what_checkout in_checkout=0
  fi
  ((free_mb >= in_cache)) ||
    problem "$cache has $free_mb MB free, $in_cache MB are needed (${what_cache#, })." \
      'Free some space, or give CIFAR10_FAST_CACHE the name of a folder on a larger disk.'
  ((in_checkout > 0)) || return 0
  free_space "$root" || return 0
  ((free_mb >= in_checkout)) ||
    problem "$root has $free_mb MB free, $in_checkout MB are needed (${what_checkout#, })." \
      'Free some space, or move the checkout to a larger disk.'
}

# Says aloud what keeps the CUDA build from the GPUs that nvidia-smi lists; TensorFlow then runs on the CPU, so it is no
# reason to stop. CUDA 12 wants driver 525.60.13. GPUs that TensorFlow has no code for get theirs from the driver, which has
# to know the intermediate code of CUDA 12.5: R555.
check_gpus() {
  [[ $variant == cuda ]] && command -v nvidia-smi >/dev/null || return 0
  local name capability driver needed=0
  while IFS=, read -r name capability driver; do
    capability=${capability// /} driver=${driver// /}
    [[ $capability =~ ^[0-9]+\.[0-9]+$ && $driver =~ ^[0-9]+\. ]] || continue
    case $capability in
      [1-5].*)
        complain "warning: $name has compute capability $capability; TensorFlow wants 6.0 or later, and will not use it."
        continue
        ;;
      6.* | 7.* | 8.*) needed=525 ;;
      *) needed=555 ;;
    esac
    ((${driver%%.*} >= needed)) ||
      complain "warning: driver $driver of $name is too old for CUDA 12; $needed or later is needed. Until then TensorFlow runs on the CPU." \
        'https://www.nvidia.com/drivers has newer ones; the distribution may, too.'
  done < <(timeout 20 nvidia-smi --query-gpu=name,compute_cap,driver_version --format=csv,noheader 2>/dev/null || true)
}

# Every tool that the missing steps need; all that is wrong is said at once.
step_tools() {
  step_begin 1 tools
  local found
  check_node
  check_machine
  found="Node $node_version"
  if ! tensorflow_ok || { [[ $with_jupyter == true ]] && ! jupyter_ok; }; then
    check_python
    found+=", Python $python_version"
  fi
  if ! packages_ok || ! addon_ok; then
    check_compiler
    [[ -z $compiler ]] || found+=", $compiler $("$compiler" -dumpversion 2>/dev/null || true)"
  fi
  if tensorflow_ok && { [[ $with_data == false ]] || data_ok; } || check_cache; then
    check_space
  fi
  ((problems == 0)) || exit 1
  warn_of_node
  check_gpus
  step_end "$found, $(getconf GNU_LIBC_VERSION)"
}

# ---- 2 Packages ----------------------------------------------------------------------------------------------------

# After `npm install NAME` everything is there: by npm's own record a clean installation would bring the same again.
adopt_packages() {
  [[ -n $node_version && -r node_modules/.package-lock.json ]] && node setup/packages-match.cjs &&
    write_stamp packages "$packages_key"
}

step_packages() {
  step_begin 2 packages "$root/node_modules"
  local options=(--include=dev --ignore-scripts --no-audit --no-fund --no-progress --loglevel=error)
  # npm's own patience without a network is a minute and a half.
  options+=(--fetch-retries=2 --fetch-retry-mintimeout=1000 --fetch-retry-maxtimeout=5000)
  if [[ -n $offline ]]; then
    options+=(--offline)
    [[ ! -d $offline/npm-cache ]] || options+=(--cache "$offline/npm-cache" --logs-max=0)
  fi
  rm -f -- "$stamps/packages" node_modules/.package-lock.json
  quietly npm ci "${options[@]}" || fail_from_log 'npm ci failed' "$root"
  write_stamp packages "$packages_key"
  step_end "$(grep -oE '[0-9]+ packages' "$scratch/log" | head -n 1 || true) from package-lock.json"
}

# ---- 3 TensorFlow --------------------------------------------------------------------------------------------------

# An environment with pip in it. Its stamp says how far it got: bare, begun, or jupyter and what was installed.
make_venv() {
  rm -f -- "$stamps/venv"
  quietly "$python" -m venv --clear "$venv" || fail_from_log "$python could not make the environment $venv" "$root"
  write_stamp venv bare
}

# The user's settings (mirror, proxy, certificates) hold, the user's packages do not. An external command, not a function:
# what the shell has to say on Ctrl-C must not end in the log.
readonly pip=(env PIP_USER=0 PIP_DISABLE_PIP_VERSION_CHECK=1 "$venv/bin/python" -I -m pip --quiet --no-input)

# Waits for another set-up that holds the lock on $2; a file system without locks is no reason to stop.
take_lock() {
  local descriptor=$1 file=$2 name=$3
  command -v flock >/dev/null || return 0
  if [[ $descriptor == 8 ]]; then exec 8>>"$file"; else exec 9>>"$file"; fi
  flock -n "$descriptor" && return 0
  ticker_stop
  printf 'waiting for another set-up of %s to end\n' "$name"
  flock "$descriptor" || true
}

fetch_wheel() {
  local requirement=$1 hash=$2 folder=$3 options=()
  # pip may run under any Python; the addon's library comes from the wheel for 3.11. The nvidia ones fit every Python.
  [[ $requirement != tensorflow* ]] ||
    options=(--implementation cp --python-version 3.11 --platform manylinux_2_27_x86_64)
  printf '%s %s\n' "$requirement" "$hash" >"$scratch/requirement.txt"
  TMPDIR=$folder quietly "${pip[@]}" download --require-hashes --no-deps --no-cache-dir --only-binary=:all: \
    ${options[@]+"${options[@]}"} -d "$folder" -r "$scratch/requirement.txt" ||
    fail_from_log "pip could not fetch ${requirement/==/ }" "$folder"
}

step_tensorflow() {
  local part requirement hash stem files got=0
  part=$(sha256sum <<<"$site_mark")
  part=$cache/tensorflow/.part-$variant-${part:0:12}
  step_begin 3 TensorFlow "$part"
  take_lock 8 "$cache/tensorflow/.lock" "$cache"
  if tensorflow_ok; then
    exec 8>&-
    step_end "$TENSORFLOW for ${variant^^}, from another set-up"
    return
  fi
  [[ -n $python ]] || check_python
  stamp venv
  if [[ -z $REPLY ]] || ! venv_ok; then make_venv; fi

  # What a killed set-up left: wheels unpacked whole are kept, all else goes.
  find "$cache/tensorflow" -mindepth 1 -maxdepth 1 -name ".*-$variant-*" ! -name "${part##*/}" -exec rm -rf -- {} +
  rm -rf -- "$part/.download"
  mkdir -p -- "$part"
  while read -r requirement hash; do
    stem=${requirement/==/-}
    stem=${stem%-*}
    stem=${stem//-/_}-${requirement#*==}
    [[ ! -e $part/.wheels/$stem.sha256 ]] || continue
    if [[ -n $offline ]]; then
      files=("$offline/$stem"-*.whl)
      ((${#files[@]} > 0)) ||
        fail "$offline holds no $stem-*.whl, and ${requirement/==/ } is not in the cache." \
          'docs/setup.md says how to fetch it on a machine with a network.'
    else
      mkdir -p -- "$part/.download"
      fetch_wheel "$requirement" "$hash" "$part/.download"
      files=("$part/.download/$stem"-*.whl)
      got=$((got + $(stat -c %s -- "${files[0]}")))
    fi
    quietly "$venv/bin/python" -I setup/unpack.py "$part" "${hash#--hash=sha256:}" "${files[@]}" || {
      if (($? == 3)); then
        fail "this is not the locked wheel: $(<"$scratch/log")." \
          'It is damaged, cut short, or another build. Fetch it again; nothing of it was kept.'
      fi
      fail_from_log "${files[0]} could not be unpacked" "$part"
    }
    rm -rf -- "$part/.download"
  done <<<"$wheels"

  cat -- "$part"/.wheels/*.sha256 >"$part/.sha256"
  (cd -- "$part" && cut -d' ' -f3- .sha256 | tr '\n' '\0' | xargs -0 stat -c '%s %n' >.sizes)
  rm -rf -- "$part/.wheels"
  printf '%s\n' "$site_mark" >"$part/.lock"
  [[ ! -e $site ]] || mv -- "$site" "$cache/tensorflow/.old-$variant-$$"
  mv -- "$part" "$site"
  rm -rf -- "$cache/tensorflow/.old-$variant-$$"
  exec 8>&-
  step_end "$TENSORFLOW for ${variant^^}, $((got / 1000000)) MB fetched, $(du -sm "$site" | cut -f1) MB in the cache"
}

# ---- 4 Addons ------------------------------------------------------------------------------------------------------

link_tensorflow() {
  local deps=$package/deps
  rm -rf -- "$deps"
  mkdir -p -- "$deps/lib"
  ln -s -- "$site/tensorflow/include" "$deps/include"
  ln -s -- "$site/tensorflow/libtensorflow_cc.so.2" "$site/tensorflow/libtensorflow_framework.so.2" "$deps/lib/"
  if [[ $variant == cuda ]]; then
    # The library looks for CUDA beside the path it was loaded from, not where the link points, and for cuSOLVER only
    # in a folder named tensorrt. Without these two links the GPU is lost without a word.
    ln -s -- "$site/nvidia" "$deps/nvidia"
    ln -s -- "$site/nvidia/cusolver/lib" "$deps/tensorrt"
  fi
}

# One addon for Node into $scratch/addon; the arguments are its name, the way from there to TensorFlow, and what to compile.
compile_addon() {
  local name=$1 way=$2
  quietly "$compiler" -O3 -fPIC -shared -DNAPI_VERSION=8 -I"$package" -I"$package/deps/include" \
    -I"$root/node_modules/node-api-headers/include" -o "$scratch/addon/$name.node" "${@:3}" \
    -L"$scratch/addon" -Wl,--no-as-needed -ltensorflow_cc -ltensorflow_framework -Wl,-z,now -Wl,-rpath,"$way"
}

# Node's C interface is stable and its headers come from npm, so one addon serves every Node. Addons are linked against
# empty libraries that only carry TensorFlow's names: reading the real ones, 0.8 GB, takes the linker ten seconds.
# `-z now` makes a symbol that TensorFlow lacks an error of the self-check.
# shellcheck disable=SC2016  # $ORIGIN is for the loader
build_addons() {
  local build=$scratch/addon name
  mkdir -p -- "$build" "$package/lib/napi-v8"
  for name in libtensorflow_cc libtensorflow_framework; do
    quietly "$compiler" -shared -fPIC -x c -Wl,-soname,"$name.so.2" -o "$build/$name.so" /dev/null || return 1
  done
  compile_addon tfjs_binding '$ORIGIN/../../deps/lib' \
    -std=c++17 "$package/binding/tfjs_backend.cc" "$package/binding/tfjs_binding.cc" || return 1
  compile_addon graph '$ORIGIN/../node_modules/@tensorflow/tfjs-node-gpu/deps/lib' -std=c++17 native/*.cc || return 1
  quietly "$compiler" -O2 -fPIC -shared -I"$root/node_modules/node-api-headers/include" \
    -o "$build/stderr.node" -x c native/stderr.c || return 1
  mv -f -- "$build/tfjs_binding.node" "$package/lib/napi-v8/"
  mv -f -- "$build/stderr.node" "$build/graph.node" native/
}

self_check() {
  local options=() status=0
  [[ $variant == cpu || ${decision#* } == none ]] || ! command -v nvidia-smi >/dev/null || options=(--gpu)
  TMPDIR=$scratch node setup/self-check.cjs ${options[@]+"${options[@]}"} >"$scratch/said" 2>"$scratch/log" || status=$?
  case $status in
    0) ;;
    4)
      complain 'warning: nvidia-smi is here, but TensorFlow found no GPU that it can use; it will run on the CPU.' \
        "$(grep -viE 'cpu_feature|oneDNN|absl' "$scratch/log" | tail -n 9)" \
        './kernel-setup.sh --check --deep shows what was loaded; --cpu sets up without CUDA and ends this warning.'
      ;;
    *)
      cat -- "$scratch"/cifar10-fast-*/stderr </dev/null >>"$scratch/log" 2>/dev/null || true
      ((status != 132)) || complain 'the processor met an instruction that it does not have.'
      fail 'the self-check of TensorFlow failed:' "$(tail -n 12 "$scratch/log")" \
        './kernel-setup.sh --check --deep compares every library file with its hash.'
      ;;
  esac
}

step_addons() {
  step_begin 4 addons
  local built=linked
  rm -f -- "$stamps/self-check"
  links_ok || link_tensorflow
  if ! addon_ok; then
    rm -f -- "$stamps/addon"
    [[ -n $compiler ]] || check_compiler
    build_addons || fail_from_log "$compiler could not build the addons" "$root"
    write_stamp addon "$addon_key"
    built='built and linked'
  fi
  self_check
  self_check_ok || write_stamp self-check "$self_check_key"
  step_end "$built; $(<"$scratch/said")"
}

# ---- 5 Library -----------------------------------------------------------------------------------------------------

step_library() {
  step_begin 5 library
  local output name
  rm -f -- "$stamps/library"
  # A source that is gone must not live on in dist; and without its output the compiler's memory is wrong.
  if [[ -d dist ]]; then
    while IFS= read -r output; do
      name=${output#dist/}
      name=${name%.js}
      [[ -e src/$name.ts ]] || rm -f -- "dist/$name.js" "dist/$name.d.ts"
    done < <(find dist -name '*.js')
    [[ -e dist/cli/main.js ]] || rm -f -- dist/.tsbuildinfo
  fi
  quietly node node_modules/typescript/lib/tsc.js -p tsconfig.json || {
    fail 'the library does not compile:' "$(head -n 8 "$scratch/log")" 'npm run types shows all errors.'
  }
  chmod +x dist/cli/main.js
  mkdir -p node_modules/.bin
  ln -sfn ../../dist/cli/main.js node_modules/.bin/cifar10-fast
  ln -sfn .. node_modules/cifar10-fast
  write_stamp library "$library_key"
  step_end 'src/ compiled into dist/; linked as cifar10-fast'
}

# ---- 6 Data --------------------------------------------------------------------------------------------------------

step_data() {
  step_begin 6 data "$cache/$BATCHES"
  rm -f -- "$stamps/data"
  if [[ -z $offline ]]; then
    quietly node dist/cli/main.js data || no_data
  elif ! quietly node dist/cli/main.js data --offline; then
    # shellcheck disable=SC2016  # JavaScript
    quietly node -e '
      const { fetchCifar10 } = require("./dist/data/download.js");
      fetchCifar10({ dataDir: process.argv[1] }).catch((error) => {
        console.error(error.message);
        process.exitCode = 1;
      });' "$offline" || no_data
  fi
  (cd -- "$cache/$BATCHES" && stat -c '%s %Y %n' data_batch_{1..5}.bin test_batch.bin) >"$stamps/data.new"
  mv -f -- "$stamps/data.new" "$stamps/data"
  step_end 'CIFAR-10: 60,000 images, each file as hashed'
}

no_data() {
  fail 'CIFAR-10 could not be fetched and verified:' "$(tail -n 8 "$scratch/log")" \
    'With its files in a folder: ./kernel-setup.sh --offline DIR. Without it: ./kernel-setup.sh --no-data.'
}

# ---- 7 Jupyter -----------------------------------------------------------------------------------------------------

step_jupyter() {
  step_begin 7 Jupyter "$venv"
  local options=()
  hash_of setup/lock-jupyter.txt
  stamp venv
  if [[ $REPLY != "$jupyter_key" ]] || ! venv_ok || [[ ! -x $venv/bin/jupyter ]]; then
    [[ -n $python ]] || check_python
    if [[ $REPLY != bare ]] || ! venv_ok; then make_venv; fi
    [[ -z $offline ]] || options=(--no-index --find-links "$offline")
    write_stamp venv begun
    TMPDIR=$scratch quietly "${pip[@]}" install --require-hashes --no-deps --only-binary=:all: --no-warn-script-location \
      ${options[@]+"${options[@]}"} -r setup/lock-jupyter.txt ||
      fail_from_log 'pip could not install Jupyter' "$root"
  fi
  kernel_json
  mkdir -p -- "$kernelspec"
  cp -- setup/kernel/logo-* "$kernelspec/"
  printf '%s\n' "$REPLY" >"$kernelspec/kernel.json.new"
  mv -f -- "$kernelspec/kernel.json.new" "$kernelspec/kernel.json"
  write_stamp venv "$jupyter_key"
  step_end "JupyterLab in .venv, kernel \"TypeScript (cifar10-fast)\""
}

# ---- Modes ---------------------------------------------------------------------------------------------------------

check() {
  survey
  if ((${#missing[@]} > 0)); then
    printf 'missing: %s\n' "${missing[@]}"
    printf './kernel-setup.sh sets it up.\n'
    exit 1
  fi
  if [[ $deep == true ]]; then
    (cd -- "$site" && sha256sum --check --quiet .sha256) ||
      fail "files of $site are not what was unpacked." "rm -r '$site' && ./kernel-setup.sh   (fetches them again)"
    printf 'files: %s in %s, each as hashed\n' "$(wc -l <"$site/.sha256")" "$site"
    node setup/self-check.cjs --deep || exit 1
  fi
  warn_of_node
  summary
  printf 'set up: %s\n' "$REPLY"
}

# Only what set-up made: by name, and never the folder that CIFAR10_FAST_CACHE names with whatever else is in it.
clean() {
  local path size total=0 found=()
  mkdir -p -- "$stamps"
  take_lock 9 "$stamps/lock" "$root"
  for path in "$root/node_modules" "$venv" "$root/dist" "$root"/native/*.node "$stamps" \
    "$cache/tensorflow" "$cache/$BATCHES"; do
    [[ -e $path || -L $path ]] || continue
    size=$(du -sm -- "$path" | cut -f1)
    printf '%7d MB  %s\n' "$size" "$path"
    total=$((total + size))
    found+=("$path")
  done
  printf '%7d MB  in all; other checkouts fetch again what they shared in the cache\n' "$total"
  rm -rf -- "${found[@]}"
  rmdir -- "$cache" 2>/dev/null || true
  printf 'removed\n'
}

finish() {
  local status=$?
  ticker_stop
  [[ $owns_scratch == false ]] || rm -rf -- "$scratch"
  exit "$status"
}

interrupted() {
  complain 'interrupted; start ./kernel-setup.sh again, it goes on where it stopped.'
  exit "$1"
}

install() {
  local what
  survey
  if ((${#missing[@]} == 0)); then
    stamp variant
    [[ $REPLY == "$decision" ]] || write_stamp variant "$decision"
    summary
    printf 'set up: %s; nothing to do\n' "$REPLY"
    return
  fi
  mkdir -p -- "$stamps" 2>/dev/null || true
  [[ -w $stamps ]] ||
    fail "the checkout $root cannot be written." 'Set it up as the user who owns it, or clone it to a folder of your own.'
  take_lock 9 "$stamps/lock" "$root"
  owns_scratch=true
  rm -rf -- "$scratch"
  mkdir -- "$scratch"

  packages_ok || adopt_packages || true
  step_tools
  write_stamp variant "$decision"
  packages_ok || step_packages
  tensorflow_ok || step_tensorflow
  { addon_ok && self_check_ok; } || step_addons
  library_ok || step_library
  [[ $with_data == false ]] || data_ok || step_data
  [[ $with_jupyter == false ]] || jupyter_ok || step_jupyter
  summary
  what=$REPLY
  since "$began"
  printf 'set up: %s, in %s s\n' "$what" "$REPLY"
}

owns_scratch=false
trap finish EXIT
trap 'interrupted 130' INT
trap 'interrupted 143' TERM
trap 'interrupted 129' HUP

find_node
decide_variant
"$mode"
