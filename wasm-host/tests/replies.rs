//! Local replies and resets.

mod common;

use common::{configured, get, on_headers, plain};
use wasm_host::{Action, Direction};

fn reply(status: u32, grpc: i32) -> String {
    format!(
        "(drop (call $reply (i32.const {status}) (i32.const 64) (i32.const 3) (i32.const 67) (i32.const 4)
           (i32.const 80) (i32.const 16) (i32.const {grpc})))"
    )
}

/// `why` are the details, `body` the body; at 80 a map with `A: b`.
const DATA: &str = "whybody\\00\\00\\00\\00\\00\\00\\00\\00\\00\\01\\00\\00\\00\\01\\00\\00\\00\\01\\00\\00\\00A\\00b\\00";

#[test]
fn only_the_first_reply_counts_and_it_stops_the_request() {
    let code = format!("{} {} (i32.const 0)", reply(401, -1), reply(200, 7));
    let outcome = configured(&on_headers(DATA, &code)).request(get());
    let answer = outcome.local_reply.clone().unwrap();
    assert_eq!((answer.status, answer.grpc_status), (401, None));
    assert_eq!(
        (answer.details.as_slice(), answer.body.as_slice()),
        (&b"why"[..], &b"body"[..])
    );
    assert_eq!(plain(&answer.headers), [(&b"a"[..], &b"b"[..])]);
    assert_eq!(
        (outcome.returned, outcome.action),
        (Some(Action::Continue), Action::Pause)
    );
    assert!(!outcome.reaches_upstream());
    assert!(outcome.finished);
}

#[test]
fn a_grpc_status_is_kept() {
    let outcome = configured(&on_headers(
        DATA,
        &format!("{} (i32.const 1)", reply(200, 16)),
    ))
    .request(get());
    assert_eq!(outcome.local_reply.unwrap().grpc_status, Some(16));
}

#[test]
fn changes_after_the_reply_do_not_count() {
    let code = format!(
        "(drop (call $add (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 65) (i32.const 1)))
         {}
         (drop (call $add (i32.const 0) (i32.const 65) (i32.const 1) (i32.const 65) (i32.const 1)))
         (drop (call $continue (i32.const 0)))
         (i32.const 0)",
        reply(403, -1)
    );
    let outcome = configured(&on_headers(DATA, &code)).request(get());
    assert_eq!(plain(&outcome.headers_after), [(&b"w"[..], &b"h"[..])]);
    assert_eq!(outcome.action, Action::Pause);
    assert_eq!(outcome.continued, [Direction::Request]);
}

#[test]
fn a_reset_stops_the_request() {
    let outcome = configured(&on_headers(
        "",
        "(drop (call $close (i32.const 0))) (i32.const 0)",
    ))
    .request(get());
    assert_eq!(outcome.reset, Some(Direction::Request));
    assert!(!outcome.reaches_upstream());
}

#[test]
fn an_open_stream_sees_its_response() {
    let body = format!(
        r#"{}
        (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
          (drop (call $add (i32.const 2) (i32.const 64) (i32.const 1) (i32.const 65) (i32.const 1)))
          (i32.const 0))"#,
        on_headers("xy", "(i32.const 0)")
    );
    let mut simulator = configured(&body);
    let opened = simulator.open(get());
    assert!(opened.reaches_upstream() && !opened.finished);
    let response = wasm_host::Response {
        headers: vec![(b":status".to_vec(), b"200".to_vec())],
        body_end: true,
    };
    let answered = simulator.respond(opened.stream, response.clone()).unwrap();
    assert_eq!(
        plain(&answered.response_headers_after.unwrap()),
        [(&b"x"[..], &b"y"[..])]
    );
    assert!(simulator.finish(opened.stream).unwrap().finished);
    assert!(simulator.respond(opened.stream, response).is_err());
}
