#!/bin/sh
# Makes what the bus needs to be trusted: an authority, a certificate for its servers, a password for each part.
# Run again, it makes new ones; then restart: kubectl rollout restart statefulset,deployment -n slicewire-system
# The authority's key is thrown away: it signs one certificate, for ten years.
set -eu
system=slicewire-system nodes=slicewire-nodes
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj /CN=slicewire-bus \
    -addext keyUsage=critical,keyCertSign -keyout ca.key -out ca.crt 2>/dev/null
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=slicewire-nats -keyout tls.key -out tls.csr 2>/dev/null
printf 'extendedKeyUsage=serverAuth,clientAuth\nsubjectAltName=%s\n' \
    "DNS:slicewire-nats.$system.svc,DNS:slicewire-nats.$system,DNS:slicewire-nats,DNS:*.slicewire-nats-servers.$system.svc,DNS:localhost,IP:127.0.0.1" > names
openssl x509 -req -in tls.csr -CA ca.crt -CAkey ca.key -days 3650 -extfile names -out tls.crt 2>/dev/null

for part in discovery node-prep allocator publisher operator; do
    printf 'p%s' "$(openssl rand -hex 24)" > "$part"   # begins with a letter: the server reads `1e5` as a number
done
apply() { "$@" --dry-run=client -o yaml | kubectl apply -f -; }
for namespace in $system $nodes; do
    kubectl get namespace $namespace >/dev/null 2>&1 || kubectl create namespace $namespace
    apply kubectl create configmap slicewire-bus-authority -n $namespace --from-file=ca.crt
done
apply kubectl create secret generic slicewire-nats-tls -n $system --from-file=tls.crt --from-file=tls.key --from-file=ca.crt
apply kubectl create secret generic slicewire-bus -n $system \
    --from-file=discovery --from-file=node-prep --from-file=allocator --from-file=publisher --from-file=operator
apply kubectl create secret generic slicewire-bus -n $nodes --from-file=discovery --from-file=node-prep
