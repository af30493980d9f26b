//! Stands in for the host where there is none: on the machine that checks and unit-tests this crate. Every call fails.
#![allow(clippy::too_many_arguments, reason = "the ABI's own signatures")]

const UNIMPLEMENTED: u32 = 12;

macro_rules! no_host {
    ($($name:ident($($argument:ident: $kind:ty),*);)*) => {
        $(pub unsafe fn $name($(_: $kind),*) -> u32 { UNIMPLEMENTED })*
    };
}

no_host! {
    proxy_log(level: u32, message: *const u8, size: usize);
    proxy_get_log_level(level: *mut u32);
    proxy_get_current_time_nanoseconds(time: *mut u64);
    proxy_set_tick_period_milliseconds(period: u32);
    proxy_get_buffer_bytes(kind: u32, start: usize, max: usize, data: *mut *mut u8, size: *mut usize);
    proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize);
    proxy_replace_header_map_value(map: u32, name: *const u8, name_size: usize, value: *const u8, value_size: usize);
    proxy_remove_header_map_value(map: u32, name: *const u8, name_size: usize);
    proxy_get_property(path: *const u8, path_size: usize, data: *mut *mut u8, size: *mut usize);
    proxy_send_local_response(status: u32, details: *const u8, details_size: usize, body: *const u8, body_size: usize, headers: *const u8, headers_size: usize, grpc: i32);
    proxy_call_foreign_function(name: *const u8, name_size: usize, argument: *const u8, argument_size: usize, data: *mut *mut u8, size: *mut usize);
    proxy_define_metric(kind: u32, name: *const u8, size: usize, id: *mut u32);
    proxy_increment_metric(id: u32, by: i64);
    proxy_record_metric(id: u32, value: u64);
    proxy_get_metric(id: u32, value: *mut u64);
}
