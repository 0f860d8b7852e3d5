#!/bin/sh
# install.sh PART…: each part below /opt/slicewire, its unit, and what of /etc/slicewire is not there yet. As root.
# Run again, it upgrades. PART is nats, discovery, allocator, node-prep.
# Killed at any moment, it leaves the version of before, or the new one; run again, it finishes.
set -eu
[ $# -gt 0 ] || { sed -n '2,4s/^# //p' "$0" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
for part in "$@"; do
    [ -f "$here/slicewire-$part.service" ] || { echo "install.sh: no unit for part $part" >&2; exit 2; }
done
mkdir -p "/etc/slicewire" "/opt/slicewire/versions" "/etc/systemd/system"
for part in "$@"; do
    # A folder of its own for each version: its programs name it in their first line, so it can never be moved.
    new=/opt/slicewire/versions/$part.$(date +%s).$$
    "$here/../install-part.sh" "$part" "$new"
    ln -s "$new" "$new.link"
    mv -T "$new.link" "/opt/slicewire/$part"
    cp "$here/slicewire-$part.service" "/etc/systemd/system/"
done
cp "$here/slicewire.target" "/etc/systemd/system/"
for file in slicewire.env nats.conf; do
    [ -f "/etc/slicewire/$file" ] || { cp "$here/$file" "/etc/slicewire/$file.new" && mv "/etc/slicewire/$file.new" "/etc/slicewire/$file"; }
done
systemctl daemon-reload
for part in "$@"; do systemctl enable --quiet "slicewire-$part.service"; done
systemctl enable --quiet slicewire.target
systemctl restart slicewire.target
for part in "$@"; do
    now=$(readlink "/opt/slicewire/$part")
    for old in "/opt/slicewire/versions/$part".*; do
        [ "$old" = "$now" ] || rm -rf "$old"
    done
done
