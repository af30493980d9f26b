//! `filter deploy`: from a policy file to a policy that every selected proxy runs, or to a reason and the state before.

use std::io::BufRead;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use cluster::connect::Connection;
use cluster::observe::observe;
use mesh::filter::{
    Finding, Neighbours, Plugin, Target, Wanted, Wish, config, conflicts, needs_routes, selected,
    side, with_position,
};
use mesh::object::Object;
use mesh::observed::{Observed, ProxyKind};
use mesh::problem::Problem;
use serde_json::Value;

use super::super::given::line;
use super::super::{input, runtime};
use super::canary::as_canary;
use super::looking::compiled;
use super::pull::{self, Image, Pull, told};
use super::rollout::{self, Rollout};
use crate::cli::Deploy;
use crate::error::Error;
use crate::printer::Printer;
use crate::redact;
use crate::report::{Deployed, MeshBody, Report};

pub fn run(
    arguments: &Deploy,
    stdin: &mut dyn BufRead,
    printer: &mut Printer<'_>,
) -> Result<Report, Error> {
    let name = input::name(&arguments.file);
    let given = input::meant_policy(&name, &input::text(&arguments.file, stdin)?)?;
    for warning in &given.warnings {
        printer.tell(|text| warning.human(&name, "warning: ", text));
    }
    let warnings = given.warnings;
    let given = given.document;
    let canary = arguments.canary.then(|| as_canary(&given)).flatten();
    let policy = canary.unwrap_or_else(|| given.clone());
    let target = Target::read(&policy).map_err(|problems| Error::Problems {
        what: format!("`{name}` says not where it goes"),
        problems: problems.iter().map(shown).collect(),
    })?;
    let mut deployed = runtime::block_on(async {
        let connection = runtime::writer(&arguments.connection, arguments.operate.dry_run).await?;
        let work = Work {
            connection: &connection,
            arguments,
            policy: &policy,
            target: &target,
            canary_of: arguments
                .canary
                .then(|| given.pointer("/metadata/name")?.as_str())
                .flatten(),
        };
        work.deploy(stdin, printer).await
    })?;
    deployed.policy_warnings = warnings;
    Ok(Report::new(
        arguments.output.form,
        MeshBody::Deployed(Box::new(deployed)),
    ))
}

/// A problem as lines. A token may stand anywhere, as a field's name too.
fn shown(problem: &Problem) -> String {
    let shown = Problem {
        path: redact::anything(&policy::shown(&problem.path)),
        found: redact::anything(&policy::shown(&problem.found)),
        ..problem.clone()
    };
    line("", &shown)
}

struct Work<'a> {
    connection: &'a Connection,
    arguments: &'a Deploy,
    policy: &'a Value,
    target: &'a Target,
    /// The policy that this one may replace, if it is a canary.
    canary_of: Option<&'a str>,
}

