//! `check`: findings with codes and hints.

use std::collections::BTreeSet;

use cluster::observe::observe;
use cluster::rights::rights;
use mesh::checks::{self, Category, Expected, RIGHTS};
use mesh::observed::ServerVersion;
use mesh::versions::versions;

use super::verify::of_release;
use super::{decide, runtime};
use crate::cli::Check;
use crate::error::Error;
use crate::report::{Checked, MeshBody, Report};

pub fn run(arguments: &Check) -> Result<Report, Error> {
    let categories = categories(arguments);
    let known = versions();
    let version = of_release(known.istio.default)?;
    let least = known.kubernetes.minimum;
    let findings = runtime::block_on(async {
        let connection = runtime::reader(&arguments.connection).await?;
        let asked: &[_] = match categories.contains(&Category::Preflight) {
            true => &RIGHTS,
            false => &[],
        };
        let (observed, rights) = tokio::join!(observe(&connection), rights(&connection, asked));
        let observed = observed?;
        let (profile, size) = decide::size(&observed);
        let (provider, why) = decide::where_it_runs(&observed);
        let expected = Expected {
            version,
            kubernetes: ServerVersion {
                major: least.major,
                minor: least.minor,
            },
            rights: rights?,
            profile: format!("profile {profile}: {size}"),
            provider: format!("provider {provider}: {why}"),
        };
        Ok(checks::check(&observed, &expected, &categories))
    })?;
    Ok(Report::new(
        arguments.output,
        MeshBody::Checked(Checked::new(findings)),
    ))
}

fn categories(arguments: &Check) -> BTreeSet<Category> {
    let mut asked = BTreeSet::new();
    if arguments.pre {
        asked.extend([Category::Preflight, Category::Strict]);
    }
    if arguments.proxy {
        asked.extend([Category::Proxies, Category::Traffic]);
    }
    match asked.is_empty() {
        true => Category::ALL.into(),
        false => asked,
    }
}
