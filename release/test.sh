#!/usr/bin/env bash
# Runs the archive of a release as its users get it: `release/test.sh FOLDER-OF-THE-RELEASE`. As root: the plugin runs in an empty folder that is its root.
# Needs bash, python3, kubectl and chroot. Prints a line for each thing that holds, and fails at the first that does not.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd -P)
root=$(dirname "$here")
release=$(cd "${1:?the folder of the release}" && pwd -P)
work=$(mktemp -d)
network=
cleanup() {
    [[ -z $network ]] || kill "$network" 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT
ok() { echo "ok: $*"; }
die() { echo "failed: $*" >&2; exit 1; }

(cd "$release" && sha256sum --quiet --check SHA256SUMS)
ok "checksums"
archive=$(basename "$release"/kubectl-kyma-istio-*-linux-amd64.tar.gz)
name=${archive%.tar.gz}
tar --extract --gzip --file "$release/$archive" --directory "$work"
folder=$work/$name
for file in kubectl-kyma_istio kubectl_complete-kyma_istio LICENSE NOTICE man/kubectl-kyma_istio-filter-simulate.1 completions/kubectl-kyma_istio.zsh; do
    [[ -s $folder/$file ]] || die "the archive has no $file"
done
(($(stat -c %s "$folder/kubectl-kyma_istio") <= 30 * 1024 * 1024)) || die "the plugin has more than 30 MiB"
ok "the archive's files; the plugin has $(stat -c %s "$folder/kubectl-kyma_istio") bytes"

# The folder holds the plugin, a policy and, for DNS, resolv.conf: no libc, no /etc/ssl, no /proc, no /dev.
empty=$work/empty
mkdir -p "$empty/etc"
install -m 755 "$folder/kubectl-kyma_istio" "$empty/kubectl-kyma_istio"
cp "$root/examples/shop.yaml" "$empty/shop.yaml"
chroot=$(PATH=$PATH:/usr/sbin:/sbin command -v chroot)
inside() { env -i "$chroot" "$empty" /kubectl-kyma_istio "$@"; }

inside version | tee "$work/version"
digest=$(sha256sum "$release"/header-policy-*.wasm | cut -d ' ' -f 1)
grep -q "sha256:$digest" "$work/version" || die "version names another filter than the release's"
grep -Eq '^commit +[0-9a-f]{40}(-modified)?$' "$work/version" || die "version names no commit"
ok "version in an empty root"

# shop.yaml asks for a token: without one a request is denied, which is exit code 1.
status=0
inside filter simulate --policy /shop.yaml --xff 203.0.113.9 --peer 198.51.100.7 --path /cart -o json >"$work/simulated" || status=$?
if [[ $status != 1 ]] || ! grep -q '"engine": "wasm"' "$work/simulated" || ! grep -q '"reason": "MissingToken"' "$work/simulated"; then
    die "filter simulate: exit code $status: $(cat "$work/simulated")"
fi
ok "filter simulate in an empty root"

# A name is resolved by what resolv.conf names, on loopback: the plugin then connects to what it got.
python3 "$here/network.py" "$work/asked" &
network=$!
for _ in $(seq 50); do [[ -s $work/asked ]] && break; sleep 0.1; done
look() { inside filter inspect registry.release.test:1/filter:1 --plain-http 2>&1 || true; }
echo 'nameserver 127.0.0.53' >"$empty/etc/resolv.conf"
look >"$work/without"
! grep -q 'registry.release.test' "$work/asked" || die "somebody else's name server was asked"
echo 'nameserver 127.0.0.77' >"$empty/etc/resolv.conf"
look >"$work/with"
grep -q 'registry.release.test' "$work/asked" || die "resolv.conf's name server was not asked: $(cat "$work/with")"
grep -q 'refused' "$work/with" || die "the address of the answer was not used: $(cat "$work/with")"
ok "DNS in an empty root"

# Where there is no store of root certificates, the error says so.
inside filter inspect registry.release.test:8443/filter:1 >"$work/tls" 2>&1 || true
grep -q 'No CA certificates' "$work/tls" || die "without root certificates: $(cat "$work/tls")"
ok "no root certificates, and the error says so"

# An empty home, the archive's folder in PATH: Tab completes in bash, through kubectl too.
command -v kubectl >/dev/null || die "no kubectl in PATH, which the test of its completion calls (scripts/go-tools.sh kubernetes builds one)"
mkdir "$work/home"
status=0
env -i HOME="$work/home" PATH="$folder:$PATH" TERM=dumb python3 "$here/tab.py" "$folder" || status=$?
[[ $status == 0 ]] || die "completion in bash"
found=$(cd "$work/home" && env -i HOME="$work/home" PATH="$folder:$PATH" kubectl __complete kyma-istio ins 2>/dev/null)
[[ $found == install$'\t'* && $found == *:4 ]] || die "kubectl __complete kyma-istio ins: $found"
ok "kubectl completes the plugin"

# The layout of the filter holds what it names.
mkdir "$work/layout"
tar --extract --gzip --file "$release"/header-policy-*.oci.tar.gz --directory "$work/layout"
grep -q '"imageLayoutVersion"' "$work/layout/oci-layout" || die "no oci-layout"
(cd "$work/layout/blobs/sha256" && for blob in *; do echo "$blob  $blob"; done | sha256sum --quiet --check)
ok "the filter's OCI layout"
python3 "$here/krew_rules.py" "$release/kyma-istio.yaml" "$release/$archive"
ok "krew's rules"
echo "release: everything holds"
