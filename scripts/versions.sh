# shellcheck shell=bash disable=SC2154  # root is set by the script that sources this
# What versions.toml says about Istio: `istio_says default`, `istio_says older`. Sourced.

istio_says() { sed -n "/^\[istio\]/,/^\[\[/s/^$1 = \"\(.*\)\"/\1/p" "$root/versions.toml"; }
