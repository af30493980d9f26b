//! The real module through its life under wasmtime: which policy the gauge names, request trailers, a host that fails beside the requests.
#![cfg(feature = "wasm")]

use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use corpus::{Keys, Mint};
use policy::Policy;
use serde_json::{Value, json};
use signature::Software;
use wasm_host::{
    Action, Behaviour, Hostile, Level, Lie, Module, Outcome, Pairs, Properties, Request, Settings,
    Simulator, Status,
};

static MODULE: LazyLock<Module> = LazyLock::new(|| {
    let path = std::env::var_os("KYMA_ISTIO_WASM").expect("KYMA_ISTIO_WASM names the filter: run `make wasm`, then `KYMA_ISTIO_WASM=$PWD/out/header-policy.wasm cargo test -p corpus`");
    let bytes = std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", Path::new(&path).display()));
    Module::compile(&bytes).unwrap()
});

fn start(plugin: &str) -> Simulator {
    Simulator::new(&MODULE, Settings::new(plugin)).unwrap()
}

fn policy(spec: Value) -> Vec<u8> {
    json!({"apiVersion": policy::API_VERSION, "spec": spec})
        .to_string()
        .into_bytes()
}

fn hops(hops: u32) -> Vec<u8> {
    policy(
        json!({"position": "Gateway", "forwarded": {"trust": {"hops": hops}, "clientIpHeader": "x-user"}}),
    )
}

fn gauge_of(policy: &[u8]) -> u64 {
    Policy::from_json(policy, &Software)
        .unwrap()
        .fingerprint()
        .gauge()
}

fn get() -> Request {
    Request::new("GET", "shop.example", "/").header("x-forwarded-for", "203.0.113.9, 192.0.2.1")
}

fn gauge(simulator: &Simulator, plugin: &str) -> u64 {
    let name = format!("kyma_istio.header_policy.{plugin}.policy_fingerprint");
    simulator.metrics()[&name].value
}

#[test]
fn the_newest_policy_alone_asserts_the_gauge() {
    let mut simulator = start("filter");
    let (old, new) = (hops(1), hops(2));
    assert!(simulator.configure(&old).accepted);
    let open = simulator.open(get());
    assert!(simulator.configure(&new).accepted);
    for seconds in [5, 10] {
        simulator.tick(Duration::from_secs(seconds));
        assert_eq!(gauge(&simulator, "filter"), gauge_of(&new));
    }
    // The counter of the replaced one is handed over all the same.
    assert_eq!(
        simulator.metrics()["kyma_istio.header_policy.filter.allowed"].value,
        1
    );
    simulator.finish(open.stream).unwrap();
    assert_eq!(gauge(&simulator, "filter"), gauge_of(&new));
}

/// A roll-back while requests of both policies are open: Envoy takes the old root context up again and does not configure it.
#[test]
fn a_policy_that_is_taken_up_again_asserts_the_gauge() {
    let mut simulator = start("filter");
    let (old, new) = (hops(1), hops(2));
    assert!(simulator.configure(&old).accepted);
    let first = simulator.open(get());
    assert!(simulator.configure(&new).accepted);
    let second = simulator.open(get());
    simulator.tick(Duration::from_secs(5));
    assert_eq!(gauge(&simulator, "filter"), gauge_of(&new));
    assert!(simulator.take_up_replaced());
    simulator.request(get());
    for seconds in [10, 15] {
        assert_eq!(gauge(&simulator, "filter"), gauge_of(&old));
        simulator.tick(Duration::from_secs(seconds));
    }
    simulator.finish(second.stream).unwrap();
    simulator.finish(first.stream).unwrap();
    assert_eq!(gauge(&simulator, "filter"), gauge_of(&old));
}

const NOW: Duration = Duration::from_secs(1_000_000_000);

