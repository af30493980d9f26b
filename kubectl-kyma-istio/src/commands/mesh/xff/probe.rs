//! `xff probe`: marked requests through a gateway, and what each layer says of them. Nothing is written to the cluster, so
//! only what is logged or echoed there already can be seen.

mod entrance;
mod read;
mod seen;
mod send;

use std::collections::BTreeSet;

use cluster::connect::Connection;
use cluster::observe::observe;
use cluster::proxy::{self, Pod};
use mesh::filter::{Plugin, Select, Selected, selected};
use mesh::observed::{ISTIO_SYSTEM, Observed, ProxyKind};
use serde_json::Value;

use self::send::Answer;
use super::super::runtime;
use crate::cli::Probe;
use crate::error::Error;
use crate::report::{MeshBody, Probed, ProbedRequest, Report, Sight};

/// The longest chain that is made up.
const LONGEST: u64 = 6;

pub fn run(arguments: &Probe) -> Result<Report, Error> {
    let probed = runtime::block_on(async {
        let connection = runtime::reader(&arguments.connection).await?;
        probe(&connection, arguments).await
    })?;
    Ok(Report::new(arguments.output.form, MeshBody::Probed(probed)))
}

async fn probe(connection: &Connection, arguments: &Probe) -> Result<Probed, Error> {
    let observed = observe(connection).await?;
    let gateways: Vec<Selected> =
        selected(&observed.pods, ISTIO_SYSTEM, &Select::Labels([].into()))
            .into_iter()
            .filter(|proxy| proxy.kind == ProxyKind::Gateway)
            .collect();
    let (url, found) = match &arguments.url {
        Some(url) => (url.clone(), None),
        None => entrance::find(&observed, &gateways).map(|(url, name)| (url, Some(name)))?,
    };
    let chains = match arguments.xff.as_slice() {
        [] => made_up(longest_trusted(connection, &gateways).await),
        given => given.iter().cloned().map(Some).collect(),
    };
    let policies = policies(&observed, &gateways);
    let mut missing = BTreeSet::new();
    let before = seen::counts(connection, &policies, &mut missing).await;

    let sender = send::Sender::new(&url, arguments.host.as_deref(), arguments.timeout)?;
    let from = sender.from();
    let answers = tokio::task::spawn_blocking(move || {
        let chains = chains.into_iter().enumerate();
        let answers = chains.map(|(number, chain)| sender.send(number, chain));
        answers.collect::<Result<Vec<Answer>, Error>>()
    });
    let answers = answers
        .await
        .map_err(|error| Error::input(format!("the probe broke off: {error}")))??;

    let places = (gateways.as_slice(), policies.as_slice());
    let (log, counted) = seen::seen(connection, places, &before, &answers, &mut missing).await;
    let clients = headers(&policies, "/spec/forwarded/clientIpHeader");
    let reasons = headers(&policies, "/spec/replies/reasonHeader");
    let requests: Vec<ProbedRequest> = answers
        .iter()
        .map(|answer| request(answer, &log, &clients, &reasons))
        .collect();
    Ok(Probed {
        url: url.to_string(),
        found,
        from,
        not_seen: not_seen(&requests, &policies, &clients)
            .into_iter()
            .chain(missing)
            .collect(),
        requests,
        counted,
    })
}

/// No chain at all, then addresses that are nobody's (RFC 5737, TEST-NET-2): as many as are trusted, and one that is forged.
fn made_up(trusted: u64) -> Vec<Option<String>> {
    let chain = |length: u64| {
        let elements: Vec<String> = (1..=length)
            .rev()
            .map(|number| format!("198.51.100.{number}"))
            .collect();
        (length > 0).then(|| elements.join(", "))
    };
    (0..=(trusted + 1).min(LONGEST)).map(chain).collect()
}

async fn longest_trusted(connection: &Connection, gateways: &[Selected]) -> u64 {
    let mut longest = 0;
    for gateway in gateways {
        // A gateway that can't be asked is told by what is not seen of it.
        let listeners = proxy::trusted_hops(connection, &pod(gateway)).await;
        let hops = listeners.unwrap_or_default().into_values().max();
        longest = longest.max(hops.unwrap_or(0));
    }
    longest
}

