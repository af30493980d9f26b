#!/usr/bin/env bash
# Prints the folder of a small Debian: the root of the node and the base of the Istio images. Made by debootstrap, needs root.
set -euo pipefail
# shellcheck source=lab/kind/common.sh
. "$(dirname "$0")/common.sh"

suite=bookworm
# systemd and what kubelet, kubeadm, kube-proxy and Istio's iptables rules call; runc runs the pods.
packages=systemd,systemd-sysv,dbus,conntrack,iptables,nftables,ipset,iproute2,ethtool,util-linux,mount,kmod,libseccomp2,pigz
packages+=,bash,ca-certificates,curl,jq,procps,runc,socat,hostname

home="$state/root-$(fingerprint "$kind_dir/root.sh")"
if [[ ! -d "$home" ]]; then
    mkdir -p "$state"
    work=$(mktemp -d "$state/.root.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    say "debootstrap: $suite"
    debootstrap --variant=minbase --include="$packages" "$suite" "$work" >"$state/debootstrap.log" 2>&1 ||
        die "debootstrap failed: $(tail -1 "$state/debootstrap.log")" "the whole log is $state/debootstrap.log"
    rm -rf "$work"/var/{cache/apt,lib/apt/lists}/* "$work"/usr/share/{doc,man,locale,info}/*
    chmod 755 "$work"
    mv -T "$work" "$home"
    trap - EXIT
    say "debootstrap: $(du -sm "$home" | cut -f1) MB"
fi
echo "$home"
