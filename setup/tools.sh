#!/usr/bin/env bash
#
# Looks for the tools that set-up needs. kernel-setup.sh sources this file, because it runs without Node;
# setup/steps/tools.mjs runs it: bash setup/tools.sh [npm] [machine] [python] [compiler].
# Prints what it found on standard output, one line each, with tabs between the fields: `python VERSION PATH`,
# `compiler VERSION PATH [ARGUMENT…]`, `libc VERSION`.
# Reports every problem on standard error and exits with 1 if there was one.
set -euo pipefail

readonly CPUINFO=${KERNEL_SETUP_CPUINFO:-/proc/cpuinfo}

problems=0
# The first argument says what is wrong, the second how to repair it.
problem() {
  printf 'kernel-setup: %s\n  %s\n' "$1" "$2" >&2
  problems=$((problems + 1))
}

as_root() {
  if ((EUID == 0)); then REPLY=$1; else REPLY="sudo $1"; fi
}

node_version=
find_node() {
  node_version=$(node --version 2>/dev/null) || node_version=
  node_version=${node_version#v}
}

node_is_old() {
  local major minor
  IFS=. read -r major minor _ <<<"$node_version"
  ((major < 20 || (major == 20 && minor < 19)))
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
  else
    problem "Node $node_version is too old; 20.19 or later is needed." "$repair"
  fi
}

check_npm() {
  command -v npm >/dev/null && return
  as_root 'apt-get install -y npm'
  problem 'npm was not found (Debian ships it in a package of its own).' "$REPLY"
}

check_machine() {
  local system machine libc version
  system=$(uname -s) machine=$(uname -m)
  if [[ $system != Linux || $machine != x86_64 ]]; then
    problem "this is $system on $machine; TensorFlow's library runs on Linux on x86_64 only." \
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
  else
    printf 'libc\t%s\n' "$version"
  fi
  if [[ -r $CPUINFO ]] && ! grep -qw avx "$CPUINFO"; then
    problem "this processor (or virtual machine) has no AVX, which TensorFlow's library is compiled for." \
      'Use a machine with AVX; in a virtual machine, pass the host processor through (QEMU: -cpu host).'
  fi
}

# The absolute path of a program, in REPLY; fails if there is none.
find_program() {
  REPLY=$(type -P -- "$1") || return 1
  [[ $REPLY == /* ]] || REPLY=$PWD/$REPLY
}

check_python() {
  local candidate answer found='' which='' repair
  local candidates=(python3 python3.14 python3.13 python3.12 python3.11 python3.10 python3.9)
  as_root 'apt-get install -y python3 python3-venv'
  repair=$REPLY
  if [[ -n ${PYTHON:-} ]]; then
    candidates=("$PYTHON")
    which=" (PYTHON is \"$PYTHON\")"
    repair='Set PYTHON to a Python 3.9 or later that has the module venv, or unset it.'
  fi
  for candidate in "${candidates[@]}"; do
    find_program "$candidate" || continue
    answer=$("$REPLY" -I -c '
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
      printf 'python\t%s\t%s\n' "${answer% *}" "$REPLY"
      return
    fi
    # A new enough Python that lacks a package is easier to repair than an old one.
    [[ -n $found && $answer != *' bare' ]] || found=$answer
  done
  case $found${which:+ set} in
    ' set') problem "PYTHON is \"$PYTHON\", which is not a Python 3; 3.9 or later is needed." "$repair" ;;
    *' bare'*) problem "Python ${found% *} has no venv module (Debian ships it in a package of its own)$which." "$repair" ;;
    *' old'*) problem "Python ${found% *} is too old; 3.9 or later is needed$which." "$repair" ;;
    *) problem "Python 3 was not found; 3.9 or later is needed (it fetches TensorFlow and runs Jupyter)." "$repair" ;;
  esac
}

check_compiler() {
  local candidate command tried='' which='' repair
  local candidates=(c++ g++ clang++)
  as_root 'apt-get install -y g++'
  repair=$REPLY
  if [[ -n ${CXX:-} ]]; then
    candidates=("$CXX")
    which=" (CXX is \"$CXX\")"
    repair='Set CXX to a compiler of C++17, with arguments if it needs any, or unset it.'
  fi
  for candidate in "${candidates[@]}"; do
    command=("$candidate")
    # As in make, CXX may be a program with arguments.
    find_program "$candidate" || read -ra command <<<"$candidate"
    find_program "${command[0]-}" || continue
    command[0]=$REPLY
    if "${command[@]}" -std=c++17 -x c++ -fsyntax-only - <<<'#include <string>' >/dev/null 2>&1; then
      printf 'compiler\t%s' "$("${command[@]}" -dumpversion 2>/dev/null || true)"
      printf '\t%s' "${command[@]}"
      printf '\n'
      return
    fi
    tried=$candidate
  done
  if [[ -n $tried ]]; then
    problem "$tried cannot compile C++17 with the standard library$which." "$repair"
  else
    problem "no C++ compiler was found${which:- (c++, g++, clang++)}." "$repair"
  fi
}

check_tools() {
  local tool
  for tool in "$@"; do "check_$tool"; done
  ((problems == 0))
}

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then check_tools "$@"; fi
