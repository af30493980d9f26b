//! All effects on Kubernetes: observe, apply, wait with cause, prune, the layer that refuses writes, and istioctl.
