//! `filter deploy`: from a policy file to a policy that every selected proxy runs, or to a reason and the state before.

use std::io::BufRead;
use std::time::{SystemTime, UNIX_EPOCH};

use cluster::connect::Connection;
use cluster::guard::Mode;
use cluster::observe::observe;
use delivery::{Checked, Reference, Rehearsal};
use mesh::codes::Code;
use mesh::filter::{
    Finding, Neighbours, Plugin, Target, Wanted, Wish, config, conflicts, selected, side,
    with_position,
};
use mesh::object::Object;
use mesh::observed::{Observed, ProxyKind};
use mesh::plan::Gate;
use serde_json::Value;

use super::super::{input, runtime};
use super::looking::compiled;
use super::rollout::{self, Rollout};
use crate::cli::Deploy;
use crate::error::Error;
use crate::printer::{Printer, Style};
use crate::report::{Body, Deployed, Report};

pub fn run(
    arguments: &Deploy,
    stdin: &mut dyn BufRead,
    printer: &mut Printer<'_>,
) -> Result<Report, Error> {
    let name = input::name(&arguments.file);
    let policy = input::one_policy(&name, &input::text(&arguments.file, stdin)?)?.document;
    let target = Target::read(&policy).map_err(|problems| Error::Problems {
        what: format!("`{name}` says not where it goes"),
        problems,
    })?;
    let mode = match arguments.operate.dry_run {
        true => Mode::DryRun,
        false => Mode::Write,
    };
    let deployed = runtime::block_on(async {
        let connection = runtime::connection(&arguments.connection, mode).await?;
        let work = Work {
            connection: &connection,
            arguments,
            policy: &policy,
            target: &target,
        };
        work.deploy(stdin, printer).await
    })?;
    Ok(Report::new(
        arguments.output.form,
        Body::Deployed(Box::new(deployed)),
    ))
}

struct Work<'a> {
    connection: &'a Connection,
    arguments: &'a Deploy,
    policy: &'a Value,
    target: &'a Target,
}

