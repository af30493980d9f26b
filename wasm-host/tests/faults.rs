//! Everything that can go wrong is a value.

mod common;

use common::{binary, configured, configured_with, get, guest, on_headers, said, text};
use wasm_host::{HostError, LoadError, Module, Settings, Simulator, TrapKind};

fn trap_of(code: &str) -> TrapKind {
    let mut settings = Settings::new("test");
    settings.limits.fuel_per_call = 50_000_000;
    settings.limits.memory_bytes = 2 << 20;
    settings.limits.host_bytes_per_call = 1 << 20;
    let body = format!(
        "(func $deep (call $deep)) {}",
        on_headers("", &format!("{code} (i32.const 0)"))
    );
    let outcome = configured_with(&body, settings).request(get());
    assert!(!outcome.reaches_upstream());
    outcome.effects.trap.unwrap().kind
}

#[test]
fn each_trap_has_its_kind() {
    assert_eq!(trap_of("unreachable"), TrapKind::Guest);
    assert_eq!(trap_of("(drop (i32.load (i32.const -8)))"), TrapKind::Guest);
    assert_eq!(trap_of("(loop (br 0))"), TrapKind::OutOfFuel);
    assert_eq!(trap_of("(call $deep)"), TrapKind::StackOverflow);
    assert_eq!(trap_of("(call $exit (i32.const 7))"), TrapKind::Exit(7));
    let grow = "(if (i32.eq (memory.grow (i32.const 100)) (i32.const -1)) (then unreachable))";
    assert_eq!(trap_of(grow), TrapKind::MemoryLimit);
    assert_eq!(
        trap_of("(loop (call $tell (i32.const 0) (i32.const 65536)) (br 0))"),
        TrapKind::HostBytesLimit
    );
}

#[test]
fn a_trap_kills_the_vm() {
    let mut simulator = configured(&on_headers("", "unreachable"));
    let first = simulator.request(get());
    let trap = first.effects.trap.unwrap();
    assert_eq!(
        (trap.kind, trap.during),
        (TrapKind::Guest, "proxy_on_request_headers")
    );
    assert!(trap.message.contains("unreachable"), "{}", trap.message);
    let second = simulator.request(get());
    assert_eq!(second.effects.trap.unwrap().kind, TrapKind::VmFailed);
    assert!(!simulator.configure(b"{}").accepted);
}

#[test]
fn a_trap_in_the_allocator_stops_the_call() {
    let module = text(&on_headers(
        "x",
        "(call $say (call $pairs (i32.const 0) (i32.const 0) (i32.const 4))) (i32.const 0)",
    ))
    .replace("(global.get $heap)\n", "unreachable (global.get $heap)\n");
    let mut simulator = Simulator::new(
        &Module::compile(&binary(&module)).unwrap(),
        Settings::new("test"),
    )
    .unwrap();
    assert!(simulator.configure(b"").accepted);
    assert_eq!(
        simulator.request(get()).effects.trap.unwrap().kind,
        TrapKind::Guest
    );
}

#[test]
fn pointers_out_of_memory_are_a_status() {
    for (data, size) in [
        ("-1", "1"),
        ("0", "-1"),
        ("-1", "-1"),
        ("1048576", "1"),
        ("1048575", "2"),
    ] {
        let code = format!(
            "(call $letter (call $log (i32.const 2) (i32.const {data}) (i32.const {size})))
             (call $letter (call $value (i32.const 0) (i32.const {data}) (i32.const {size}) (i32.const 0) (i32.const 4)))
             (i32.const 0)"
        );
        let mut settings = Settings::new("test");
        settings.limits.host_bytes_per_call = usize::MAX;
        let outcome = configured_with(&on_headers("", &code), settings).request(get());
        // `G` is 6, InvalidMemoryAccess.
        assert_eq!(said(&outcome.effects.logs), ["G", "G"], "{data} {size}");
    }
    let out = "(call $letter (call $pairs (i32.const 0) (i32.const -1) (i32.const 4)))
               (call $letter (call $now (i32.const -4)))
               (call $letter (call $now (i32.const 1048572))) (i32.const 0)";
    assert_eq!(
        said(&configured(&on_headers("", out)).request(get()).effects.logs),
        ["G", "G", "G"]
    );
}

#[test]
fn arguments_out_of_range_are_a_status() {
    let code = "(call $letter (call $pairs (i32.const 8) (i32.const 0) (i32.const 4)))
                (call $letter (call $buffer (i32.const 9) (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 4)))
                (call $letter (call $log (i32.const 6) (i32.const 0) (i32.const 0)))
                (call $letter (call $continue (i32.const 2)))
                (call $letter (call $act_for (i32.const 99)))
                (call $letter (call $increment (i32.const 99) (i64.const 1)))
                (call $letter (call $metric (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 8))) (i32.const 0)";
    let outcome = configured(&on_headers("", code)).request(get());
    assert_eq!(
        said(&outcome.effects.logs),
        ["C", "C", "C", "C", "C", "B", "C"]
    );
}

#[test]
fn what_can_not_be_loaded_is_refused_with_its_reason() {
    let load = |text: &str| Module::compile(&binary(text)).unwrap_err();
    let marker = r#"(func (export "proxy_abi_version_0_2_1"))"#;
    let unknown = load(&format!(
        r#"(module (import "env" "proxy_fly" (func)) (memory (export "memory") 1) {marker})"#
    ));
    assert_eq!(unknown.to_string(), "unknown import `env.proxy_fly`");
    assert!(matches!(
        load(&format!(
            r#"(module (import "env" "proxy_log" (func)) (memory (export "memory") 1) {marker})"#
        )),
        LoadError::ImportType(_)
    ));
    assert!(matches!(
        load(r#"(module (memory (export "memory") 1))"#),
        LoadError::NoAbiVersion
    ));
    assert!(matches!(
        load(&format!("(module {marker})")),
        LoadError::NoMemory
    ));
    assert!(matches!(load("(component)"), LoadError::Component));
    assert!(matches!(
        Module::compile(b"no wasm"),
        Err(LoadError::Invalid(_))
    ));
    assert!(matches!(Module::compile(b""), Err(LoadError::Invalid(_))));
}

#[test]
fn a_guest_that_does_not_start_is_an_error() {
    let trap = Simulator::new(
        &guest(r#"(func (export "_initialize") unreachable)"#),
        Settings::new("test"),
    );
    assert!(matches!(trap.err(), Some(HostError::Trapped(trap)) if trap.during == "_initialize"));
    let refused =
        r#"(func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.const 0))"#;
    assert!(matches!(
        Simulator::new(&guest(refused), Settings::new("test")).err(),
        Some(HostError::StartRefused(_))
    ));
    let mut settings = Settings::new("test");
    settings.limits.memory_bytes = 1 << 16;
    let large = Simulator::new(&guest(""), settings);
    assert!(
        matches!(large.err(), Some(HostError::Trapped(trap)) if trap.kind == TrapKind::MemoryLimit)
    );
}

#[test]
fn an_export_of_another_type_is_a_trap() {
    let body = r#"(func (export "proxy_on_request_headers") (param i64 i32 i32) (result i32) (i32.const 0))"#;
    assert_eq!(
        configured(body).request(get()).effects.trap.unwrap().kind,
        TrapKind::BadExport
    );
}
