//! The law about spellings: nobody walks around a rule by spelling a host, a path or a method in another way.
//!
//! Envoy has an exact virtual host and an exact route for each host and path that the rules name. A request that Envoy routes to such an entry, or whose path a decoder
//! turns into such a path, meets the rule that the plain spelling meets, or is refused. Rules open and deny at random, so every case comes in both polarities.
//!
//! Our engine judges what Envoy hands to its filters: the routes write method, host and path as they are after Envoy's own normalisation into the response.
//! Seeds are fixed, so a run repeats the one before. `KYMA_LAB_PATH_JUDGE` names lab/tools/path-judge, whose decoders are asked too; with it, `KYMA_ISTIO_SOAK=1` asks for 200,000 spellings.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops at its first failure, and tells how much it compared"
)]

#[path = "../differential/random.rs"]
mod random;
mod spell;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use lab::{Action, Bootstrap, Client, Envoy, Listener, Node, RawRequest};
use policy::{Decision, Headers, Policy, Request, RuleRef, VerifiedTokens};
use random::Random;
use serde_json::{Value, json};
use signature::Software;
use spell::{HOST_WILDCARDS, HOSTS, METHODS, PATH_WILDCARDS, PATHS};

/// Istio's `pathNormalization`, from NONE to DECODE_AND_MERGE_SLASHES, and what else a mesh may set.
fn listeners() -> Vec<Listener> {
    let listener = |name: &str, normalize_path, merge_slashes, more: Value| {
        let mut connection_manager = json!({
            "route_config": routes(),
            // Else one refused request would end all others of its connection.
            "http2_protocol_options": { "override_stream_error_on_invalid_http_message": true },
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            connection_manager[name] = value.clone();
        }
        Listener {
            normalize_path,
            merge_slashes,
            // The routes below answer.
            action: Action::Answer(404),
            access_log: false,
            connection_manager,
            ..Listener::gateway(name)
        }
    };
    vec![
        listener("none", false, false, json!({})),
        listener("base", true, false, json!({})),
        listener("merge", true, true, json!({})),
        listener(
            "decode",
            true,
            true,
            json!({ "path_with_escaped_slashes_action": "UNESCAPE_AND_FORWARD" }),
        ),
        listener(
            "bare",
            true,
            false,
            json!({ "strip_any_host_port": true, "strip_trailing_host_dot": true }),
        ),
    ]
}

/// A virtual host for each host, a route for each path; `x-route` tells which.
fn routes() -> Value {
    let route = |matches: Value, name: String| {
        json!({
            "match": matches,
            "direct_response": { "status": 200 },
            "response_headers_to_add": [{ "header": { "key": "x-route", "value": name } }],
        })
    };
    let host = |host: Option<usize>| {
        let name = host.map_or("-".to_owned(), |host| host.to_string());
        let mut routes: Vec<Value> = PATHS
            .iter()
            .enumerate()
            .map(|(index, path)| route(json!({ "path": path }), format!("{name} {index}")))
            .collect();
        routes.push(route(json!({ "prefix": "/" }), format!("{name} -")));
        json!({
            "name": format!("host-{name}"),
            "domains": [host.map_or("*", |host| HOSTS[host])],
            "routes": routes,
        })
    };
    let hosts: Vec<Value> = (0..HOSTS.len()).map(Some).chain([None]).map(host).collect();
    let seen = |key: &str, header: &str| json!({ "header": { "key": key, "value": format!("%REQ({header})%") } });
    json!({
        "virtual_hosts": hosts,
        // As Istio's gateways have it.
        "ignore_port_in_host_matching": true,
        "response_headers_to_add": [seen("x-method", ":METHOD"), seen("x-host", ":AUTHORITY"), seen("x-path", ":PATH")],
    })
}

/// What arrives at a listener.
struct Case {
    listener: &'static str,
    policy: usize,
    method: String,
    host: String,
    path: String,
}

/// A request as Envoy hands it to its filters, and where it goes.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    method: String,
    host: String,
    path: String,
    /// The virtual host and the route, by their places; `None`: those for everything else.
    route: (Option<usize>, Option<usize>),
}

