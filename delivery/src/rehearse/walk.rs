//! The steps of a rehearsal, in the agent's order, until one fails.

use std::net::ToSocketAddrs;
use std::time::{Duration, Instant};

use crate::credentials::{Credentials, PullSecret};
use crate::inspect::facts;
use crate::layout::module_of;
use crate::module::Module;
use crate::reference::Reference;
use crate::registry::http::{Manner, bare_host};
use crate::registry::login::Challenge;
use crate::registry::{ImageFound, Options, Registry, Session, Verb, image_of};

use super::{Checked, Rehearsal, Step, StepName, Verdict, realm};

/// What istiod gives the agent for one fetch.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) fn walk(rehearsal: &Rehearsal<'_>, options: &Options) -> Checked {
    let mut walk = Walk::new();
    // The failure stands among the steps.
    let _ended: Result<(), Stop> = walk.all(rehearsal, options);
    walk.checked
}

/// A step failed.
struct Stop;

struct Walk {
    checked: Checked,
    started: Instant,
    last: Instant,
}

impl Walk {
    fn new() -> Self {
        let now = Instant::now();
        let checked = Checked {
            steps: Vec::new(),
            image: None,
            taken_as: None,
            module: None,
        };
        Self {
            checked,
            started: now,
            last: now,
        }
    }

    fn all(&mut self, rehearsal: &Rehearsal<'_>, options: &Options) -> Result<(), Stop> {
        let reference: Reference = self.done(StepName::Reference, rehearsal.url.parse())?;
        self.say(
            StepName::Reference,
            Verdict::Passed,
            reference.to_string(),
            None,
        );
        let credentials = self.secret(rehearsal, &reference)?;
        self.resolve(&reference)?;
        let manner = Manner::Agent {
            insecure: rehearsal.insecure,
        };
        let registry = Registry::connect_as(&reference, credentials, options, manner);
        let registry = self.reached(StepName::Ping, registry)?;
        self.ping(&registry, &reference);
        self.challenge(&registry)?;
        let session = self.reached(
            StepName::Token,
            registry.session(Verb::Pull, reference.repository()),
        )?;
        if let (_, _, Challenge::Bearer { .. }) = registry.parts() {
            self.say(
                StepName::Token,
                Verdict::Passed,
                "the realm gives a token".to_owned(),
                None,
            );
        }
        let found = self.manifest(&session, &reference)?;
        self.digest(rehearsal, &reference, &found)?;
        self.module(&session, &found)?;
        self.time()
    }

    fn secret(
        &mut self,
        rehearsal: &Rehearsal<'_>,
        reference: &Reference,
    ) -> Result<Credentials, Stop> {
        let Some(content) = rehearsal.secret else {
            let found = "no pull secret: the agent shows no credentials".to_owned();
            self.say(StepName::Secret, Verdict::Passed, found, None);
            return Ok(Credentials::Anonymous);
        };
        match PullSecret::read(content, reference.registry()) {
            Ok(PullSecret::For(credentials)) => {
                let found = format!("it has credentials for `{}`", reference.registry());
                self.say(StepName::Secret, Verdict::Passed, found, None);
                Ok(credentials)
            }
            Ok(PullSecret::OtherHosts(hosts)) => {
                let found = format!(
                    "it has credentials for {}, not for `{}`: the agent shows none",
                    list(&hosts),
                    reference.registry()
                );
                self.say(
                    StepName::Secret,
                    Verdict::Warning,
                    found,
                    Some(
                        "the key below `auths` must be the host of the URL, with its port"
                            .to_owned(),
                    ),
                );
                Ok(Credentials::Anonymous)
            }
            Err(error) => Err(self.fail(StepName::Secret, error.to_string(), error.hint())),
        }
    }

