//! Filters written by hand: a prelude with every import and a few helpers, and a body per test.
#![allow(dead_code, reason = "each test file uses its own part")]

use wasm_host::{Module, Pairs, Request, Settings, Simulator};

/// The scratch memory: 0 holds a result pointer, 4 a result size, 8 a number; data of a test begins at 64.
///
/// `$say status` logs the bytes of the last result if the status is 0, else the status as a letter (`B` is 1).
const PRELUDE: &str = r#"
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (import "env" "proxy_get_current_time_nanoseconds" (func $now (param i32) (result i32)))
  (import "env" "proxy_set_tick_period_milliseconds" (func $tick (param i32) (result i32)))
  (import "env" "proxy_get_buffer_bytes" (func $buffer (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_get_header_map_pairs" (func $pairs (param i32 i32 i32) (result i32)))
  (import "env" "proxy_set_header_map_pairs" (func $set_pairs (param i32 i32 i32) (result i32)))
  (import "env" "proxy_get_header_map_value" (func $value (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_add_header_map_value" (func $add (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_replace_header_map_value" (func $replace (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_remove_header_map_value" (func $remove (param i32 i32 i32) (result i32)))
  (import "env" "proxy_get_property" (func $property (param i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_set_property" (func $set_property (param i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_get_shared_data" (func $shared (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_set_shared_data" (func $set_shared (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_define_metric" (func $metric (param i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_increment_metric" (func $increment (param i32 i64) (result i32)))
  (import "env" "proxy_record_metric" (func $record (param i32 i64) (result i32)))
  (import "env" "proxy_continue_stream" (func $continue (param i32) (result i32)))
  (import "env" "proxy_close_stream" (func $close (param i32) (result i32)))
  (import "env" "proxy_send_local_response" (func $reply (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_set_effective_context" (func $act_for (param i32) (result i32)))
  (import "env" "proxy_done" (func $done (result i32)))
  (import "env" "proxy_http_call" (func $call (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_call_foreign_function" (func $foreign (param i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func $environ (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 16)
  (global $heap (mut i32) (i32.const 65536))
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param $size i32) (result i32)
    (global.get $heap)
    (global.set $heap (i32.add (global.get $heap) (local.get $size))))
  (func $tell (param $data i32) (param $size i32)
    (drop (call $log (i32.const 2) (local.get $data) (local.get $size))))
  (func $letter (param $status i32)
    (i32.store8 (i32.const 16) (i32.add (i32.const 65) (local.get $status)))
    (call $tell (i32.const 16) (i32.const 1)))
  (func $say (param $status i32)
    (if (local.get $status)
      (then (call $letter (local.get $status)))
      (else (call $tell (i32.load (i32.const 0)) (i32.load (i32.const 4))))))
"#;

/// The text of a filter with this body.
pub fn text(body: &str) -> String {
    format!("(module {PRELUDE} {body})")
}

/// A filter with this body.
pub fn guest(body: &str) -> Module {
    Module::compile(&binary(&text(body))).unwrap()
}

pub fn binary(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

/// A started and configured simulator for a filter with this body.
pub fn configured(body: &str) -> Simulator {
    configured_with(body, Settings::new("test"))
}

pub fn configured_with(body: &str, settings: Settings) -> Simulator {
    let mut simulator = Simulator::new(&guest(body), settings).unwrap();
    assert!(simulator.configure(b"{}").accepted);
    simulator
}

/// The body of a filter that does this with request headers; the code leaves the action.
pub fn on_headers(data: &str, code: &str) -> String {
    format!(
        r#"(data (i32.const 64) "{data}")
        (func (export "proxy_on_request_headers") (param $id i32) (param $lines i32) (param $end i32) (result i32)
          {code})"#
    )
}

pub fn get() -> Request {
    Request::new("GET", "shop.example", "/orders?open=1")
}

pub fn said(logs: &[(wasm_host::Level, String)]) -> Vec<&str> {
    logs.iter().map(|(_, line)| line.as_str()).collect()
}

/// Header lines without the pseudo headers.
pub fn plain(headers: &Pairs) -> Vec<(&[u8], &[u8])> {
    headers
        .iter()
        .map(|(n, v)| (n.as_slice(), v.as_slice()))
        .filter(|(n, _)| !n.starts_with(b":"))
        .collect()
}