impl Seen {
    /// From a response's headers; `None`: Envoy refused the request.
    fn read(header: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let route = header("x-route")?;
        let (host, path) = route.split_once(' ')?;
        // Envoy writes `-` for what is not there.
        let text = |name: &str| header(name).filter(|text| text != "-").unwrap_or_default();
        Some(Self {
            method: text("x-method"),
            host: text("x-host"),
            path: text("x-path"),
            route: (host.parse().ok(), path.parse().ok()),
        })
    }

    fn decide(&self, policy: &Policy) -> Decision {
        let latin: Vec<u8> = self.path.chars().map(|c| c as u8).collect();
        let headers: [(&[u8], &[u8]); 3] = [
            (b":method", self.method.as_bytes()),
            (b":authority", self.host.as_bytes()),
            (b":path", &latin),
        ];
        let request = Request {
            headers: Headers::new(&headers),
            peer: policy::Peer::default(),
            position: None,
            tls: false,
            now: Duration::ZERO,
        };
        policy.decide(&request, &mut VerifiedTokens::new(0, 0), &Software)
    }
}

/// What was compared, so that a run that compares nothing is seen.
#[derive(Default, Debug)]
struct Tally {
    refused_by_envoy: usize,
    ambiguous: usize,
    /// Routed to the entry of a host, of a path, though spelled in another way.
    hosts: usize,
    paths: usize,
    /// Turned into a path by a decoder, though spelled in another way.
    decoded: BTreeMap<String, usize>,
    methods: usize,
    /// Spellings that met a rule and would have met `otherwise` or another rule had they been compared as they stand.
    matched: usize,
}

struct Judge<'a> {
    policies: &'a [(Value, Policy)],
    tally: Tally,
    failures: Vec<String>,
}

impl Judge<'_> {
    /// The law: `seen` meets the rule that `plain` meets, or is refused.
    fn holds(&mut self, case: &Case, seen: &Seen, plain: &Seen, who: &str) {
        let (spec, policy) = &self.policies[case.policy];
        let (found, expected) = (seen.decide(policy), plain.decide(policy));
        if found.reason().is_some() || found.trace.rule == expected.trace.rule {
            return;
        }
        self.failures.push(format!(
            "{} {} {}{} is {} {}{} to {who}, but meets {:?} instead of {:?} of {}",
            case.listener,
            case.method,
            case.host,
            case.path,
            plain.method,
            plain.host,
            plain.path,
            found.trace.rule,
            expected.trace.rule,
            spec["jwt"]["rules"],
        ));
    }

    fn judge(&mut self, case: &Case, seen: Option<&Seen>, decoded: Option<&Decoded>) {
        let Some(seen) = seen else {
            self.tally.refused_by_envoy += 1;
            return;
        };
        let decision = seen.decide(&self.policies[case.policy].1);
        match decision.reason() {
            Some(reason) if reason.label().ends_with("Ambiguous") => self.tally.ambiguous += 1,
            _ if matches!(decision.trace.rule, Some(RuleRef::Rule(_))) => self.tally.matched += 1,
            _ => {}
        }
        // Envoy's routes.
        let (host, path) = seen.route;
        let mut plain = seen.clone();
        if let Some(host) = host {
            self.tally.hosts += usize::from(HOSTS[host] != seen.host);
            HOSTS[host].clone_into(&mut plain.host);
        }
        if let Some(path) = path {
            self.tally.paths += usize::from(PATHS[path] != seen.path);
            PATHS[path].clone_into(&mut plain.path);
        }
        self.holds(case, seen, &plain, "Envoy's routes");
        // Decoders.
        for (who, path) in decoded.into_iter().flatten() {
            let Some(path) = path.as_deref() else {
                continue;
            };
            let slash = path.strip_suffix('/').filter(|path| !path.is_empty());
            let same = |plain: &str| path == plain || slash == Some(plain);
            if let Some(index) = spell::plain_paths().iter().position(|plain| same(plain)) {
                let mut plain = seen.clone();
                PATHS[index].clone_into(&mut plain.path);
                if plain.path != seen.path {
                    *self.tally.decoded.entry(who.clone()).or_default() += 1;
                    self.holds(case, seen, &plain, who);
                }
            }
        }
        // Servers that fold methods, and that run their GET handler for HEAD.
        let mut plain = seen.clone();
        plain.method.make_ascii_uppercase();
        if plain.method == "HEAD" {
            "GET".clone_into(&mut plain.method);
        }
        if plain.method != seen.method {
            self.tally.methods += 1;
            self.holds(case, seen, &plain, "a server that folds methods");
        }
    }
}

