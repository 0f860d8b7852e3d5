#!/bin/sh
# install-part.sh PART TARGET: one part, and nothing it does not use, in a Python environment of its own.
# PART is discovery, allocator, node-prep, publisher, or nats (the server). Images and hosts are made by this.
# Every package is pinned and hashed (deploy/locks); the same sources give the same bytes.
set -eu
[ $# -eq 2 ] || { sed -n '2,4s/^# //p' "$0" >&2; exit 2; }
part=$1 target=$2 python=${PYTHON:-python3}
here=$(cd "$(dirname "$0")/.." && pwd)
lock=$here/deploy/locks/$part.lock
[ -f "$lock" ] || { echo "install-part.sh: no part $part; there are$(cd "$here/deploy/locks" && ls ./*.lock | sed 's,^./, ,;s,.lock$,,' | tr -d '\n')" >&2; exit 2; }
build=$target.build
rm -rf "$target" "$build"
trap 'rm -rf "$build"' EXIT

"$python" -m venv "$build/builder"
"$python" -m venv --without-pip "$target"
pip() { "$build/builder/bin/pip" --disable-pip-version-check --no-input "$@"; }
wheel() { PATH="$build/builder/bin:$PATH" pip wheel -q --no-deps --no-build-isolation -w "$build/wheels" "$@"; }
into() { pip --python "$target/bin/python" install -q --no-deps --no-compile --no-index --find-links "$build/wheels" "$@"; }

pip install -q --no-deps --require-hashes --only-binary :all: -r "$here/deploy/locks/build.lock"
# Nobody publishes a wheel of nkeys: it is built here, from the source that its hash names.
wheel --require-hashes --only-binary :all: --no-binary nkeys -r "$lock"
sed -n 's/^\([A-Za-z0-9].*[^ \\]\) *\\*$/\1/p' "$lock" > "$build/packages"
if [ "$part" != nats ]; then
    for distribution in libs/common "services/$part"; do
        mkdir -p "$build/$distribution"
        cp -r "$here/$distribution/pyproject.toml" "$here/$distribution/src" "$build/$distribution"
        wheel "$build/$distribution"
    done
    printf '%s\n' slicewire-common "slicewire-$part" >> "$build/packages"
fi
into -r "$build/packages"
# Compiled by content, not by time: a read-only environment starts as fast, and is the same bytes each time.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-0} "$target/bin/python" -m compileall -q -j 0 --invalidation-mode unchecked-hash "$target/lib"
# Better now than on the node: a base without libstdc++, or too old for a package, ends here.
case $part in nats) program=nats-server ask=--version ;; *) program=slicewire-$part ask=--help ;; esac
PYTHONDONTWRITEBYTECODE=1 "$target/bin/$program" $ask >/dev/null
find "$target" -exec touch -h -d "@${SOURCE_DATE_EPOCH:-0}" {} +
