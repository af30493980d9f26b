#!/usr/bin/env bash
# Each way in which a WasmPlugin fails without a word, made for real, and the line by which `filter status` names it; then the ways back.
#
#   KUBECONFIG=… KYMA_ISTIO=path/to/the/plugin REGISTRY=host:port e2e/silent-failures.sh
#
# The cluster has Istio with its ingress gateway, and a Gateway with an HTTP port on it; the registry speaks plain HTTP, lets everybody push, and is
# reached under one address from here and from the cluster. The policies `silent` and `silent-canary` in istio-system are made and taken away again; each failure is answered by a
# working deploy, so that the next one starts from a proxy that runs.
set -euo pipefail
: "${KUBECONFIG:?names the cluster}" "${KYMA_ISTIO:?names the plugin}" "${REGISTRY:?names the registry}"

work=$(mktemp -d)
name=silent
plugin() { "$KYMA_ISTIO" filter "$@"; }
clean_up() {
    local one
    for one in "$name-canary" "$name"; do plugin remove "istio-system/$one" --yes >/dev/null 2>&1 || true; done
    rm -rf "$work"
}
trap clean_up EXIT
fail() { echo "silent-failures: $*" >&2; exit 1; }

cat >"$work/policy.yaml" <<Y
apiVersion: policy.kyma-istio.dev/v1alpha1
kind: HeaderPolicy
metadata: {name: $name, namespace: istio-system}
spec:
  position: Gateway
  forwarded: {trust: {hops: 1}, outbound: Replace, deny: [203.0.113.66/32]}
Y

state() { plugin status "istio-system/$name" -o json | jq -r '[.policies[].proxies[].state] | unique | join(",")'; }
running() { plugin status "istio-system/$name" -o json | jq -r '[.policies[].proxies[] | .running // .fingerprint] | unique | join(",")'; }

# Waits until all proxies are in a state, then prints their lines: what a person sees.
expect() { # state code exit
    local deadline=$((SECONDS + 90)) code=0
    until [[ $(state) == "$1" ]]; do
        ((SECONDS < deadline)) || fail "expected $1, found $(plugin status "istio-system/$name")"
        sleep 1 # between two looks at a named condition
    done
    plugin status "istio-system/$name" >"$work/lines" || code=$?
    [[ $code == "$3" ]] || fail "exit code $code, expected $3"
    grep -qE "^  $1 +istio-system/.*$2" "$work/lines" || fail "no line with $2 in: $(cat "$work/lines")"
    grep -E "^  $1 " "$work/lines"
}
good() { plugin deploy -f "$work/policy.yaml" --image "$image" --pull-secret "" --yes --force-conflicts >"$work/deployed" 2>&1 || fail "$(cat "$work/deployed")"; expect Running '' 0 >/dev/null; }
patch() { kubectl -n istio-system patch wasmplugin "$name" --type merge -p "$1" >/dev/null; }

# Anything under any name, past `push`, which makes only what works.
blob() { # file: its digest
    local digest url
    digest=sha256:$(sha256sum "$1" | cut -d' ' -f1)
    url=$(curl -fsS -X POST -D - -o /dev/null "http://$REGISTRY/v2/$repository/blobs/uploads/" | tr -d '\r' | sed -n 's/^[Ll]ocation: //p')
    curl -fsS -X PUT -H 'content-type: application/octet-stream' --data-binary "@$1" "$url&digest=$digest" -o /dev/null
    echo "$digest"
}
# One bare layer: what many a command on the web makes.
push_one_layer() { # tag
    local config layer
    printf '{}' >"$work/config"
    config=$(blob "$work/config") layer=$(blob "$work/module")
    jq -nc --arg config "$config" --arg layer "$layer" --argjson size "$(stat -c %s "$work/module")" '{schemaVersion: 2, mediaType: "application/vnd.oci.image.manifest.v1+json",
        config: {mediaType: "application/vnd.module.wasm.config.v1+json", digest: $config, size: 2},
        layers: [{mediaType: "application/vnd.module.wasm.content.layer.v1+wasm", digest: $layer, size: $size}]}' >"$work/manifest"
    curl -fsS -X PUT -H 'content-type: application/vnd.oci.image.manifest.v1+json' --data-binary "@$work/manifest" "http://$REGISTRY/v2/$repository/manifests/$1" -o /dev/null
    echo "oci://$REGISTRY/$repository@sha256:$(sha256sum "$work/manifest" | cut -d' ' -f1)"
}

repository=silent-failures/filter
image=$(plugin push "$REGISTRY/$repository:good" --plain-http -o json | jq -r .reference)
head -c 1000 "$KYMA_ISTIO" >"$work/module" # what is in it matters to nobody: no layout leads there
broken=$(push_one_layer one-layer)

echo "1. a layout that istio-agent doesn't take"
plugin deploy -f "$work/policy.yaml" --image "$broken" --yes >"$work/out" 2>&1 && fail "a broken image was deployed"
grep -q KI-F019 "$work/out" || fail "not refused by the rehearsal: $(cat "$work/out")"
grep KI-F019 "$work/out"
good
patch "{\"spec\": {\"url\": \"$broken\"}}"
expect DenyAll KI-F003 1

