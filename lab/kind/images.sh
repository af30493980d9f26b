# shellcheck shell=bash disable=SC2034,SC2154 # sourced: variables are shared
# Images from folders and programs. Sourced.

# Whether an image is there and made of the same parts: the label says so.
is_built() { # image fingerprint
    [[ "$(docker image inspect -f '{{index .Config.Labels "parts"}}' "$1" 2>/dev/null)" == "$2" ]]
}

# An image of the files under a folder and nothing else; the remaining arguments are Dockerfile instructions.
import_folder() { # image fingerprint folder [instruction…]
    local image=$1 parts=$2 folder=$3 changes=(-c "LABEL parts=$2") instruction
    shift 3
    for instruction in "$@"; do changes+=(-c "$instruction"); done
    tar --owner=0 --group=0 -C "$folder" -c . | docker import "${changes[@]}" - "$image" >/dev/null
    say "image $image"
}

# An image of one static program and nothing else.
program_image() { # image program folder-inside [instruction…]
    local image=$1 program=$2 inside=$3 parts work
    shift 3
    parts=$(fingerprint "$program" "$inside" "$@")
    is_built "$image" "$parts" && return
    work=$(mktemp -d "$state/.image.XXXXXX")
    mkdir -p "$work$inside" "$work/tmp"
    chmod 755 "$work"
    chmod 1777 "$work/tmp"
    cp "$program" "$work$inside/"
    import_folder "$image" "$parts" "$work" 'ENV PATH=/usr/local/bin:/usr/bin:/bin' "$@"
    rm -rf "$work"
}

# The small Debian as an image.
base_image() {
    local debian
    debian=$("$kind_dir/root.sh")
    base=$prefix/base:$(fingerprint "$debian")
    is_built "$base" "$debian" || import_folder "$base" "$debian" "$debian"
}

# An image of files on another image; the last arguments are Dockerfile instructions.
image_on() { # image from "source destination"… -- [instruction…]
    local image=$1 from=$2 parts work source destination
    shift 2
    parts=$(fingerprint "$from" "$@")
    is_built "$image" "$parts" && return
    work=$(mktemp -d "$state/.image.XXXXXX")
    while [[ "$1" != -- ]]; do
        read -r source destination <<<"$1"
        install -D "$source" "$work/files$destination"
        shift
    done
    shift
    printf '%s\n' "FROM $from" "LABEL parts=$parts" 'COPY files /' "$@" >"$work/Dockerfile"
    DOCKER_BUILDKIT=0 docker build -q -t "$image" "$work" >/dev/null 2>"$state/image.log" ||
        die "docker build of $image failed: $(tail -1 "$state/image.log")"
    rm -rf "$work"
    say "image $image"
}
