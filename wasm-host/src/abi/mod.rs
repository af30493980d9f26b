//! The ABI as a table: each host call by name, with the function that answers it. No host call is anywhere else.

mod buffers;
mod callouts;
mod foreign;
mod maps;
mod properties;
mod shared;
mod streams;
mod system;
mod wasi;

use wasmtime::{Caller, Linker};

use crate::hostile::Behaviour;
use crate::memory::{Answer, Fault, Host};
use crate::state::State;

/// Defines a table of calls: their names, and how a linker learns them.
macro_rules! table {
    ($names:ident, $link:ident: $( $name:ident => $group:ident :: $function:ident ( $($argument:ident: $type:ty),* ) ; )*) => {
        pub(crate) const $names: &[&str] = &[$(stringify!($name)),*];

        fn $link(linker: &mut Linker<State>, module: &str) -> wasmtime::Result<()> {
            $(
                linker.func_wrap(module, stringify!($name), |caller: Caller<'_, State>, $($argument: $type),*| {
                    answer(caller, stringify!($name), |host| $group::$function(host, $($argument),*))
                })?;
            )*
            Ok(())
        }
    };
}

table! { ENV, link_env:
    proxy_log => system::log(level: u32, data: u32, size: u32);
    proxy_get_log_level => system::log_level(out: u32);
    proxy_get_current_time_nanoseconds => system::current_time(out: u32);
    proxy_set_tick_period_milliseconds => system::set_tick_period(period: u32);
    proxy_get_status => system::status(code_out: u32, data_out: u32, size_out: u32);

    proxy_get_buffer_bytes => buffers::get(kind: u32, start: u32, length: u32, data_out: u32, size_out: u32);
    proxy_set_buffer_bytes => buffers::set(kind: u32, start: u32, length: u32, data: u32, size: u32);
    proxy_get_buffer_status => buffers::status(kind: u32, length_out: u32, flags_out: u32);
    proxy_get_configuration => buffers::configuration(data_out: u32, size_out: u32);

    proxy_get_header_map_pairs => maps::pairs(kind: u32, data_out: u32, size_out: u32);
    proxy_set_header_map_pairs => maps::set_pairs(kind: u32, data: u32, size: u32);
    proxy_get_header_map_value => maps::value(kind: u32, name: u32, name_size: u32, data_out: u32, size_out: u32);
    proxy_add_header_map_value => maps::add(kind: u32, name: u32, name_size: u32, value: u32, value_size: u32);
    proxy_replace_header_map_value => maps::replace(kind: u32, name: u32, name_size: u32, value: u32, value_size: u32);
    proxy_remove_header_map_value => maps::remove(kind: u32, name: u32, name_size: u32);
    proxy_get_header_map_size => maps::size(kind: u32, out: u32);

    proxy_get_property => properties::get(path: u32, path_size: u32, data_out: u32, size_out: u32);
    proxy_set_property => properties::set(path: u32, path_size: u32, value: u32, value_size: u32);

    proxy_get_shared_data => shared::get(key: u32, key_size: u32, data_out: u32, size_out: u32, cas_out: u32);
    proxy_set_shared_data => shared::set(key: u32, key_size: u32, value: u32, value_size: u32, cas: u32);
    proxy_register_shared_queue => shared::register_queue(name: u32, name_size: u32, out: u32);
    proxy_resolve_shared_queue => shared::resolve_queue(vm: u32, vm_size: u32, name: u32, name_size: u32, out: u32);
    proxy_dequeue_shared_queue => shared::dequeue(queue: u32, data_out: u32, size_out: u32);
    proxy_enqueue_shared_queue => shared::enqueue(queue: u32, data: u32, size: u32);

    proxy_define_metric => shared::define_metric(kind: u32, name: u32, name_size: u32, out: u32);
    proxy_increment_metric => shared::increment_metric(id: u32, offset: i64);
    proxy_record_metric => shared::record_metric(id: u32, value: u64);
    proxy_get_metric => shared::metric(id: u32, out: u32);

    proxy_continue_stream => streams::continue_stream(direction: u32);
    proxy_close_stream => streams::close(direction: u32);
    proxy_continue_request => streams::continue_request();
    proxy_continue_response => streams::continue_response();
    proxy_clear_route_cache => streams::clear_route_cache();
    proxy_send_local_response => streams::send_local_response(
        status: u32, details: u32, details_size: u32, body: u32, body_size: u32, headers: u32, headers_size: u32, grpc: u32
    );
    proxy_set_effective_context => streams::set_effective_context(context: u32);
    proxy_done => streams::done();

    proxy_http_call => callouts::http_call(
        cluster: u32, cluster_size: u32, headers: u32, headers_size: u32, body: u32, body_size: u32,
        trailers: u32, trailers_size: u32, timeout: u32, token_out: u32
    );
    proxy_grpc_call => callouts::grpc_call(
        service: u32, service_size: u32, name: u32, name_size: u32, method: u32, method_size: u32,
        metadata: u32, metadata_size: u32, message: u32, message_size: u32, timeout: u32, token_out: u32
    );
    proxy_grpc_stream => callouts::grpc_stream(
        service: u32, service_size: u32, name: u32, name_size: u32, method: u32, method_size: u32,
        metadata: u32, metadata_size: u32, token_out: u32
    );
    proxy_grpc_send => callouts::grpc_send(token: u32, message: u32, message_size: u32, end: u32);
    proxy_grpc_cancel => callouts::grpc_end(token: u32);
    proxy_grpc_close => callouts::grpc_end(token: u32);

    proxy_call_foreign_function => foreign::call(
        name: u32, name_size: u32, arguments: u32, arguments_size: u32, data_out: u32, size_out: u32
    );
}