/// Old and new policy share one memory, which never shrinks: what the replaced one drops, the new one fills.
#[test]
fn a_replaced_policy_drops_its_verified_tokens() {
    let spec = |revision: &str| {
        policy(
            json!({"position": "Gateway", "revision": revision, "jwt": {"otherwise": "Require",
            "providers": [{"name": "l", "issuer": "i", "audiences": ["a"], "jwks": jwks(), "payloadHeader": "x-payload"}]}}),
        )
    };
    let keys = Keys::near(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/cases"));
    let mut mint = Mint::new(keys.unwrap(), NOW.as_secs());
    let tokens: Vec<String> = (0..600)
        .map(|number| {
            let claims =
                json!({"iss": "i", "aud": "a", "jti": number.to_string(), "pad": "p".repeat(2800)});
            let token = serde_json::from_value(json!({"key": "ec-a", "claims": claims})).unwrap();
            mint.mint(&token).unwrap()
        })
        .collect();
    let with = |token: &String| {
        get()
            .header("authorization", format!("Bearer {token}"))
            .at(NOW)
    };
    let mut simulator = start("filter");
    let fill = |simulator: &mut Simulator| {
        for token in &tokens {
            let outcome = simulator.request(with(token));
            assert!(outcome.reaches_upstream(), "{:?}", outcome.local_reply);
        }
        simulator.memory_bytes()
    };
    assert!(simulator.configure(&spec("1")).accepted);
    let empty = simulator.memory_bytes();
    let full = fill(&mut simulator);
    let open = simulator.open(with(&tokens[0]));
    assert!(open.reaches_upstream());
    assert!(simulator.configure(&spec("2")).accepted);
    simulator.tick(Duration::from_secs(5));
    let both = fill(&mut simulator);
    assert!(full > empty + (1 << 20), "{empty} {full}");
    assert!(both - full < (full - empty) / 4, "{empty} {full} {both}");
}

#[test]
fn a_refused_policy_leaves_the_gauge_to_the_running_one() {
    let mut simulator = start("filter");
    assert!(simulator.configure(&hops(1)).accepted);
    assert!(!simulator.configure(b"{}").accepted);
    simulator.tick(Duration::from_secs(5));
    assert_eq!(gauge(&simulator, "filter"), gauge_of(&hops(1)));
}

/// Names of plugins are anybody's; those of letters, digits, `-` and `_` stand in the metric as they are.
#[test]
fn every_name_of_a_plugin_has_metrics_of_its_own() {
    for (plugin, metric) in [
        ("a_b-C9", "a_b-C9"),
        ("a.b", "a~2eb"),
        ("a~2eb", "a~7e2eb"),
        ("a b", "a~20b"),
        ("é", "~c3~a9"),
        ("", "default"),
        (
            "shop.edge~istio-translated-wasmplugin",
            "shop~2eedge~7eistio-translated-wasmplugin",
        ),
    ] {
        let mut simulator = start(plugin);
        assert!(simulator.configure(&hops(1)).accepted);
        assert_eq!(gauge(&simulator, metric), gauge_of(&hops(1)), "{plugin}");
    }
}

#[test]
fn a_host_without_ticks_or_metrics_is_told_once() {
    for call in ["proxy_set_tick_period_milliseconds", "proxy_define_metric"] {
        let mut simulator = start("filter");
        simulator.set_hostile(Hostile::always(
            call,
            Behaviour::Refuse(Status::InternalFailure),
        ));
        let configured = simulator.configure(&hops(1));
        assert!(configured.accepted, "{call}");
        let mut logs = configured.effects.logs;
        for seconds in [5, 10] {
            logs.extend(
                simulator
                    .request(Request::new("GET", "a", "/"))
                    .effects
                    .logs,
            );
            logs.extend(simulator.tick(Duration::from_secs(seconds)).effects.logs);
        }
        let warnings: Vec<&str> = logs
            .iter()
            .filter(|(level, _)| *level == Level::Warn)
            .map(|(_, line)| line.as_str())
            .collect();
        assert_eq!(warnings.len(), 1, "{call}: {warnings:?}");
        assert!(warnings[0].contains("Status(10)"), "{warnings:?}");
    }
}

/// gRPC over HTTP/2, "Requests": the content type begins with `application/grpc`; `grpc-message` is text for people.
#[test]
fn a_grpc_client_gets_a_phrase() {
    let refused = |content_type: &str, body: &str| {
        let mut simulator = start("filter");
        let spec = json!({"position": "Gateway", "forwarded": {"trust": {"hops": 2}, "outbound": "Replace"},
            "replies": {"body": body}});
        assert!(simulator.configure(&policy(spec)).accepted);
        let outcome = simulator.request(get().header("content-type", content_type));
        let reply = outcome.local_reply.unwrap();
        let sent = reply
            .headers
            .iter()
            .find(|(name, _)| name == b"content-type");
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (text(&reply.body), sent.map(|(_, value)| text(value)))
    };
    let phrase = ("Bad Request".to_owned(), None);
    for content_type in ["application/grpc", "application/grpc+proto"] {
        assert_eq!(refused(content_type, "ProblemJson"), phrase);
        assert_eq!(refused(content_type, "Plain"), phrase);
        assert_eq!(refused(content_type, "Empty"), (String::new(), None));
    }
    let json = refused("application/json", "ProblemJson");
    assert_eq!(json.1.as_deref(), Some("application/problem+json"));
}

fn pairs(lines: &[(&str, &str)]) -> Pairs {
    lines
        .iter()
        .map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()))
        .collect()
}

/// A request's trailers, sent once the headers went on.
fn show_trailers(
    simulator: &mut Simulator,
    request: Request,
    hostile: Hostile,
    trailers: &[(&str, &str)],
) -> Outcome {
    let open = simulator.open(Request {
        body_end: false,
        ..request
    });
    assert_eq!(open.action, Action::Continue);
    simulator.set_hostile(hostile);
    let outcome = simulator.trailers(open.stream, pairs(trailers)).unwrap();
    simulator.set_hostile(Hostile::none());
    outcome
}

const FORGED: [(&str, &str); 7] = [
    ("x-user", "root"),
    ("x_user", "root"),
    ("x-client-ip", "127.0.0.1"),
    ("x.real.ip", "127.0.0.1"),
    ("x-forwarded-for", "127.0.0.1"),
    ("x_forwarded_for", "127.0.0.1"),
    ("x-forwarded-proto", "https"),
];
const INNOCENT: (&str, &str) = ("grpc-previous-rpc-attempts", "1");

