//! What `install` and `diff` have in common: look, decide, render; what is wanted comes out.

use cluster::connect::Connection;
use cluster::observe::observe;
use mesh::compose::{self, Composed};
use mesh::object::{ManifestError, Object, read_manifests};
use mesh::observed::{Observed, Version};
use mesh::plan::{Wanted, readable, unsupported};

use super::given::Given;
use super::told::told;
use super::{decide, rendering};
use crate::cli;
use crate::error::Error;
use crate::printer::Printer;

/// What was seen, and what is wanted.
pub struct Prepared {
    pub observed: Observed,
    pub wanted: Wanted,
}

/// What a command prepares for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Something is to be installed: the version must be a supported one.
    Install,
    /// Differences are shown: every version that can be rendered will do.
    Show,
}

/// What a command that prepares again needn't do twice.
#[derive(Default)]
pub struct Memory {
    rendered: Option<(Composed, String)>,
    /// What is told of the input was told.
    is_told: bool,
}

/// Prepares. What `memory` has of an earlier time is not rendered again, and not told again.
pub async fn prepare(
    connection: &Connection,
    flags: &cli::Inputs,
    given: &Given,
    purpose: Purpose,
    memory: &mut Memory,
    printer: &mut Printer<'_>,
) -> Result<Prepared, Error> {
    let found = async {
        match memory.rendered {
            Some(_) => None,
            None => Some(rendering::find(&flags.istioctl, given.version).await),
        }
    };
    let (observed, found) = tokio::join!(observe(connection), found);
    let observed = observed?;
    let tells = !std::mem::replace(&mut memory.is_told, true);
    let gates = readable(&observed);
    if !gates.is_empty() {
        return Err(Error::from(gates));
    }
    let decided = decide::decide(flags, given, Some(&observed))?;
    // Kyma's operator renders for itself.
    let is_managed = observed.kyma_manager.is_some();
    // Before anything is rendered: istioctl of that version may have to be fetched.
    if let Some(gate) = unsupported(&observed, &given.version.to_string()).filter(|_| !is_managed) {
        match purpose {
            Purpose::Install => return Err(Error::from(vec![gate])),
            Purpose::Show => printer.story(&gate.what),
        }
    }
    if is_managed && tells {
        for flag in flags.rendering() {
            printer.story(&format!(
                "`{flag}` has no effect: Kyma's operator renders by itself"
            ));
        }
    }
    let (rendered, extras) = match is_managed {
        true => Default::default(),
        false => {
            if tells {
                decided.notes.iter().for_each(|note| printer.story(note));
            }
            let known = memory.rendered.take();
            let manifests = match known.filter(|(composed, _)| *composed == decided.composed) {
                Some((_, manifests)) => manifests,
                None => {
                    let found = match found {
                        Some(found) => found,
                        // What the cluster says changed what is composed.
                        None => rendering::find(&flags.istioctl, given.version).await,
                    };
                    told(printer, async |told| {
                        let (flags, version) = (&flags.istioctl, given.version);
                        let istioctl =
                            rendering::found_or_downloaded(found, flags, version, told).await?;
                        rendering::generate(&istioctl, &decided.composed, flags, told).await
                    })
                    .await?
                }
            };
            let remembered = decide::remembered(&decided, given, &observed);
            let extras = compose::extras(&decided.inputs)
                .into_iter()
                .chain([remembered]);
            let rendered = read_manifests(&manifests).map_err(unreadable)?;
            memory.rendered = Some((decided.composed.clone(), manifests));
            (
                rendered,
                extras
                    .map(Object::new)
                    .collect::<Result<_, _>>()
                    .map_err(unreadable)?,
            )
        }
    };
    let resource = given.resource.as_ref();
    Ok(Prepared {
        observed,
        wanted: Wanted {
            rendered,
            extras,
            version: decided.inputs.images.tag,
            istio_cr: resource.map(|resource| resource.object.clone()),
        },
    })
}

/// The version that the control plane is to have afterwards. Kyma's operator installs its own.
pub fn required(observed: &Observed, given: &Given) -> Option<Version> {
    match observed.kyma_manager.is_some() {
        true => {
            let planes = observed.control_planes();
            let versions = planes.iter().flat_map(|plane| plane.versions());
            versions.filter_map(Result::ok).max()
        }
        false => Version::parse(&given.version.to_string()),
    }
}

fn unreadable(error: ManifestError) -> Error {
    Error::input_hint(
        format!("istioctl printed something else than manifests: {error}"),
        "is it the real istioctl? `--istioctl FILE` names another",
    )
}