impl Work<'_> {
    async fn deploy(
        &self,
        stdin: &mut dyn BufRead,
        printer: &mut Printer<'_>,
    ) -> Result<Deployed, Error> {
        let (observed, live) = tokio::join!(
            observe(self.connection),
            cluster::filter::plugin(self.connection, &self.target.namespace, &self.target.name)
        );
        let (observed, live) = (observed?, live?);
        let live = live.as_ref().map(Plugin::of);
        if let Some(foreign) = live.as_ref().filter(|live| !live.is_ours()) {
            return Err(Error::input_hint(
                format!("WasmPlugin `{foreign}` is there already and isn't a policy of ours"),
                "give the policy another `metadata.name`",
            ));
        }
        // A canary begins with the image of the one that runs.
        let current = match (self.canary_of, &live) {
            (Some(of), None) => {
                cluster::filter::plugin(self.connection, &self.target.namespace, of).await?
            }
            _ => None,
        };
        let current = current.as_ref().map(Plugin::of);
        let mut findings = self.conflicts(&observed, printer).await?;
        let image = self
            .image(live.as_ref().or(current.as_ref()), &mut findings)
            .await?;
        told(&findings, printer)?;
        let object = self.wanted(&observed, live.as_ref(), &image)?;
        let rollout = Rollout {
            connection: self.connection,
            observed: Rc::new(observed),
            object,
            before: live.map(|live| live.object),
            replaces: None,
            check: async |printer: &mut Printer<'_>| self.check_again(printer).await,
            operate: self.arguments.operate,
            rolls: self.arguments.rolls,
            reads_stdin: self.arguments.file.as_os_str() == "-",
            verb: "filter deploy",
        };
        let deployed = rollout::run(rollout, stdin, printer).await?;
        Ok(deployed.with((findings, image.rehearsal)))
    }

    /// What came meanwhile and speaks against it: another policy on the same proxies, proxies that went.
    async fn check_again(&self, printer: &mut Printer<'_>) -> Result<(), Error> {
        let observed = observe(self.connection).await?;
        let mut findings = self.conflicts(&observed, printer).await?;
        findings.retain(|finding| finding.refuses);
        told(&findings, printer)
    }

    async fn image(
        &self,
        live: Option<&Plugin>,
        findings: &mut Vec<Finding>,
    ) -> Result<Image, Error> {
        let arguments = self.arguments;
        let reference = match (&arguments.image, live) {
            (Some(image), _) => image.clone(),
            (None, Some(live)) => pull::reference(&live.object)?,
            (None, None) => {
                return Err(Error::input_hint(
                    "found no image, and nothing is deployed whose image could stay",
                    "`kubectl kyma-istio filter push REF` makes one; name it with `--image REF`",
                ));
            }
        };
        let in_use = live.and_then(|live| live.object.string("/spec/imagePullSecret"));
        let secret = arguments.pull_secret.as_deref().or(in_use);
        let pull = Pull {
            connection: self.connection,
            namespace: &self.target.namespace,
            reference,
            secret: secret.filter(|name| !name.is_empty()).map(str::to_owned),
            skips: arguments.rolls.skip_rehearsal,
            registry: &arguments.registry,
        };
        pull.rehearse(findings).await
    }

    async fn conflicts(
        &self,
        observed: &Observed,
        printer: &mut Printer<'_>,
    ) -> Result<Vec<Finding>, Error> {
        let routes = async {
            match needs_routes(self.policy) {
                true => cluster::filter::routes(self.connection).await,
                false => Ok(Vec::new()),
            }
        };
        let (filters, networks, routes) = tokio::join!(
            cluster::filter::envoy_filters(self.connection),
            cluster::filter::network_policies(self.connection, &self.target.namespace),
            routes
        );
        // Warnings come of these; without the right to read them there are fewer.
        let mut or_none = |found: Result<Vec<Object>, _>| {
            found.unwrap_or_else(|error: cluster::error::ClusterError| {
                printer.story(&format!("not compared: {error}"));
                Vec::new()
            })
        };
        let (filters, networks, routes) = (or_none(filters), or_none(networks), or_none(routes));
        let wish = Wish {
            target: self.target,
            policy: self.policy,
            canary_of: self.canary_of,
        };
        let neighbours = Neighbours {
            envoy_filters: &filters,
            network_policies: &networks,
            routes: &routes,
        };
        Ok(conflicts(&wish, observed, neighbours))
    }

    /// The plugin. What stands there already, with the same image, keeps its revision: nothing is rolled out for nothing.
    fn wanted(
        &self,
        observed: &Observed,
        live: Option<&Plugin>,
        image: &Image,
    ) -> Result<Object, Error> {
        let proxies = selected(&observed.pods, &self.target.namespace, &self.target.select);
        let text = |pointer: &str| self.policy.pointer(pointer).and_then(Value::as_str);
        let judges_outbound = text("/spec/outboundTraffic") == Some("Judge");
        let said = text("/spec/position").unwrap_or("Detect");
        // What is said needn't be found for each stream.
        let is_gateway = proxies.iter().all(|proxy| proxy.kind == ProxyKind::Gateway);
        let placed = with_position(self.policy, "Gateway").filter(|placed| {
            is_gateway && compiled(config(placed, "").to_string().as_bytes()).is_ok()
        });
        let policy = placed.as_ref().unwrap_or(self.policy);
        let build = |revision: &str, previous: Option<&Value>| -> Result<Object, Error> {
            let config = config(policy, revision);
            let fingerprint = match compiled(config.to_string().as_bytes()) {
                Ok(policy) => policy.fingerprint().to_string(),
                Err(problems) => {
                    return Err(Error::input(format!(
                        "the policy doesn't compile with its revision: {}",
                        problems
                            .first()
                            .map(ToString::to_string)
                            .unwrap_or_default()
                    )));
                }
            };
            let wanted = Wanted {
                target: self.target,
                side: side(&proxies, said, judges_outbound),
                url: image.pinned.to_string(),
                pull_secret: image.pull_secret.clone(),
                config,
                fingerprint,
                canary_of: self.canary_of.map(str::to_owned),
                previous,
            };
            wanted
                .plugin()
                .map_err(|error| Error::input(error.to_string()))
        };
        if let Some(live) = live {
            let revision = live
                .config()
                .and_then(|config| config.pointer("/spec/revision"))
                .and_then(Value::as_str);
            let same = build(revision.unwrap_or_default(), live.previous().as_ref())?;
            if same.pointer("/spec") == live.object.pointer("/spec") {
                return Ok(same);
            }
        }
        let own = text("/spec/revision")
            .map(|own| format!("{own} "))
            .unwrap_or_default();
        build(
            &format!("{own}{}", now()),
            live.and_then(|live| live.object.pointer("/spec")),
        )
    }
}

/// A revision that no earlier roll-out had: Envoy skips a configuration that it has seen.
pub fn now() -> String {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    since.as_millis().to_string()
}
