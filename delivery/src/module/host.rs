//! What Envoy's wasm host has, oldest to newest Envoy that we support (1.36 to 1.40): an import beyond this and the module
//! doesn't load. Source: proxy-wasm-cpp-host, `exports.h` and `registerCallbacks`; a test finds each name in those Envoys.

use super::Abi;

/// By every ABI, as `env.proxy_NAME`.
const CALLS: &[&str] = &[
    "log",
    "get_status",
    "set_property",
    "get_property",
    "send_local_response",
    "get_shared_data",
    "set_shared_data",
    "register_shared_queue",
    "resolve_shared_queue",
    "dequeue_shared_queue",
    "enqueue_shared_queue",
    "get_header_map_value",
    "add_header_map_value",
    "replace_header_map_value",
    "remove_header_map_value",
    "get_header_map_pairs",
    "set_header_map_pairs",
    "get_header_map_size",
    "get_buffer_status",
    "get_buffer_bytes",
    "set_buffer_bytes",
    "http_call",
    "grpc_call",
    "grpc_stream",
    "grpc_close",
    "grpc_cancel",
    "grpc_send",
    "set_tick_period_milliseconds",
    "get_current_time_nanoseconds",
    "define_metric",
    "increment_metric",
    "record_metric",
    "get_metric",
    "set_effective_context",
    "done",
    "call_foreign_function",
];

/// By one ABI only.
const FIRST_ABI: &[&str] = &[
    "get_configuration",
    "continue_request",
    "continue_response",
    "clear_route_cache",
];
const SECOND_ABI: &[&str] = &["continue_stream", "close_stream"];
const LOG_LEVEL: &str = "get_log_level";

/// What emscripten's runtime asks for, as `env.NAME`.
const EMSCRIPTEN: &[&str] = &["emscripten_notify_memory_growth", "pthread_equal"];

/// WASI preview 1, under both of its names. The paths, of which newer Envoys have some, are missing in 1.36.
const WASI: &[&str] = &[
    "fd_write",
    "fd_read",
    "fd_seek",
    "fd_close",
    "fd_fdstat_get",
    "fd_fdstat_set_flags",
    "fd_prestat_get",
    "fd_prestat_dir_name",
    "environ_get",
    "environ_sizes_get",
    "args_get",
    "args_sizes_get",
    "clock_time_get",
    "random_get",
    "sched_yield",
    "proc_exit",
];
const WASI_MODULES: [&str; 2] = ["wasi_snapshot_preview1", "wasi_unstable"];

/// The newest ABI of which a module has the marker.
pub(super) fn newest_abi(exports: &[String]) -> Option<Abi> {
    let marked = |marker: &str| exports.iter().any(|export| export == marker);
    [
        ("proxy_abi_version_0_2_1", Abi::V0_2_1),
        ("proxy_abi_version_0_2_0", Abi::V0_2_0),
        ("proxy_abi_version_0_1_0", Abi::V0_1_0),
    ]
    .into_iter()
    .find(|(marker, _)| marked(marker))
    .map(|(_, abi)| abi)
}

/// Whether every supported Envoy answers this import of a module with this ABI.
pub(super) fn has(abi: Abi, module: &str, name: &str) -> bool {
    if WASI_MODULES.contains(&module) {
        return WASI.contains(&name);
    }
    if module != "env" {
        return false;
    }
    match name.strip_prefix("proxy_") {
        Some(call) => CALLS.contains(&call) || of_this_abi(abi, call),
        None => EMSCRIPTEN.contains(&name),
    }
}

fn of_this_abi(abi: Abi, call: &str) -> bool {
    match abi {
        Abi::V0_1_0 => FIRST_ABI.contains(&call),
        Abi::V0_2_0 => SECOND_ABI.contains(&call),
        Abi::V0_2_1 => SECOND_ABI.contains(&call) || call == LOG_LEVEL,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;

    use super::*;

    /// What scripts/tools.sh prints.
    fn tools(arguments: &[&str]) -> String {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/tools.sh");
        let found = Command::new(script).args(arguments).output().unwrap();
        assert!(
            found.status.success(),
            "scripts/tools.sh {arguments:?}: {}",
            String::from_utf8_lossy(&found.stderr)
        );
        String::from_utf8(found.stdout).unwrap()
    }

    /// All zero-terminated strings of the binary that could be names of calls.
    fn strings(binary: &[u8]) -> std::collections::HashSet<&[u8]> {
        let named =
            |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_.".contains(byte);
        binary
            .split(|byte| *byte == 0)
            .filter(|text| (3..80).contains(&text.len()) && text.iter().all(named))
            .collect()
    }

    #[test]
    fn the_oldest_and_the_newest_envoy_have_every_call() {
        for version in tools(&["--list", "envoy"]).split_whitespace() {
            let binary = std::fs::read(tools(&["envoy", version]).trim()).unwrap();
            let strings = strings(&binary);
            let calls = CALLS
                .iter()
                .chain(FIRST_ABI)
                .chain(SECOND_ABI)
                .chain([&LOG_LEVEL]);
            let calls = calls.map(|call| format!("proxy_{call}"));
            for name in calls.chain(EMSCRIPTEN.iter().chain(WASI).map(|name| (*name).to_owned())) {
                let there = strings.iter().any(|text| text.ends_with(name.as_bytes()));
                assert!(there, "Envoy {version} has no `{name}`");
            }
        }
    }

    #[test]
    fn abi_decides_which_calls_there_are() {
        assert!(has(Abi::V0_2_1, "env", "proxy_get_log_level"));
        assert!(!has(Abi::V0_2_0, "env", "proxy_get_log_level"));
        assert!(!has(Abi::V0_2_1, "env", "proxy_continue_request"));
        assert!(!has(Abi::V0_2_1, "wasi_snapshot_preview1", "path_open"));
        assert!(!has(Abi::V0_2_1, "wasi_snapshot_preview1", "proxy_log"));
    }
}