echo "2. the same with FAIL_OPEN"
good
patch "{\"spec\": {\"url\": \"$broken\", \"failStrategy\": \"FAIL_OPEN\"}}"
expect AllowAll KI-F004 1

echo "3. a pull secret that isn't there"
good
plugin deploy -f "$work/policy.yaml" --pull-secret nowhere --yes --force-conflicts >"$work/out" 2>&1 && fail "deployed without its secret"
grep KI-F020 "$work/out" || fail "not refused for its secret: $(cat "$work/out")"
patch "{\"spec\": {\"imagePullSecret\": \"nowhere\", \"imagePullPolicy\": \"Always\", \"url\": \"${image%@*}\"}}"
expect DenyAll KI-F003 1

echo "4. a registry that can't be reached"
good
patch '{"spec": {"url": "oci://192.0.2.1:5000/filter@sha256:0000000000000000000000000000000000000000000000000000000000000000"}}'
expect DenyAll KI-F003 1

echo "5. an update that is rejected and looks new in the dump"
good
before=$(running)
patch '{"spec": {"pluginConfig": {"spec": {"forwarded": {"trust": {"hops": 99}}}}}}'
expect Rejected KI-F001 1
[[ $(running) == "$before" ]] || fail "runs $(running), expected $before"
pod=$(kubectl -n istio-system get pods -l istio=ingressgateway -o name | head -1)
kubectl -n istio-system exec "$pod" -c istio-proxy -- pilot-agent request GET 'config_dump?resource=ecds_filters' >"$work/dump"
grep -q 'hops.*99' "$work/dump" || fail "the dump doesn't show the rejected policy"
echo "  (the dump shows the rejected policy)"

echo "6. a proxy that starts with it"
kubectl -n istio-system delete "$pod" >/dev/null
expect Refusing KI-F002 1

echo "7. a filter that no listener has"
good
patch '{"spec": {"match": [{"ports": [{"number": 65000}]}]}}'
expect Missing KI-F005 1

echo "8. a deploy that no proxy can follow"
patch '{"spec": {"match": null}}'
good
before=$(running)
sed 's/203.0.113.66/203.0.113.67/' "$work/policy.yaml" >"$work/next.yaml"
code=0
plugin deploy -f "$work/next.yaml" --image "$broken" --skip-rehearsal --yes >"$work/out" 2>&1 || code=$?
[[ $code == 1 ]] || fail "exit code $code, expected 1: $(cat "$work/out")"
grep 'what was there before is back' "$work/out" || fail "nothing was brought back: $(cat "$work/out")"
expect Running '' 0

echo "9. a canary sees the requests as they come"
plugin deploy -f "$work/next.yaml" --canary --yes >"$work/out" 2>&1 || fail "$(cat "$work/out")"
[[ $(plugin status istio-system/$name-canary -o json | jq -r '.policies[0] | .mode + " " + .canaryOf') == "Shadow $name" ]] || fail "no shadow of $name"
priority() { kubectl -n istio-system get wasmplugin "$1" -o jsonpath='{.spec.priority}'; }
(($(priority $name-canary) > $(priority $name))) || fail "the canary would judge what $name has rewritten"
plugin compare "istio-system/$name"
plugin promote "istio-system/$name" --yes >"$work/out" 2>&1 || fail "$(cat "$work/out")"
kubectl -n istio-system get wasmplugin $name-canary >/dev/null 2>&1 && fail "the canary is still there"
kubectl -n istio-system get wasmplugin $name -o json | jq -e '.spec.pluginConfig.spec.forwarded.deny == ["203.0.113.67/32"] and .spec.failStrategy == "FAIL_CLOSE"' >/dev/null || fail "not promoted"
plugin rollback "istio-system/$name" --yes >"$work/out" 2>&1 || fail "$(cat "$work/out")"
kubectl -n istio-system get wasmplugin $name -o json | jq -e '.spec.pluginConfig.spec.forwarded.deny == ["203.0.113.66/32"]' >/dev/null || fail "not rolled back"

echo "10. logs raise a level and put it back"
level() { kubectl -n istio-system exec "$(kubectl -n istio-system get pods -l istio=ingressgateway -o name | head -1)" -c istio-proxy -- pilot-agent request POST logging 2>/dev/null | sed -n 's/^ *wasm: //p'; }
before=$(level)
"$KYMA_ISTIO" filter logs "istio-system/$name" -f --level trace >"$work/log" 2>"$work/told" &
logs=$!
for ((i = 0; i < 30; i++)); do [[ $(level) == trace ]] && break; sleep 1; done
[[ $(level) == trace ]] || fail "the level wasn't raised: $(cat "$work/told")"
kill -INT $logs
wait $logs || fail "logs ended with $?"
[[ $(level) == "$before" ]] || fail "the level is $(level), expected $before"
tail -1 "$work/told"

echo "11. away"
plugin remove "istio-system/$name" --yes 2>/dev/null
echo "all named"