table! { WASI, link_wasi:
    fd_write => wasi::fd_write(fd: u32, vectors: u32, count: u32, written_out: u32);
    fd_read => wasi::fd_read(fd: u32, vectors: u32, count: u32, read_out: u32);
    fd_seek => wasi::fd_seek(fd: u32, offset: i64, whence: u32, out: u32);
    fd_close => wasi::fd_close(fd: u32);
    fd_fdstat_get => wasi::fd_fdstat_get(fd: u32, out: u32);
    fd_fdstat_set_flags => wasi::fd_fdstat_set_flags(fd: u32, flags: u32);
    fd_prestat_get => wasi::fd_prestat_get(fd: u32, out: u32);
    fd_prestat_dir_name => wasi::fd_prestat_dir_name(fd: u32, path: u32, size: u32);
    environ_get => wasi::environ_get(pointers: u32, bytes: u32);
    environ_sizes_get => wasi::environ_sizes_get(count_out: u32, size_out: u32);
    args_get => wasi::args_get(pointers: u32, bytes: u32);
    args_sizes_get => wasi::args_sizes_get(count_out: u32, size_out: u32);
    clock_time_get => wasi::clock_time_get(clock: u32, precision: u64, out: u32);
    random_get => wasi::random_get(data: u32, size: u32);
    sched_yield => wasi::sched_yield();
}

/// Answers nothing, so it does not fit the table.
pub(crate) const PROC_EXIT: &str = "proc_exit";

/// The two names under which WASI preview 1 is imported.
pub(crate) const WASI_MODULES: [&str; 2] = ["wasi_snapshot_preview1", "wasi_unstable"];

/// The names of all host calls: what a [`crate::Hostile`] rule can be about. WASI comes last.
pub fn host_call_names() -> Vec<&'static str> {
    ENV.iter().chain(WASI).copied().collect()
}

/// Whether a module may import this.
pub(crate) fn is_known(module: &str, name: &str) -> bool {
    let wasi = || WASI.contains(&name) || name == PROC_EXIT;
    (module == "env" && ENV.contains(&name)) || (WASI_MODULES.contains(&module) && wasi())
}

/// Teaches a linker every host call.
pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    link_env(linker, "env")?;
    for module in WASI_MODULES {
        link_wasi(linker, module)?;
        linker.func_wrap(module, PROC_EXIT, |code: i32| -> wasmtime::Result<()> {
            Err(wasi::exit(code))
        })?;
    }
    Ok(())
}

/// What stands around every host call: it is counted, a hostile rule may take over, an answer becomes a number.
fn answer(
    mut caller: Caller<'_, State>,
    name: &'static str,
    call: impl FnOnce(&mut Host<'_>) -> Answer,
) -> wasmtime::Result<u32> {
    let lie = match caller.data_mut().arrive(name) {
        Some(Behaviour::Refuse(status)) => return Ok(status.code()),
        Some(Behaviour::RefuseWith(code)) => return Ok(code),
        Some(Behaviour::Ignore) => return Ok(0),
        Some(Behaviour::Lie(lie)) => Some(lie),
        None => None,
    };
    match call(&mut Host::new(caller, lie)) {
        Ok(()) => Ok(0),
        Err(Fault::Refused(code)) => Ok(code),
        Err(Fault::Stopped(error)) => Err(error),
    }
}