/// By decoder: what it takes a path for.
type Decoded = BTreeMap<String, Option<String>>;

#[test]
fn no_spelling_walks_around_a_rule() {
    let go = std::env::var("KYMA_LAB_PATH_JUDGE").ok();
    // `make soak` runs this test twice, and once is long enough.
    let amount = match std::env::var_os("KYMA_ISTIO_SOAK") {
        Some(_) if go.is_some() => 200_000,
        _ => 3_000,
    };
    let mut random = Random::new(0x5be1_1196);
    let policies: Vec<(Value, Policy)> = (0..60).map(|_| policy(&mut random)).collect();
    let listeners = listeners();
    let names = ["none", "base", "merge", "decode", "bare"];
    let cases: Vec<Case> = (0..amount)
        .map(|_| Case {
            listener: names[random.below(names.len())],
            policy: random.below(policies.len()),
            method: spell::method(&mut random),
            host: spell::host(&mut random),
            path: spell::path(&mut random),
        })
        .collect();
    let envoy = Envoy::start(&Bootstrap {
        listeners,
        ..Bootstrap::new(Node::Router)
    })
    .unwrap_or_else(|error| panic!("{error}"));

    let mut languages = vec![
        ("Python", "python3".to_owned(), Some("decoders.py")),
        ("Node", node(), Some("decoders.mjs")),
    ];
    let mut decoders = 12;
    if let Some(program) = go {
        languages.push(("Go", program, None));
        decoders += 3;
    }
    let mut judge = Judge {
        policies: &policies,
        tally: Tally::default(),
        failures: Vec::new(),
    };
    for (protocol, seen) in [
        ("HTTP/1", over_http1(&envoy, &cases)),
        ("HTTP/2", over_http2(&envoy, &cases)),
    ] {
        judge.tally = Tally::default();
        let paths: Vec<Value> = seen
            .iter()
            .map(|seen| json!(seen.as_ref().map_or("", |seen| seen.path.as_str())))
            .collect();
        let mut decoded: Vec<Decoded> = vec![Decoded::new(); cases.len()];
        for (language, program, script) in &languages {
            for (all, these) in decoded.iter_mut().zip(run(program, *script, &paths)) {
                let these: Decoded = serde_json::from_value(these).unwrap();
                all.extend(
                    these
                        .into_iter()
                        .map(|(name, path)| (format!("{language} {name}"), path)),
                );
            }
        }
        for ((case, seen), decoded) in cases.iter().zip(&seen).zip(&decoded) {
            judge.judge(case, seen.as_ref(), Some(decoded));
        }
        println!(
            "{} spellings over {protocol}: {:?}",
            cases.len(),
            judge.tally
        );
        let tally = &judge.tally;
        let enough = amount / 200;
        assert!(
            tally.ambiguous > enough
                && tally.hosts > enough
                && tally.paths > enough
                && tally.methods > enough
                && tally.matched > enough,
            "too little was compared: {tally:?}"
        );
        assert!(
            tally.decoded.len() == decoders
                && tally.decoded.values().all(|count| *count > enough / 5),
            "a decoder found too little: {tally:?}"
        );
    }
    assert!(
        judge.failures.is_empty(),
        "{} of {} spellings walk around a rule:\n{}",
        judge.failures.len(),
        2 * cases.len(),
        judge.failures[..judge.failures.len().min(20)].join("\n")
    );
}

