#!/bin/sh
# remove.sh [--state]: everything that install.sh put here. What the parts remember stays, unless --state. As root.
# Containers that run keep their devices.
set -eu
systemctl disable --now slicewire.target slicewire-nats.service slicewire-discovery.service \
    slicewire-allocator.service slicewire-node-prep.service 2>/dev/null || true
rm -rf /opt/slicewire /etc/systemd/system/slicewire.target /etc/systemd/system/slicewire-*.service
systemctl daemon-reload
if [ "${1:-}" = --state ]; then
    rm -rf /etc/slicewire /var/lib/slicewire-* /var/lib/private/slicewire-* /run/cdi/k8s.gpu.nvidia.com-claim_*.json
fi
