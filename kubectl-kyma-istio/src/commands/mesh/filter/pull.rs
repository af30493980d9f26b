//! The image of a roll-out: by which digest, and whether proxies would get it.

use cluster::connect::Connection;
use cluster::error::ClusterError;
use delivery::{Checked, Reference, Rehearsal, Step, StepName, Verdict};
use mesh::codes::Code;
use mesh::filter::Finding;
use mesh::object::Object;
use mesh::plan::Gate;

use crate::cli::{Registry, Replace};
use crate::error::{Error, MeshError};
use crate::printer::{Printer, Style};

/// What proxies are to pull.
pub struct Pull<'a> {
    pub connection: &'a Connection,
    /// Of the plugin: its pull secret is there.
    pub namespace: &'a str,
    pub reference: Reference,
    pub secret: Option<String>,
    /// Only the proxies reach the registry.
    pub skips: bool,
    pub registry: &'a Registry,
}

/// What is pulled, and how.
pub struct Image {
    pub pinned: Reference,
    pub pull_secret: Option<String>,
    pub rehearsal: Option<Checked>,
}

/// The image that a plugin names.
pub fn reference(plugin: &Object) -> Result<Reference, Error> {
    let url = plugin.string("/spec/url").unwrap_or_default();
    url.parse()
        .map_err(|error: delivery::InvalidReference| Error::input(error.to_string()))
}

/// A plugin with the image that it names, pinned, once the pull went well. With what was found.
pub async fn rehearsed(
    connection: &Connection,
    object: Object,
    arguments: &Replace,
    printer: &mut Printer<'_>,
) -> Result<(Object, (Vec<Finding>, Option<Checked>)), Error> {
    let secret = object.string("/spec/imagePullSecret");
    let pull = Pull {
        connection,
        namespace: object.namespace().unwrap_or_default(),
        reference: reference(&object)?,
        secret: secret.filter(|name| !name.is_empty()).map(str::to_owned),
        skips: arguments.rolls.skip_rehearsal,
        registry: &arguments.registry,
    };
    let mut findings = Vec::new();
    let image = pull.rehearse(&mut findings).await?;
    told(&findings, printer)?;
    let mut value = object.into_value();
    value["spec"]["url"] = image.pinned.to_string().into();
    let object = Object::new(value).map_err(|error| Error::input(error.to_string()))?;
    Ok((object, (findings, image.rehearsal)))
}

/// Warnings are told, refusals end it.
pub fn told(findings: &[Finding], printer: &mut Printer<'_>) -> Result<(), Error> {
    for warning in findings.iter().filter(|finding| !finding.refuses) {
        printer.tell(|text| {
            let label = text.styled(Style::Strong, "warning:");
            text.line(format_args!("{label} {}  {}", warning.code, warning.what));
            if !warning.hint.is_empty() {
                text.hint(&warning.hint);
            }
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
        false => Err(Error::from(gates)),
    }
}

impl Pull<'_> {
    /// The image, pinned; the pull rehearsed with the secret that the proxies will use.
    pub async fn rehearse(&self, findings: &mut Vec<Finding>) -> Result<Image, Error> {
        let (reference, pull_secret) = (&self.reference, self.secret.clone());
        let content = match &pull_secret {
            Some(name) => match self.secret(name, findings).await {
                // Who may not read it skips the rehearsal.
                Err(Error::Mesh(MeshError::Cluster(error)))
                    if self.skips && matches!(*error, ClusterError::Forbidden { .. }) =>
                {
                    None
                }
                found => found?,
            },
            None => None,
        };
        if self.skips {
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
        let options = self.registry.options();
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
        // That the file names no digest is nothing to warn of: the plugin will.
        let is_told =
            |step: &&Step| step.verdict == Verdict::Warning && step.name != StepName::Digest;
        let told = checked.steps.iter().filter(is_told);
        findings.extend(told.filter(|_| checked.works()).map(|step| Finding {
            code: Code::PullFails,
            refuses: false,
            what: format!("the pull works, but {}", step.found),
            // Of plain HTTP the hint is to pin the digest, which is done.
            hint: match step.name {
                StepName::Ping => String::new(),
                _ => step.hint.clone().unwrap_or_default(),
            },
        }));
        if let Some(step) = checked.failure() {
            // From here the network looks different than from the proxies.
            let is_near = matches!(step.name, StepName::Resolve | StepName::Ping);
            let skip = "where only the proxies reach the registry, name the digest and add `--skip-rehearsal`";
            let hint = match &step.hint {
                Some(hint) if is_near => format!("{hint}; {skip}"),
                Some(hint) => hint.clone(),
                None if is_near => skip.to_owned(),
                None => "`filter inspect` tells more".to_owned(),
            };
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
        let namespace = self.namespace;
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
}

fn refusal(code: Code, what: String, hint: String) -> Finding {
    Finding {
        code,
        refuses: true,
        what,
        hint,
    }
}