/// Rules that open and deny, by any of the hosts, paths and methods.
fn policy(random: &mut Random) -> (Value, Policy) {
    let (hosts, paths) = (
        [HOSTS, HOST_WILDCARDS].concat(),
        [PATHS, PATH_WILDCARDS].concat(),
    );
    let rules: Vec<Value> = (0..1 + random.below(5))
        .map(|_| {
            let access = *random.pick(&[&"Open", &"Deny"]);
            let mut rule = json!({ "access": access });
            let mut some = |field: &str, of: &[&str], percent: usize| {
                if random.chance(percent) {
                    let list: Vec<&str> = (0..1 + random.below(3))
                        .map(|_| *random.choose(of))
                        .collect();
                    rule[field] = json!(list);
                }
            };
            some("hosts", &hosts, 50);
            some("paths", &paths, 75);
            some("methods", METHODS, 30);
            // A rule that matches everything leaves the rest of the list without a request.
            if rule.as_object().unwrap().len() == 1 {
                rule["paths"] = json!([*random.choose(&paths)]);
            }
            rule
        })
        .collect();
    let spec = json!({ "position": "Gateway", "jwt": {
        "providers": [{ "name": "login", "issuer": "https://login.example.com", "anyAudience": true, "jwks": {"keys": [{
            "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        }]} }],
        "rules": rules,
        "otherwise": *random.pick(&[&"Open", &"Deny"]),
    }});
    let document = json!({ "apiVersion": policy::API_VERSION, "spec": spec }).to_string();
    let policy = Policy::from_json(document.as_bytes(), &Software)
        .unwrap_or_else(|problems| panic!("{spec}: {problems:?}"));
    (spec, policy)
}

fn over_http1(envoy: &Envoy, cases: &[Case]) -> Vec<Option<Seen>> {
    let mut client = Client::new();
    let mut send = |case: &Case| {
        let request = RawRequest {
            method: case.method.clone().into_bytes(),
            headers: vec![(b"host".to_vec(), case.host.clone().into_bytes())],
            ..RawRequest::get(case.path.clone())
        };
        let response = client
            .send(envoy.listener(case.listener).unwrap(), &request)
            .unwrap_or_else(|error| panic!("{} {} {}: {error}", case.method, case.host, case.path));
        let latin = |bytes: &[u8]| bytes.iter().copied().map(char::from).collect::<String>();
        Seen::read(|name| response.header(name).map(latin))
    };
    cases.iter().map(&mut send).collect()
}

fn over_http2(envoy: &Envoy, cases: &[Case]) -> Vec<Option<Seen>> {
    let requests: Vec<Value> = cases
        .iter()
        .map(|case| {
            json!({
                "port": envoy.listener(case.listener).unwrap().port(),
                "method": case.method, "host": case.host, "path": case.path,
            })
        })
        .collect();
    let answers = run(&node(), Some("http2.mjs"), &requests);
    let read = |answer: Value| Seen::read(|name| answer[name].as_str().map(str::to_owned));
    answers.into_iter().map(read).collect()
}

fn node() -> String {
    lab::tool("node").unwrap().display().to_string()
}

/// Runs a program, or a script beside this file: a line of JSON in, a line of JSON out for each.
fn run(program: &str, script: Option<&str>, lines: &[Value]) -> Vec<Value> {
    let beside = lab::repository().join("lab/tests/spellings");
    let mut child = Command::new(program)
        .args(script.map(|script| beside.join(script)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| {
            panic!("the law about spellings asks {program}, which can't be run: {error}")
        });
    let mut input = child.stdin.take().unwrap();
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(
        output.status.success(),
        "{program} {script:?}: {}",
        output.status
    );
    let answers: Vec<Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(answers.len(), lines.len(), "{program} {script:?}");
    answers
}
