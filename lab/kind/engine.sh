# shellcheck shell=bash disable=SC2034,SC2154 # sourced: variables are shared
# A Docker engine for the cluster: the one that answers, else one of our own with all its data in the cache. Sourced.

engine="$state/engine"
# A network of our own: kind's usual one may hold clusters of others.
network=kyma-istio-e2e
bridge=kyma-e2e
export KIND_EXPERIMENTAL_DOCKER_NETWORK=$network

# Ours outlives the shell that started it, so it is asked first.
find_engine() {
    if [[ -S "$engine/docker.sock" ]] && DOCKER_HOST="unix://$engine/docker.sock" docker version >/dev/null 2>&1; then
        export DOCKER_HOST="unix://$engine/docker.sock"
        return
    fi
    docker version >/dev/null 2>&1
}

need_engine() {
    find_engine && return
    may_start_engine
    start_engine
}

# A root inside a container may lack what an engine is made of: told by name, and before anything is built.
may_start_engine() {
    local why problem="no Docker engine answers, and this root can't start one"
    local packages="Debian: apt-get install --no-install-recommends docker.io containerd runc iptables"
    local hint="run on a machine or in a privileged container, or where a Docker engine answers"
    command -v docker >/dev/null || die "no \`docker\` in PATH, the cluster's node is a container" "$packages"
    [[ $(id -u) == 0 ]] || die "no Docker engine answers, and only root can start one" "start Docker, or run as root"
    command -v dockerd >/dev/null || die "no Docker engine answers, and there is no \`dockerd\` to start" "$packages"
    command -v iptables >/dev/null || die "dockerd needs \`iptables\`, which is not in PATH" "$packages"
    why=$(unshare --mount true 2>&1) || die "$problem: it may not mount: $why" "$hint"
    why=$(iptables -w -t nat -n -L POSTROUTING 2>&1 >/dev/null) || die "$problem: it may not change the firewall: ${why%%$'\n'*}" "$hint"
    why=$(may_make_cgroups 2>&1) || die "$problem: it may not make cgroups: $why" "$hint"
}

# In each hierarchy that matters, or the only one of version 2.
may_make_cgroups() {
    local hierarchy hierarchies=(/sys/fs/cgroup/{devices,memory,pids})
    [[ "$(stat -f -c %T /sys/fs/cgroup)" != cgroup2fs ]] || hierarchies=(/sys/fs/cgroup)
    for hierarchy in "${hierarchies[@]}"; do
        mkdir "$hierarchy/kyma-istio-probe" && rmdir "$hierarchy/kyma-istio-probe" || return 1
    done
}

start_engine() {
    local arguments=(--data-root "$engine/data" --exec-root "$engine/exec" --pidfile "$engine/pid" -H "unix://$engine/docker.sock")
    # Names that are not the cluster's go to an address that is nobody's (RFC 5737), where the rule below refuses them.
    arguments+=(--dns 192.0.2.1)
    # kind asks for every capability. A root without CAP_SYS_RESOURCE (bit 24) can't pass it on.
    if (((0x$(awk '/^CapBnd/ { print $2 }' /proc/self/status) >> 24 & 1) == 0)); then
        command -v jq >/dev/null || die "without CAP_SYS_RESOURCE the engine needs \`jq\`, which is not in PATH"
        arguments+=(--add-runtime "lesser=$kind_dir/lesser-runc.sh" --default-runtime lesser)
    fi
    mkdir -p "$engine"
    # Without the lock of up.sh, which it would hold as long as it runs.
    setsid nohup dockerd "${arguments[@]}" >"$engine/log" 2>&1 </dev/null 9>&- &
    local process=$! deadline=$((SECONDS + 60))
    export DOCKER_HOST="unix://$engine/docker.sock"
    until docker version >/dev/null 2>&1; do
        kill -0 $process 2>/dev/null || die "dockerd ended: $(tail -1 "$engine/log")" "the whole log is $engine/log"
        ((SECONDS < deadline)) || die "dockerd does not answer after 60 s: $(tail -1 "$engine/log")" "the whole log is $engine/log"
        sleep 0.2
    done
    say "dockerd started, pid $(<"$engine/pid")"
}

# Ends dockerd if it is the one that we started: a pid alone may have become another's.
stop_engine() {
    local process
    process=$(cat "$engine/pid" 2>/dev/null) || return 0
    if [[ -n "$(DOCKER_HOST="unix://$engine/docker.sock" docker ps -q 2>/dev/null)" ]]; then
        say "dockerd, pid $process, goes on: containers of others run in it"
        return
    fi
    if tr '\0' ' ' <"/proc/$process/cmdline" 2>/dev/null | grep -qF -- "--pidfile $engine/pid"; then
        kill "$process"
        timeout 60 tail --pid="$process" -f /dev/null || die "dockerd, pid $process, does not end within 60 s"
        say "dockerd stopped"
    fi
    rm -f "$engine/pid"
}

make_network() {
    docker network inspect $network >/dev/null 2>&1 ||
        docker network create -o com.docker.network.bridge.name=$bridge $network >/dev/null
}

# Nothing from the cluster leaves this machine. Pods ask for 10.96.0.1 before kube-proxy knows it; that went out by the default
# route, and whoever answers there is taken for the API server. An image that is missing fails at once, too.
isolate() {
    local rule=(DOCKER-USER -i "$bridge" ! -o "$bridge" -j REJECT)
    iptables -w -C "${rule[@]}" 2>/dev/null || iptables -w -I "${rule[@]}" || die "iptables refuses the rule that keeps the cluster on this machine"
}

# Each pod's containers watch files; the kernel's default of 128 is used up by one node with a mesh.
raise_inotify() {
    local limit=/proc/sys/fs/inotify/max_user_instances
    (($(<$limit) >= 512)) || echo 512 >$limit 2>/dev/null || say "warning: can't raise $limit to 512, many pods may fail to start"
}