    fn resolve(&mut self, reference: &Reference) -> Result<(), Stop> {
        let host = bare_host(reference.registry());
        match (host, 443).to_socket_addrs() {
            Ok(addresses) => {
                let addresses: Vec<String> =
                    addresses.map(|address| address.ip().to_string()).collect();
                self.say(
                    StepName::Resolve,
                    Verdict::Passed,
                    format!("`{host}` is {}", addresses.join(", ")),
                    None,
                );
                Ok(())
            }
            Err(_) => {
                let hint =
                    "names of a cluster resolve in the cluster only: rehearse from a pod for those"
                        .to_owned();
                Err(self.fail(
                    StepName::Resolve,
                    format!("there is no host `{host}`"),
                    Some(hint),
                ))
            }
        }
    }

    fn ping(&mut self, registry: &Registry, reference: &Reference) {
        let (_, root, _) = registry.parts();
        match root.scheme_str() {
            Some("https") => self.say(
                StepName::Ping,
                Verdict::Passed,
                format!("`{}` answers by HTTPS", reference.registry()),
                None,
            ),
            _ => {
                let hint = "anybody in between can change the module: pin its digest".to_owned();
                let found = format!(
                    "`{}` speaks plain HTTP, to which the agent falls back",
                    reference.registry()
                );
                self.say(StepName::Ping, Verdict::Warning, found, Some(hint));
            }
        }
    }

    /// The agent reads every `realm` as a URL, that of basic authentication too, where it is a text for people.
    fn challenge(&mut self, registry: &Registry) -> Result<(), Stop> {
        for realm in registry.realms() {
            if let Err(problem) = realm::check(realm) {
                let hint = "the registry's realm must be an http or https URL with a name that isn't `localhost`, for basic authentication too";
                let found = format!("the agent refuses the realm `{realm}`: {problem}");
                return Err(self.fail(StepName::Challenge, found, Some(hint.to_owned())));
            }
        }
        let (_, root, challenge) = registry.parts();
        let (verdict, found) = match challenge {
            Challenge::Nothing => (Verdict::Passed, "it lets everybody in".to_owned()),
            Challenge::Basic => (Verdict::Passed, "it asks for a password".to_owned()),
            Challenge::Bearer { realm, .. } if realm.starts_with("https:") => {
                (Verdict::Passed, format!("it asks for a token of `{realm}`"))
            }
            Challenge::Bearer { realm, .. } if root.scheme_str() == Some("https") => {
                let found = format!(
                    "the agent refuses the realm `{realm}`: it is plain HTTP, the registry isn't"
                );
                return Err(self.fail(StepName::Challenge, found, None));
            }
            Challenge::Bearer { realm, .. } => {
                let found =
                    format!("it asks for a token of `{realm}`, where credentials go in the open");
                (Verdict::Warning, found)
            }
        };
        self.say(StepName::Challenge, verdict, found, None);
        Ok(())
    }

    fn manifest(
        &mut self,
        session: &Session<'_>,
        reference: &Reference,
    ) -> Result<ImageFound, Stop> {
        let found = self.reached(StepName::Manifest, image_of(session, reference.asked()))?;
        let found = match found {
            Ok(found) => found,
            Err(problem) => return Err(self.fail(StepName::Manifest, problem, None)),
        };
        self.checked.image = Some(facts(reference, &found));
        let what = match &found.index {
            Some(index) => format!(
                "the index {index} leads to the image {}",
                found.fetched.digest
            ),
            None => format!("the image {}", found.fetched.digest),
        };
        self.say(StepName::Manifest, Verdict::Passed, what, None);
        Ok(found)
    }

