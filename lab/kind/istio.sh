# shellcheck shell=bash disable=SC2034,SC2154 # sourced: variables are shared
# Istio's images under the names that Istio gives them: programs of Istio's module on our Debian, with the stock Envoy. Sourced.

# Built from one commit, stamped with the version: see lab/tools/istio/go.mod. Adds their names to `lab_images`.
istio_images() { # version
    local version=$1 tag="$1-distroless" istio cni envoy module bootstrap below
    istio=$(node_tools "istio@$version") cni=$(node_tools "istio-cni@$version") envoy=$("$root/scripts/tools.sh" envoy)
    module=$(module_of istio istio.io/istio)
    bootstrap="$module/tools/packaging/common/envoy_bootstrap.json /var/lib/istio/envoy/envoy_bootstrap_tmpl.json"

    image_on "$prefix/pilot:$tag" "$base" "$istio/pilot-discovery /usr/local/bin/pilot-discovery" -- \
        'USER 1337:1337' 'ENTRYPOINT ["/usr/local/bin/pilot-discovery"]'
    # Below the versions, so that they share the layer.
    below=$prefix/envoy:$(fingerprint "$envoy")
    image_on "$below" "$base" "$envoy /usr/local/bin/envoy" --
    image_on "$prefix/proxyv2:$tag" "$below" "$istio/pilot-agent /usr/local/bin/pilot-agent" "$bootstrap" -- \
        'ENTRYPOINT ["/usr/local/bin/pilot-agent"]'
    image_on "$prefix/install-cni:$tag" "$base" "$cni/istio-cni /opt/cni/bin/istio-cni" "$cni/install-cni /usr/local/bin/install-cni" -- \
        'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/cni/bin' 'WORKDIR /opt/cni/bin' 'CMD ["/usr/local/bin/install-cni"]'
    lab_images+=("$prefix"/{pilot,proxyv2,install-cni}:"$tag")
}
