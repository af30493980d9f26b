// The app of the kind cluster: an upstream that says what it was sent, and a client to call from inside a pod.
module kyma-istio.test/lab/tools/echo

go 1.26.0

tool kyma-istio.test/lab/tools/echo