/// The policies of ours on these gateways.
fn policies(observed: &Observed, gateways: &[Selected]) -> Vec<Plugin> {
    let ours = observed
        .wasm_plugins
        .iter()
        .map(Plugin::of)
        .filter(Plugin::is_ours);
    ours.filter(|plugin| {
        let proxies = selected(&observed.pods, &plugin.namespace, &plugin.select);
        proxies.iter().any(|proxy| gateways.contains(proxy))
    })
    .collect()
}

/// The names of headers that policies say somewhere.
fn headers(policies: &[Plugin], pointer: &str) -> BTreeSet<String> {
    let configs = policies.iter().filter_map(Plugin::config);
    let names = configs.filter_map(|config| config.pointer(pointer).and_then(Value::as_str));
    names.map(str::to_lowercase).collect()
}

fn request(
    answer: &Answer,
    log: &[String],
    clients: &BTreeSet<String>,
    reasons: &BTreeSet<String>,
) -> ProbedRequest {
    let echoed = read::echoed(&answer.body, &answer.mark);
    let echo = |name: &str| {
        let value = echoed.get(name)?.clone();
        let by = format!("{name}, as the backend echoes it");
        Some(Sight { value, by })
    };
    let line = log.iter().find(|line| line.contains(&answer.mark));
    let logged = line
        .and_then(|line| read::remote_address(line))
        .map(|value| Sight {
            value,
            by: "the gateway's access log".to_owned(),
        });
    let reason = |name: &String| answer.headers.get(name.as_str())?.to_str().ok();
    ProbedRequest {
        sent: answer.chain.clone(),
        status: answer.status,
        envoy: logged.or_else(|| echo("x-envoy-external-address")),
        policy: clients.iter().find_map(|name| echo(name)),
        refused: reasons
            .iter()
            .find_map(reason)
            .or_else(|| line.and_then(|line| read::refusal(line)))
            .map(str::to_owned),
        backend: echo("x-forwarded-for").map(|sight| Sight {
            by: "its echo".to_owned(),
            ..sight
        }),
    }
}

/// What is missing in the answers, and what would bring it.
fn not_seen(
    requests: &[ProbedRequest],
    policies: &[Plugin],
    clients: &BTreeSet<String>,
) -> Vec<String> {
    let mut all = Vec::new();
    let misses = |of: fn(&ProbedRequest) -> bool| requests.iter().any(of);
    if misses(|request| request.envoy.is_none()) {
        all.push("Envoy's view: no access log of the gateway has our marks (a Telemetry with `accessLogging` turns it on), and the backend doesn't echo x-envoy-external-address (Envoy writes it for public addresses only)".to_owned());
    }
    match (policies.is_empty(), clients.is_empty()) {
        (true, _) => all.push("a policy's view: none of ours is on a gateway".to_owned()),
        (_, true) => {
            all.push("the policy's view: it writes no `forwarded.clientIpHeader`".to_owned())
        }
        _ if misses(|request| request.policy.is_none() && request.refused.is_none()) => {
            all.push("the policy's view of some requests: the backend doesn't echo its client header, or they were refused (an access log or `replies.reasonHeader` would say why)".to_owned());
        }
        _ => {}
    }
    if misses(|request| request.backend.is_none()) {
        all.push(
            "the backend's view of some requests: it doesn't echo what it gets, or didn't get it"
                .to_owned(),
        );
    }
    all
}

fn pod(proxy: &Selected) -> Pod {
    Pod {
        namespace: proxy.namespace.clone(),
        name: proxy.name.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_chain_is_longer_than_what_is_trusted() {
        assert_eq!(made_up(0), [None, Some("198.51.100.1".to_owned())]);
        assert_eq!(
            made_up(1).pop().flatten().as_deref(),
            Some("198.51.100.2, 198.51.100.1")
        );
        assert_eq!(made_up(32).len(), 7);
    }
}