fn after(spec: Value, request: Request, trailers: &[(&str, &str)]) -> Pairs {
    let mut simulator = start("filter");
    assert!(simulator.configure(&policy(spec)).accepted);
    let outcome = show_trailers(&mut simulator, request, Hostile::none(), trailers);
    assert_eq!(outcome.action, Action::Continue);
    outcome.trailers_after.unwrap()
}

/// RFC 9110 section 6.5.1: a recipient may merge trailers into headers.
#[test]
fn no_trailer_carries_what_the_policy_may_emit_or_judges() {
    let trailers: Vec<_> = [&FORGED[..], &[INNOCENT]].concat();
    let chain = json!({"trust": {"hops": 1}, "clientIpHeader": "x-user"});
    let spec = json!({"position": "Gateway", "forwarded": chain});
    assert_eq!(after(spec, get(), &trailers), pairs(&[INNOCENT]));
    // No trusted proxy writes such trailers either.
    let kept = json!({"trust": {"hops": 1}, "clientIpHeader": "x-user",
        "companions": {"keep": ["x-real-ip"], "also": ["x-shop-*"]}});
    let spec = json!({"position": "Gateway", "forwarded": kept});
    let more: Vec<_> = [&trailers[..], &[("x-shop-ip", "::1")]].concat();
    assert_eq!(after(spec, get(), &more), pairs(&[INNOCENT]));
    // What a rule looks at can't be replaced: see "Which rule?". Nor is there a second token for a server that merges trailers.
    let spec = json!({"position": "Gateway", "jwt": {"otherwise": "Open",
        "providers": [{"name": "l", "issuer": "i", "audiences": ["a"], "jwks": jwks(),
            "claimsToHeaders": [{"claim": "sub", "header": "x-user"}]}],
        "rules": [{"paths": ["/a"], "methods": ["GET"], "access": "Deny"}]}});
    let replacing = [
        ("x-user", "root"),
        ("X-HTTP-Method_Override", "DELETE"),
        ("x-original-url", "/a"),
        ("Authorization", "Bearer other"),
        INNOCENT,
    ];
    assert_eq!(after(spec, get(), &replacing), pairs(&[INNOCENT]));
}

#[test]
fn trailers_that_are_not_judged_stay() {
    let trailers = pairs(&FORGED);
    let chain = json!({"trust": {"hops": 1}, "clientIpHeader": "x-user"});
    let shadow = json!({"position": "Gateway", "mode": "Shadow", "forwarded": chain});
    assert_eq!(after(shadow, get(), &FORGED), trailers);
    let outbound = get().with(
        Properties::new()
            .string("xds.node.id", "sidecar~10.0.0.1~pod.namespace~namespace")
            .integer("xds.listener_direction", 2),
    );
    assert_eq!(
        after(json!({"forwarded": chain}), outbound, &FORGED),
        trailers
    );
    let none = after(
        json!({"position": "Gateway", "forwarded": chain}),
        get(),
        &[],
    );
    assert_eq!(none, pairs(&[]));
}

/// The table of hostile.rs, for trailers.
#[test]
fn a_host_that_fails_or_lies_lets_no_forged_trailer_on() {
    let mut simulator = start("filter");
    assert!(simulator.configure(&hops(1)).accepted);
    let mut behaviours: Vec<Behaviour> = Status::ALL
        .into_iter()
        .filter(|status| *status != Status::Ok)
        .map(Behaviour::Refuse)
        .collect();
    behaviours.push(Behaviour::RefuseWith(13));
    behaviours.push(Behaviour::Ignore);
    // Wrong pointers and sizes may stop the VM, and with it the request.
    let lies = Lie::samples()
        .into_iter()
        .filter(|lie| !matches!(lie, Lie::ReportPointer(_) | Lie::ReportSize(_)));
    behaviours.extend(lies.map(Behaviour::Lie));
    for call in [
        "proxy_get_header_map_pairs",
        "proxy_remove_header_map_value",
    ] {
        for behaviour in &behaviours {
            let consistent = matches!(
                (call, behaviour),
                // The host says that it removed them, or names others.
                ("proxy_remove_header_map_value", Behaviour::Ignore)
                    | (_, Behaviour::Lie(Lie::NamesNotUtf8))
            );
            let hostile = Hostile::always(call, behaviour.clone());
            let outcome = show_trailers(&mut simulator, get(), hostile, &FORGED);
            assert_eq!(outcome.effects.trap, None, "{call} {behaviour:?}");
            let forged = outcome
                .trailers_after
                .as_ref()
                .is_some_and(|t| !t.is_empty());
            assert!(
                !forged || !outcome.reaches_upstream() || consistent,
                "{call} {behaviour:?}: {outcome:?}"
            );
            if !outcome.reaches_upstream() {
                assert_eq!(outcome.local_reply.unwrap().status, 403);
            }
        }
    }
}

fn jwks() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/keys/jwks.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}
