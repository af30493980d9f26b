# shellcheck shell=bash disable=SC2034,SC2154 # sourced: variables are shared
# The node image: a Debian with systemd, kind's own base files, containerd and Kubernetes, and the images that kubeadm asks for
# already in containerd. Sourced.

# Sets `node_image`, building it first when it is missing.
need_node_image() {
    local parts debian
    # Waits for downloads while Go compiles.
    "$kind_dir/root.sh" >/dev/null &
    debian=$!
    kubernetes=$(node_tools kubernetes) node=$(node_tools kubernetes-node) etcd=$(node_tools etcd) coredns=$(node_tools coredns)
    containerd=$(node_tools containerd) crictl=$(node_tools crictl) cni=$(node_tools cni)
    kind_module=$(module_of kind sigs.k8s.io/kind)
    kubernetes_module=$(module_of kubernetes-node k8s.io/kubernetes)
    wait $debian || exit 1
    base_image
    parts=$(fingerprint "$kind_dir"/{node,images}.sh "$kind_dir"/node/* "$base" "$kind_module" "$kubernetes_module" \
        "$kubernetes" "$node" "$etcd" "$coredns" "$containerd" "$crictl" "$cni")
    node_image=$prefix/node:$parts
    docker image inspect "$node_image" >/dev/null 2>&1 && return
    system_images
    local work
    work=$(mktemp -d "$state/.node.XXXXXX")
    node_root "$work"
    tar -C "$work" -c . | docker import - "$prefix/node-root:new" >/dev/null
    rm -rf "$work"
    say "node image: root"
    preload
}

# What `kubeadm config images list` names, of our programs.
system_images() {
    local version=v1.36.3 program
    mapfile -t node_images < <("$node/kubeadm" config images list --kubernetes-version $version 2>/dev/null)
    for image in "${node_images[@]}"; do
        program=${image##*/}
        program=${program%%:*}
        case $program in
        kube-apiserver | kube-controller-manager | kube-scheduler) program_image "$image" "$kubernetes/$program" /usr/local/bin ;;
        kube-proxy) image_on "$image" "$base" "$node/kube-proxy /usr/local/bin/kube-proxy" -- ;;
        etcd) program_image "$image" "$etcd/etcd" /usr/local/bin ;;
        coredns) program_image "$image" "$coredns/coredns" / 'ENTRYPOINT ["/coredns"]' ;;
        pause)
            mkdir -p "$state/pause"
            cc -Os -s -static "-DVERSION=${image##*:}" -o "$state/pause/pause" "$kubernetes_module/build/pause/linux/pause.c"
            program_image "$image" "$state/pause/pause" / 'ENTRYPOINT ["/pause"]'
            pause=$image
            ;;
        *) die "kubeadm asks for \`$image\`, and nothing here makes it" ;;
        esac
    done
}

# The steps of kind's own image (images/base/Dockerfile of its module), on a Debian that is there already.
node_root() { # folder
    local debian
    debian=$("$kind_dir/root.sh")
    cp -a "$debian/." "$1/"
    chmod 755 "$1"
    cp -r --no-preserve=mode,ownership "$kind_module"/images/base/files/{etc,kind,usr} "$1/"
    chmod -R u=rwX,go=rX "$1"/{kind,etc/containerd,etc/systemd/system}
    chmod 755 "$1"/usr/local/bin/{entrypoint,clean-install} "$1"/kind/bin/*
    find "$1"/lib/systemd/system/sysinit.target.wants -name systemd-tmpfiles-setup.service -delete
    rm -f "$1"/lib/systemd/system/{multi-user,local-fs,basic}.target.wants/* "$1"/etc/systemd/system/*.wants/* \
        "$1"/lib/systemd/system/sockets.target.wants/*{udev,initctl}*
    echo ReadKMsg=no >>"$1/etc/systemd/journald.conf"

    cp "$containerd"/{containerd,ctr,containerd-shim-runc-v2} "$crictl/crictl" "$1/usr/local/bin/"
    cp "$node"/{kubelet,kubeadm} "$kubernetes/kubectl" "$1/usr/bin/"
    mkdir -p "$1"/{opt/cni/bin,etc/cni/net.d,etc/kubernetes/manifests,kind/manifests}
    cp "$cni"/{host-local,loopback,ptp,portmap} "$1/opt/cni/bin/"
    install -m 644 "$kind_dir/node/10-ptp.conflist" "$1/etc/cni/net.d/"
    install -m 644 "$kind_dir/node/default-storage.yaml" "$1/kind/manifests/"
    printf %s "${node_images[0]##*:}" >"$1/kind/version"
    "$containerd/ctr" oci spec |
        jq '.hooks.createContainer += [{"path": "/kind/bin/mount-product-files.sh"}] | del(.process.rlimits)' >"$1/etc/containerd/cri-base.json"
    # The pause of this kubeadm; and no OOM score below this root's own, which may lack CAP_SYS_RESOURCE.
    sed -i "s,registry.k8s.io/pause:[^\"]*,$pause,; s/restrict_oom_score_adj = false/restrict_oom_score_adj = true/" "$1/etc/containerd/config.toml"
    chroot "$1" systemctl -q enable kubelet.service containerd.service undo-mount-hacks.service
    chroot "$1" systemctl -q mask systemd-binfmt.service
}

# The images go into the node's containerd before it ever runs, as `kind build` does it.
preload() {
    local entrypoint='ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]' builder
    builder=$(docker run -d --rm --privileged --entrypoint sleep "$prefix/node-root:new" infinity)
    # shellcheck disable=SC2064
    trap "docker rm -f $builder >/dev/null" EXIT
    docker exec -d "$builder" containerd
    docker exec "$builder" sh -c 'for _ in $(seq 150); do ctr version >/dev/null 2>&1 && exit; sleep 0.2; done; exit 1' ||
        die "containerd does not answer in the new node image"
    docker save "${node_images[@]}" | docker exec -i "$builder" ctr --namespace=k8s.io images import \
        --label=io.cri-containerd.image=managed --digests --all-platforms --no-unpack --local - >/dev/null
    docker exec "$builder" sh -c 'kill $(pidof containerd); while pidof containerd >/dev/null; do sleep 0.1; done; rm -rf /run/containerd'
    docker commit -c "$entrypoint" -c 'ENV container=docker' "$builder" "$node_image" >/dev/null
    docker rm -f "$builder" >/dev/null
    trap - EXIT
    docker rmi "$prefix/node-root:new" >/dev/null
    # A gigabyte each, and replaced for good; that of a running cluster stays.
    docker images --format '{{.Repository}}:{{.Tag}}' "$prefix/node" | grep -vxF "$node_image" | xargs -r docker rmi >/dev/null 2>&1 || true
    say "node image $node_image"
}