    /// The agent compares `spec.sha256`, else what follows `@`, with the image it took: never with an index.
    fn digest(
        &mut self,
        rehearsal: &Rehearsal<'_>,
        reference: &Reference,
        found: &ImageFound,
    ) -> Result<(), Stop> {
        let digest = &found.fetched.digest;
        let named = rehearsal.sha256.filter(|hex| !hex.is_empty());
        let expected = named.or_else(|| reference.digest().map(crate::digest::Digest::hex));
        match expected {
            None => {
                let hint = format!(
                    "set `url` to `{}`: a tag that moves is not pulled again by proxies that have it",
                    reference.pinned(digest)
                );
                self.say(
                    StepName::Digest,
                    Verdict::Warning,
                    "the plugin names no digest".to_owned(),
                    Some(hint),
                );
            }
            Some(expected) if expected == digest.hex() => {
                self.say(
                    StepName::Digest,
                    Verdict::Passed,
                    "it is the image that the plugin names".to_owned(),
                    None,
                );
            }
            Some(expected) => {
                let hint = match &found.index {
                    Some(index) if index.hex() == expected => format!("the agent takes the index for its image: name `{digest}` instead"),
                    _ => "for `oci://`, `sha256` is the digest of the image, not of the wasm file; if it was right, the tag has moved".to_owned(),
                };
                return Err(self.fail(
                    StepName::Digest,
                    format!("found the digest {}, expected {expected}", digest.hex()),
                    Some(hint),
                ));
            }
        }
        Ok(())
    }

    fn module(&mut self, session: &Session<'_>, found: &ImageFound) -> Result<(), Stop> {
        let taken = self.reached(
            StepName::Layers,
            module_of(&found.manifest, |layer| session.blob(layer)),
        )?;
        let (way, bytes) = match taken {
            Ok(taken) => taken,
            Err(refusals) => {
                let hint = "push it with `kubectl kyma-istio filter push`".to_owned();
                return Err(self.fail(StepName::Layers, refusals.join("; "), Some(hint)));
            }
        };
        self.checked.taken_as = Some(way);
        self.say(
            StepName::Layers,
            Verdict::Passed,
            format!("taken as {way}: {} bytes of wasm", bytes.len()),
            None,
        );
        let module = match Module::read(&bytes) {
            Ok(module) => module,
            Err(error) => return Err(self.fail(StepName::Module, error.to_string(), error.hint())),
        };
        let problems: Vec<String> = module.problems.iter().map(ToString::to_string).collect();
        self.checked.module = Some(module);
        match problems.is_empty() {
            true => self.say(
                StepName::Module,
                Verdict::Passed,
                "Envoy can load it".to_owned(),
                None,
            ),
            false => {
                return Err(self.fail(
                    StepName::Module,
                    format!("the agent takes it, Envoy doesn't: {}", problems.join("; ")),
                    None,
                ));
            }
        }
        Ok(())
    }

    fn time(&mut self) -> Result<(), Stop> {
        let took = self.started.elapsed();
        match took > PATIENCE {
            true => Err(self.fail(
                StepName::Time,
                format!(
                    "all of it took {} s, expected at most {} s",
                    took.as_secs(),
                    PATIENCE.as_secs()
                ),
                None,
            )),
            false => Ok(()),
        }
    }

    fn done<T, E: std::fmt::Display>(
        &mut self,
        name: StepName,
        result: Result<T, E>,
    ) -> Result<T, Stop> {
        result.map_err(|error| self.fail(name, error.to_string(), None))
    }

    fn reached<T>(
        &mut self,
        name: StepName,
        result: Result<T, crate::registry::RegistryError>,
    ) -> Result<T, Stop> {
        result.map_err(|error| self.fail(name, error.to_string(), error.hint()))
    }

    fn fail(&mut self, name: StepName, found: String, hint: Option<String>) -> Stop {
        self.say(name, Verdict::Failed, found, hint);
        Stop
    }

    fn say(&mut self, name: StepName, verdict: Verdict, found: String, hint: Option<String>) {
        let took = u64::try_from(self.last.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last = Instant::now();
        self.checked.steps.push(Step {
            name,
            verdict,
            found,
            hint,
            took,
        });
    }
}

fn list(hosts: &[String]) -> String {
    match hosts.is_empty() {
        true => "nobody".to_owned(),
        false => hosts
            .iter()
            .map(|host| format!("`{host}`"))
            .collect::<Vec<_>>()
            .join(", "),
    }
}
