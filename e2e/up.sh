#!/usr/bin/env bash
# shellcheck disable=SC2034,SC2154 # the parts share variables
# Brings up the kind cluster of the end-to-end tests, or finds it running. The last line of stdout is its kubeconfig; what the
# tests need besides (hub, tags, images, the overlay for `install`) is in cluster.json beside that.
#
#   e2e/up.sh                               everything from package registries; what is missing is built, 20 minutes the first time
#   e2e/up.sh --check                       only whether this machine can have one
#   KYMA_E2E_IMAGES=official e2e/up.sh      the node image that kind pins, and Istio's official images: needs the internet
#
# Everything is kept in ${XDG_CACHE_HOME:-~/.cache}/kyma-istio under the hash of its pins. e2e/down.sh undoes it.
set -euo pipefail
# shellcheck source=lab/kind/common.sh
. "$(dirname "$0")/../lab/kind/common.sh"
for part in engine images node istio cluster; do
    # shellcheck source=/dev/null
    . "$kind_dir/$part.sh"
done

way=${KYMA_E2E_IMAGES:-built}
[[ "$way" == built || "$way" == official ]] || die "KYMA_E2E_IMAGES is \`$way\`, expected \`built\` or \`official\`"
check_machine "$way"
if [[ "${1-}" == --check ]]; then
    find_engine || may_start_engine
    exit
fi
mkdir -p "$state"
exec 9>"$state/lock"
flock 9

need_engine
kind=$(tools kind)/kind
lab_images=()
if [[ "$way" == built ]]; then
    need_node_image
    istio_images "$(istio_default)"
    istio_images "$istio_older"
    make_network
    isolate
    raise_inotify
fi
app_images
need_cluster "$way"
load_images
describe "$way" >"$state/cluster.json"
say "ready"
echo "$kubeconfig"
