// How programs in Go read a path: the standard library alone.
module kyma-istio.test/lab/tools/path-judge

go 1.26.0

tool kyma-istio.test/lab/tools/path-judge
