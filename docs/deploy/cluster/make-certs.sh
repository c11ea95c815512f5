#!/bin/sh
# Makes the certificates of a cluster with openssl:
#
#   ./make-certs.sh DIR [SERVER…]      SERVER: names of the NATS servers (nats-a nats-b nats-c)
#
#   DIR/ca.crt  ca.key         the authority. Keep ca.key away from all three machines.
#   DIR/SERVER.crt  .key       a NATS server, for its clients and its routes
#   DIR/ROLE.crt  .key         a stage, or who runs commands: operator, importer
#
# What is there is kept, never overwritten: run it again for what is missing. To renew
# a certificate delete its .crt and run it again; the key stays. CERT_DAYS is how long
# a new one is good for (397), CA_DAYS how long the authority is (3650).
set -eu
umask 077 # keys are their owner's alone

if [ $# -eq 0 ]; then
  echo "usage: $0 DIR [SERVER…]" >&2
  exit 64
fi
command -v openssl >/dev/null || { echo "$0: openssl is not installed" >&2; exit 1; }
dir=$1
shift
[ $# -gt 0 ] || set -- nats-a nats-b nats-c
roles="gateway ingester writer reqworker monitor negentropy operator importer"
mkdir -p "$dir"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# run is quiet unless it fails.
run() {
  "$@" >"$scratch/said" 2>&1 || { cat "$scratch/said" >&2; exit 1; }
}

# make_key NAME
make_key() {
  [ -e "$dir/$1.key" ] && return
  run openssl ecparam -name prime256v1 -genkey -noout -out "$scratch/key"
  mv "$scratch/key" "$dir/$1.key"
}

# make_authority
make_authority() {
  [ -e "$dir/ca.crt" ] && { echo "kept $dir/ca.crt"; return; }
  make_key ca
  run openssl req -x509 -new -key "$dir/ca.key" -subj "/CN=Rhea's bus" -days "${CA_DAYS:-3650}" -sha256 \
    -addext "basicConstraints=critical,CA:TRUE,pathlen:0" -addext "keyUsage=critical,keyCertSign,cRLSign" -out "$scratch/crt"
  mv "$scratch/crt" "$dir/ca.crt"
  echo "made $dir/ca.crt"
}

# make_cert NAME EXTENSIONS
make_cert() {
  [ -e "$dir/$1.crt" ] && { echo "kept $dir/$1.crt"; return; }
  make_key "$1"
  printf 'basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\n%s\n' "$2" >"$scratch/extensions"
  run openssl req -new -key "$dir/$1.key" -subj "/CN=$1" -out "$scratch/request"
  run openssl x509 -req -in "$scratch/request" -CA "$dir/ca.crt" -CAkey "$dir/ca.key" -set_serial "0x$(openssl rand -hex 16)" \
    -days "${CERT_DAYS:-397}" -sha256 -extfile "$scratch/extensions" -out "$scratch/crt"
  mv "$scratch/crt" "$dir/$1.crt"
  echo "made $dir/$1.crt"
}

make_authority
for server; do
  make_cert "$server" "extendedKeyUsage=serverAuth,clientAuth
subjectAltName=DNS:$server"
done
for role in $roles; do
  make_cert "$role" "extendedKeyUsage=clientAuth"
done
chmod 644 "$dir"/*.crt
