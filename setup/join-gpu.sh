#!/usr/bin/env bash
#
# Unpacks the parts that `npm run pack:gpu` has written: bash join.sh TARGET, in the folder of the parts. The parts may arrive
# one at a time: each call lists what is missing, and unpacks once all are there. Without NVIDIA's parts, this machine's NVIDIA
# libraries are linked under the names that TensorFlow opens, whatever their version. Needs bash, and xz or Python 3.
# Afterwards: source TARGET/env.sh, then node bench/gpu.mjs in TARGET/cifar10-fast.
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
(($# == 1)) || {
  echo 'usage: bash join.sh TARGET' >&2
  exit 2
}
mkdir -p -- "$1"
target=$(cd -- "$1" && pwd -P)

missing=()
has_nvidia=false
while read -r _ name; do
  [[ $name != nvidia.* ]] || has_nvidia=true
  [[ -s $here/$name ]] || missing+=("$name")
done <"$here/SHA256SUMS"
base_missing=()
for name in ${missing[@]+"${missing[@]}"}; do
  [[ $name == nvidia.* ]] || base_missing+=("$name")
done
if ((${#base_missing[@]} > 0)); then
  echo "join: missing ${base_missing[*]}" >&2
  exit 1
fi
# NVIDIA's parts count only when all of them are there.
((${#missing[@]} == 0)) || has_nvidia=false
(cd -- "$here" && for name in base.* nvidia.*; do
  [[ ! -e $name ]] || [[ $name == nvidia.* && $has_nvidia == false ]] || grep -F "  $name" SHA256SUMS
done | sha256sum --check --quiet) || {
  echo 'join: the parts listed above are corrupt; copy them again.' >&2
  exit 1
}

unpack() {
  if command -v xz >/dev/null; then
    cat "$here/$1".* | xz -dc -T0 | tar -C "$target" -xf -
  else
    cat "$here/$1".* | python3 -c '
import sys, tarfile
with tarfile.open(fileobj=sys.stdin.buffer, mode="r|xz") as archive:
    archive.extractall(sys.argv[1])' "$target"
  fi
}

unpack base
path=
if [[ $has_nvidia == true ]]; then
  unpack nvidia
else
  # The libraries that TensorFlow opens, and the folder of each.
  site=$(python3 -c 'import os, nvidia; print(list(nvidia.__path__)[0])' 2>/dev/null) || site=/nonexistent
  mkdir -p -- "$target/nvidia"
  cp -R -- "$target/runtime/cuda_runtime" "$target/nvidia/"
  while read -r folder name; do
    stem=${name%%.so*}.so
    found=$({
      find -L "$site" /usr/local/cuda/lib64 /usr/local/cuda/targets -name "$stem.*" 2>/dev/null || true
      # Users other than root rarely have its folder on the PATH.
      { PATH="$PATH:/sbin:/usr/sbin" ldconfig -p 2>/dev/null || true; } | awk -v stem="$stem." 'index($1, stem) == 1 { print $NF }'
    } | awk -F/ '{ print length($NF), $0 }' | sort -n | head -n 1 | cut -d' ' -f2-)
    if [[ -z $found ]]; then
      echo "join: this machine has no $stem; copy NVIDIA's parts as well." >&2
      continue
    fi
    mkdir -p -- "$target/nvidia/$folder/lib"
    ln -sfn -- "$found" "$target/nvidia/$folder/lib/$name"
    path+=${path:+:}$(dirname -- "$found")
    echo "join: $name is $found"
  done <<'LIBRARIES'
cublas libcublas.so.12
cublas libcublasLt.so.12
cufft libcufft.so.11
cusolver libcusolver.so.11
cusparse libcusparse.so.12
cudnn libcudnn.so.9
nvjitlink libnvJitLink.so.12
LIBRARIES
  # The compiler that XLA calls.
  for compiler in /usr/local/cuda "$site/cu13" "$site/cuda_nvcc"; do
    [[ ! -x $compiler/bin/ptxas ]] || {
      ln -sfn -- "$compiler" "$target/nvidia/cuda_nvcc"
      break
    }
  done
fi
{
  printf 'export PATH=%q:$PATH\n' "$target/bin"
  printf 'export CIFAR10_FAST_CACHE=%q\n' "$target/cache"
  [[ -z $path ]] || printf 'export LD_LIBRARY_PATH=%q${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}\n' "$path"
} >"$target/env.sh"
echo "join: ready; source $target/env.sh && cd $target/cifar10-fast && node bench/gpu.mjs --part speed"
