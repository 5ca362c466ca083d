#!/bin/sh
# Locks requirements/*.in into *.txt, for every Python that the project supports. Needs `uv`
# (pip install uv). The versions already locked are kept unless this is called with --upgrade.
set -eu
cd "$(dirname -- "$0")"
for name in play gui test check train; do
  command="uv pip compile --universal --python-version 3.11 --no-header --no-annotate $name.in"
  {
    printf '# Locked by requirements/lock.sh; do not edit:\n#   %s -o %s.txt\n' "$command" "$name"
    # shellcheck disable=SC2086
    [ ! -f "$name.txt" ] || cp "$name.txt" "$name.tmp"
    $command -q -o "$name.tmp" "$@" >&2
    cat "$name.tmp"
    # Without CUDA's packages, which a universal lock would list (see train.in).
    [ "$name" != train ] || echo 'torch==2.13.0'
  } >"$name.new"
  rm -f "$name.tmp"
  mv "$name.new" "$name.txt"
done
