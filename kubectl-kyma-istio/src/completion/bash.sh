# bash completion for kubectl-kyma_istio; bash 3.2 or later, nothing else is needed.
_kubectl_kyma_istio() {
    local IFS=$' \t\n'
    local line=${COMP_LINE:0:COMP_POINT} words=() current prefix candidate directive=4
    # Bash's own COMP_WORDS are split at `=` and `:` too.
    read -r -a words <<<"$line"
    case $line in *[[:space:]]) words+=("") ;; esac
    current=${words[${#words[@]} - 1]}
    # Bash replaces what stands behind the last of these characters only.
    case $COMP_WORDBREAKS in
    *=*) prefix=${current%"${current##*[=:]}"} ;;
    *) prefix= ;;
    esac
    COMPREPLY=()
    while IFS=$'\t' read -r candidate _; do
        case $candidate in
        :[0-9]*) directive=${candidate#:} ;;
        ?*)
            candidate=${candidate#"$prefix"}
            case $candidate in *[!A-Za-z0-9_./,=:@%+-]*) printf -v candidate %q "$candidate" ;; esac
            COMPREPLY+=("$candidate")
            ;;
        esac
    done < <(kubectl-kyma_istio __complete "${words[@]:1}" 2>/dev/null)
    if ((directive & 2)) && type compopt >/dev/null 2>&1; then
        compopt -o nospace
    fi
}
complete -F _kubectl_kyma_istio kubectl-kyma_istio
