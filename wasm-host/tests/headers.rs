//! Header maps and properties, as Envoy shows them.

mod common;

use common::{configured, configured_with, get, on_headers, plain, said};
use wasm_host::{Properties, Settings};

const SAY_X: &str = "(call $say (call $value (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 0) (i32.const 4)))";

#[test]
fn the_single_value_getter_gives_the_first_line_only() {
    let mut simulator = configured(&on_headers("x", &format!("{SAY_X} (i32.const 0)")));
    let outcome = simulator.request(get().header("X", "one").header("x", "two"));
    assert_eq!(said(&outcome.effects.logs), ["one"]);
    assert!(outcome.reaches_upstream());
    assert!(outcome.finished);
}

#[test]
fn a_missing_header_is_not_found() {
    let mut simulator = configured(&on_headers("x", &format!("{SAY_X} (i32.const 0)")));
    assert_eq!(said(&simulator.request(get()).effects.logs), ["B"]);
}

#[test]
fn the_map_gives_every_line_with_its_bytes() {
    // The map goes back as it came: what upstream gets is what was given.
    let body = on_headers(
        "",
        "(drop (call $pairs (i32.const 0) (i32.const 0) (i32.const 4)))
         (drop (call $set_pairs (i32.const 0) (i32.load (i32.const 0)) (i32.load (i32.const 4))))
         (i32.const 0)",
    );
    let request = get()
        .header("X-A", [0xff, 0x00, 0xfe])
        .header("x-b", "")
        .header("x-a", "two");
    let outcome = configured(&body).request(request);
    let lines: Vec<(&[u8], &[u8])> = vec![
        (b"x-a", &[0xff, 0x00, 0xfe]),
        (b"x-b", b""),
        (b"x-a", b"two"),
    ];
    assert_eq!(plain(&outcome.headers_after), lines);
}

#[test]
fn lines_are_added_replaced_and_removed() {
    let call = |name: &str| {
        format!(
            "(drop (call ${name} (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 64) (i32.const 2)))"
        )
    };
    let run = |code: &str| {
        let mut simulator = configured(&on_headers("Xy", &format!("{code} (i32.const 0)")));
        let outcome = simulator.request(get().header("x", "1").header("z", "0").header("x", "2"));
        plain(&outcome.headers_after)
            .iter()
            .map(|(n, v)| {
                format!(
                    "{}={}",
                    String::from_utf8_lossy(n),
                    String::from_utf8_lossy(v)
                )
            })
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(run(&call("add")), "x=1 z=0 x=2 x=Xy");
    assert_eq!(run(&call("replace")), "z=0 x=Xy");
    assert_eq!(
        run("(drop (call $remove (i32.const 0) (i32.const 64) (i32.const 1)))"),
        "z=0"
    );
}

#[test]
fn headers_that_went_on_can_not_be_changed() {
    let body = on_headers(
        "x",
        &format!(
            "(drop (call $continue (i32.const 0))) {SAY_X}
         (call $letter (call $remove (i32.const 0) (i32.const 64) (i32.const 1))) (i32.const 1)"
        ),
    );
    let outcome = configured(&body).request(get().header("x", "1"));
    assert_eq!(said(&outcome.effects.logs), ["C", "C"]);
    assert!(
        outcome.reaches_upstream(),
        "continue_stream overrides the Pause that was returned"
    );
    assert_eq!(plain(&outcome.headers_after).len(), 1);
}

#[test]
fn the_access_log_reads_headers_again_but_can_not_change_them() {
    let body = format!(
        r#"(data (i32.const 64) "x")
        (func (export "proxy_on_log") (param i32) {SAY_X}
          (call $letter (call $remove (i32.const 0) (i32.const 64) (i32.const 1))))"#
    );
    let outcome = configured(&body).request(get().header("x", "1"));
    assert_eq!(said(&outcome.effects.logs), ["1", "C"]);
}

#[test]
fn properties_come_from_the_stream_then_the_host_then_the_headers() {
    let ask = |path: &str| {
        let wire = path.replace('.', "\\00");
        let code = format!(
            "(call $say (call $property (i32.const 64) (i32.const {}) (i32.const 0) (i32.const 4))) (i32.const 0)",
            path.len()
        );
        let mut settings = Settings::new("test");
        settings.properties = Properties::new()
            .string("xds.node.id", "router~1")
            .string("source.address", "host");
        let mut simulator = configured_with(&on_headers(&wire, &code), settings);
        let properties = Properties::new()
            .string("source.address", "10.0.0.1:80")
            .integer("xds.listener_direction", 2);
        let outcome = simulator.request(get().header("x", "1").header("x", "2").with(properties));
        outcome.effects.logs[0].1.clone()
    };
    assert_eq!(ask("source.address"), "10.0.0.1:80");
    assert_eq!(ask("xds.node.id"), "router~1");
    assert_eq!(ask("xds.listener_direction"), "\u{2}\0\0\0\0\0\0\0");
    assert_eq!(ask("plugin_name"), "test");
    assert_eq!(ask("request.method"), "GET");
    assert_eq!(ask("request.url_path"), "/orders");
    assert_eq!(ask("request.query"), "open=1");
    assert_eq!(ask("request.headers.x"), "1,2");
    assert_eq!(ask("source.nothing"), "B");
    assert_eq!(ask("source"), "B");
}

#[test]
fn what_is_set_is_filter_state_and_can_be_read_back() {
    let body = on_headers(
        "key",
        "(drop (call $set_property (i32.const 64) (i32.const 3) (i32.const 65) (i32.const 2)))
         (call $say (call $property (i32.const 64) (i32.const 3) (i32.const 0) (i32.const 4))) (i32.const 0)",
    );
    let outcome = configured(&body).request(get());
    assert_eq!(said(&outcome.effects.logs), ["ey"]);
    assert_eq!(outcome.properties_set[&b"key"[..]], b"ey");
}