/// What is pulled, and how.
struct Image {
    pinned: Reference,
    pull_secret: Option<String>,
    rehearsal: Option<Checked>,
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
        let mut findings = self.conflicts(&observed, printer).await?;
        let image = self.image(live.as_ref(), &mut findings).await?;
        told(&findings, printer)?;
        let object = self.wanted(&observed, live.as_ref(), &image)?;
        let rollout = Rollout {
            connection: self.connection,
            observed: &observed,
            object,
            before: live.map(|live| live.object),
            operate: self.arguments.operate,
            brings_back: !self.arguments.no_rollback,
            reads_stdin: self.arguments.file.as_os_str() == "-",
            verb: "filter deploy",
        };
        let mut deployed = rollout::run(rollout, stdin, printer).await?;
        deployed.warnings = findings;
        deployed.rehearsal = image.rehearsal;
        Ok(deployed)
    }

    async fn conflicts(
        &self,
        observed: &Observed,
        printer: &mut Printer<'_>,
    ) -> Result<Vec<Finding>, Error> {
        let (filters, networks) = tokio::join!(
            cluster::filter::envoy_filters(self.connection),
            cluster::filter::network_policies(self.connection, &self.target.namespace)
        );
        // Warnings come of these; without the right to read them there are fewer.
        let mut or_none = |found: Result<Vec<Object>, _>| {
            found.unwrap_or_else(|error: cluster::error::ClusterError| {
                printer.story(&format!("not compared: {error}"));
                Vec::new()
            })
        };
        let (filters, networks) = (or_none(filters), or_none(networks));
        let wish = Wish {
            target: self.target,
            policy: self.policy,
            canary_of: None,
        };
        let neighbours = Neighbours {
            envoy_filters: &filters,
            network_policies: &networks,
        };
        Ok(conflicts(&wish, observed, neighbours))
    }

    /// The image, pinned; the pull rehearsed with the secret that the proxies will use.
    async fn image(
        &self,
        live: Option<&Plugin>,
        findings: &mut Vec<Finding>,
    ) -> Result<Image, Error> {
        let arguments = self.arguments;
        let reference = match (&arguments.image, live) {
            (Some(image), _) => image.clone(),
            (None, Some(live)) => live
                .url()
                .parse()
                .map_err(|error: delivery::InvalidReference| Error::input(error.to_string()))?,
            (None, None) => {
                return Err(Error::input_hint(
                    "found no image, and nothing is deployed whose image could stay",
                    "`kubectl kyma-istio filter push REF` makes one; name it with `--image REF`",
                ));
            }
        };
        let in_use = live.and_then(|live| live.object.string("/spec/imagePullSecret"));
        let pull_secret = arguments
            .pull_secret
            .clone()
            .or_else(|| in_use.map(str::to_owned));
        let pull_secret = pull_secret.filter(|name| !name.is_empty());
        let content = match &pull_secret {
            Some(name) => self.secret(name, findings).await?,
            None => None,
        };
        if arguments.skip_rehearsal {
            let digest = reference.digest().ok_or_else(|| {
                Error::input_hint(
                    format!(
                        "found `{reference}` without a digest, which only a rehearsal could find"
                    ),
                    "write `@sha256:…` behind it, as `filter push` prints it",
                )
            })?;
            return Ok(Image {
                pinned: reference.pinned(digest),
                pull_secret,
                rehearsal: None,
            });
        }
        let options = arguments.registry.options();
        let url = reference.to_string();
        let rehearsed = tokio::task::spawn_blocking(move || {
            let rehearsal = Rehearsal {
                url: &url,
                sha256: None,
                secret: content.as_deref(),
                insecure: false,
            };
            delivery::rehearse(&rehearsal, &options)
        });
        let checked = rehearsed
            .await
            .map_err(|error| Error::input(format!("the rehearsal broke off: {error}")))?;
        if let Some(step) = checked.failure() {
            let hint = step.hint.clone().unwrap_or_else(|| {
                "`filter inspect` tells more; `--skip-rehearsal` deploys where only the proxies reach the registry".to_owned()
            });
            findings.push(refusal(
                Code::PullFails,
                format!("{:?}: {}", step.name, step.found),
                hint,
            ));
        }
        let accepted = checked
            .module
            .as_ref()
            .map(|module| module.policy_versions.as_deref().unwrap_or_default());
        if let Some(versions) = accepted.filter(|versions| {
            !versions
                .iter()
                .any(|version| version == policy::API_VERSION)
        }) {
            let said = match versions.is_empty() {
                true => "says not which policies it accepts: it isn't this filter, or an old one"
                    .to_owned(),
                false => format!("accepts {}", versions.join(", ")),
            };
            findings.push(refusal(
                Code::PolicyVersion,
                format!(
                    "the module in `{reference}` {said}; the policy is `{}`",
                    policy::API_VERSION
                ),
                "push the filter of this plugin: `kubectl kyma-istio filter push REF`".to_owned(),
            ));
        }
        let pinned = checked
            .image
            .as_ref()
            .map_or_else(|| reference.clone(), |image| image.reference.clone());
        Ok(Image {
            pinned,
            pull_secret,
            rehearsal: Some(checked),
        })
    }

    async fn secret(
        &self,
        name: &str,
        findings: &mut Vec<Finding>,
    ) -> Result<Option<Vec<u8>>, Error> {
        let namespace = &self.target.namespace;
        let problem = match cluster::filter::pull_secret(self.connection, namespace, name).await? {
            None => format!("there is no Secret `{namespace}/{name}`"),
            Some(secret) if secret.kind != cluster::filter::PULL_SECRET_TYPE => {
                format!(
                    "Secret `{namespace}/{name}` is of type `{}`, expected `{}`",
                    secret.kind,
                    cluster::filter::PULL_SECRET_TYPE
                )
            }
            Some(secret) => return Ok(secret.content),
        };
        let hint = format!(
            "create it with `kubectl create secret docker-registry {name} -n {namespace} …`"
        );
        findings.push(refusal(Code::PullSecret, problem, hint));
        Ok(None)
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
                canary_of: None,
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

fn refusal(code: Code, what: String, hint: String) -> Finding {
    Finding {
        code,
        refuses: true,
        what,
        hint,
    }
}

/// Warnings are told, refusals end it.
fn told(findings: &[Finding], printer: &mut Printer<'_>) -> Result<(), Error> {
    for warning in findings.iter().filter(|finding| !finding.refuses) {
        printer.tell(|text| {
            let label = text.styled(Style::Strong, "warning:");
            text.line(format_args!("{label} {}  {}", warning.code, warning.what));
            text.hint(&warning.hint);
        });
    }
    let gates: Vec<Gate> = findings
        .iter()
        .filter(|finding| finding.refuses)
        .map(|finding| Gate {
            code: finding.code,
            what: finding.what.clone(),
            hint: Some(finding.hint.clone()),
        })
        .collect();
    match gates.is_empty() {
        true => Ok(()),
        false => Err(Error::Gates(gates)),
    }
}
