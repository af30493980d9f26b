# shellcheck shell=bash disable=SC2034,SC2154 # sourced: variables are shared
# The cluster itself, and what lies in it before a test runs. Sourced.

# The version that is installed: KYMA_E2E_ISTIO names another one where the images are official.
istio_default() { echo "${KYMA_E2E_ISTIO:-$(istio_says default)}"; }
# The other version of the tests that change versions. In the built images it is the same Istio, stamped.
istio_older=${KYMA_E2E_ISTIO_OLDER:-$(istio_says older)}
istio_hub() { sed -n '/^name = "istio"/{n;s/^hub = "\(.*\)"/\1/p}' "$root/versions.toml"; }

# What no later step can repair, told before anything is built.
check_machine() { # built | official
    local tool
    [[ "$(uname -s)" == Linux ]] || die "this is $(uname -s); the tests reach the node's ports directly, which needs Linux"
    for tool in docker flock jq tar; do
        command -v "$tool" >/dev/null || die "no \`$tool\` in PATH"
    done
    [[ "$1" == built ]] || return 0
    [[ $(id -u) == 0 ]] || die "not root: building a node image and its firewall rule need root" "KYMA_E2E_IMAGES=official needs only a Docker engine and the internet"
    for tool in debootstrap iptables python3 cc; do
        command -v "$tool" >/dev/null || die "no \`$tool\` in PATH" "Debian: apt-get install --no-install-recommends docker.io containerd runc iptables debootstrap jq gcc libc6-dev python3-venv"
    done
}

# The app, and a registry to fetch the filter from.
app_images() {
    program_image "$prefix/echo:e2e" "$(node_tools echo)/echo" /usr/local/bin 'USER 65532:65532' 'ENTRYPOINT ["/usr/local/bin/echo"]'
    program_image "$prefix/registry:e2e" "$(node_tools registry)/registry" /usr/local/bin 'ENTRYPOINT ["/usr/local/bin/registry"]'
    lab_images+=("$prefix"/{echo,registry}:e2e)
}

in_node() { docker exec -i "$cluster-control-plane" "$@"; }

# A cluster of these parts that answers is taken as it is; any other of our name is replaced.
need_cluster() { # built | official
    local config="$kind_dir/cluster-$1.yaml" parts arguments=()
    parts=$(fingerprint "$kind" "$config" "${node_image:-official}")
    if [[ "$(cat "$state/cluster" 2>/dev/null)" == "$parts" ]] &&
        in_node kubectl --kubeconfig /etc/kubernetes/admin.conf get --raw /readyz </dev/null >/dev/null 2>&1; then
        say "cluster $cluster runs"
        return
    fi
    rm -f "$state/cluster"
    "$kind" delete cluster --name "$cluster" --kubeconfig "$kubeconfig" -q
    [[ -z "${node_image-}" ]] || arguments=(--image "$node_image")
    "$kind" create cluster --name "$cluster" --kubeconfig "$kubeconfig" --config "$config" --wait 120s --retain "${arguments[@]}" \
        >"$state/kind.log" 2>&1 ||
        die "kind create cluster failed: $(grep -m1 ERROR "$state/kind.log")" "$state/kind.log has the whole story, \`docker logs $cluster-control-plane\` the node's"
    say "cluster $cluster created"
    in_node kubectl --kubeconfig /etc/kubernetes/admin.conf -n kube-system rollout status deployment/coredns --timeout=120s >/dev/null
    echo "$parts" >"$state/cluster"
    say "cluster DNS runs"
}

# What the node does not have already, in one stream: `kind load` writes a file first and takes twice as long.
load_images() {
    local image loaded wanted='' missing=()
    ((${#lab_images[@]})) || return 0
    loaded=$(in_node cat /kind/lab-images 2>/dev/null) || true
    for image in "${lab_images[@]}"; do
        wanted+="$image $(docker image inspect -f '{{.Id}}' "$image")"$'\n'
        grep -qxF "$(tail -1 <<<"${wanted%$'\n'}")" <<<"$loaded" || missing+=("$image")
    done
    if ((${#missing[@]})); then
        docker save "${missing[@]}" | in_node ctr --namespace=k8s.io images import --digests - >/dev/null
        printf %s "$wanted" | in_node tee /kind/lab-images >/dev/null
    fi
    say "${#lab_images[@]} images in the node, ${#missing[@]} of them new"
}

# What the tests must know of this cluster, as JSON.
describe() { # built | official
    local node
    node=$(in_node hostname -i </dev/null | cut -d' ' -f1)
    if [[ "$1" == built ]]; then
        jq -n --arg hub "$prefix" --arg tag "$(istio_default)-distroless" --arg older "$istio_older-distroless" \
            --arg overlay "$kind_dir/istio-overlay.yaml" '{$hub, $tag, older_tag: $older, $overlay}'
    else
        jq -n --arg hub "$(istio_hub)" --arg tag "$(istio_default)-distroless" --arg older "$istio_older-distroless" \
            --arg overlay "$kind_dir/istio-overlay-official.yaml" '{$hub, $tag, older_tag: $older, $overlay}'
    fi | jq --arg images "$1" --arg kubeconfig "$kubeconfig" --arg prefix "$prefix" --arg node "$node" \
        '. + {disposable: true, $images, $kubeconfig, node_address: $node, echo: "\($prefix)/echo:e2e", registry: "\($prefix)/registry:e2e"}'
}
