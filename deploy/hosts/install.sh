#!/bin/sh
# install.sh PART…: each part below /opt/slicewire, its unit, and what of /etc/slicewire is not there yet. As root.
# Run again, it upgrades. PART is nats, discovery, allocator, node-prep.
set -eu
[ $# -gt 0 ] || { sed -n '2,3s/^# //p' "$0" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "/etc/slicewire" "/opt/slicewire" "/etc/systemd/system"
for part in "$@"; do
    [ -f "$here/slicewire-$part.service" ] || { echo "install.sh: no unit for part $part" >&2; exit 2; }
    "$here/../install-part.sh" "$part" "/opt/slicewire/$part"
    cp "$here/slicewire-$part.service" "/etc/systemd/system/"
done
cp "$here/slicewire.target" "/etc/systemd/system/"
for file in slicewire.env nats.conf; do
    [ -f "/etc/slicewire/$file" ] || cp "$here/$file" "/etc/slicewire/"
done
systemctl daemon-reload
for part in "$@"; do systemctl enable --quiet "slicewire-$part.service"; done
systemctl enable --quiet slicewire.target
systemctl restart slicewire.target
