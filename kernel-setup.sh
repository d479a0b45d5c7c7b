#!/usr/bin/env bash
#
# Sets up what cifar10-fast needs: npm packages, TensorFlow's C++ library, the addons for Node, the compiled library,
# CIFAR-10, and Jupyter with the TypeScript kernel. `./kernel-setup.sh --help` lists the options; docs/setup.md says where
# everything is stored and how to repair each failure.
#
# This script only looks for Node. With Node, setup/main.mjs does the work. Without it, this script names every tool that
# is missing and ends.
set -euo pipefail
export LC_ALL=C
unset CDPATH POSIXLY_CORRECT

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=setup/tools.sh
source "$root/setup/tools.sh"

find_node
if [[ -n $node_version ]] && ! node_is_old; then
  exec node "$root/setup/main.mjs" "$@"
fi

case " $* " in
  *' --help '* | *' -h '*)
    cat -- "$root/setup/usage.txt"
    exit 0
    ;;
  *' --check '*)
    printf 'missing: Node: %s; 20.19 or later is needed\n' "${node_version:-none found}"
    exit 1
    ;;
esac
check_tools node machine python compiler >/dev/null || exit 1
