//! `filter compare` and `filter promote`: a shadow beside the policy that it may replace.

use std::io::BufRead;

use cluster::connect::Connection;
use mesh::filter::Plugin;
use serde_json::Value;

use super::super::runtime;
use super::looking;
use super::replacement::Replacement;
use crate::cli::{Compare, Replace};
use crate::error::Error;
use crate::printer::Printer;
use crate::report::{Comparison, MeshBody, Report};

/// What a canary is called.
pub fn name(of: &str) -> String {
    format!("{of}-canary")
}

/// The policy as its own shadow, under the canary's name.
pub fn as_canary(policy: &Value) -> Option<Value> {
    let mut policy = policy.clone();
    let of = policy.pointer("/metadata/name")?.as_str()?.to_owned();
    policy["metadata"]["name"] = name(&of).into();
    policy["spec"]["mode"] = "Shadow".into();
    Some(policy)
}

pub fn compare(arguments: &Compare) -> Result<Report, Error> {
    let compared = runtime::block_on(async {
        let connection = runtime::reader(&arguments.connection).await?;
        let namespace = arguments.connection.namespace.as_deref();
        let (current, canary) = pair(&connection, &arguments.policy, namespace).await?;
        let both = async || -> Result<_, Error> {
            tokio::try_join!(
                looking::counts(&connection, &current),
                looking::counts(&connection, &canary)
            )
        };
        let (mut of_current, mut of_canary) = both().await?;
        if let Some(span) = arguments.span {
            tokio::time::sleep(span).await;
            let (current, canary) = both().await?;
            of_current = looking::since(&of_current, current);
            of_canary = looking::since(&of_canary, canary);
        }
        Ok(Comparison {
            policy: current.to_string(),
            canary: canary.to_string(),
            seconds: arguments.span.map(|span| span.as_secs()),
            current: of_current,
            shadow: of_canary,
        })
    })?;
    Ok(Report::new(
        arguments.output.form,
        MeshBody::Comparison(compared),
    ))
}

pub fn promote(
    arguments: &Replace,
    stdin: &mut dyn BufRead,
    printer: &mut Printer<'_>,
) -> Result<Report, Error> {
    let deployed = runtime::block_on(async {
        let connection = runtime::writer(&arguments.connection, arguments.operate.dry_run).await?;
        let namespace = arguments.connection.namespace.as_deref();
        let (current, canary) = pair(&connection, &arguments.policy, namespace).await?;
        let spec = enforcing(&current, &canary)?;
        let by = Replacement {
            connection: &connection,
            arguments,
            verb: "filter promote",
            replaces: Some(&canary),
        };
        by.run(current, spec, stdin, printer).await
    })?;
    Ok(Report::new(
        arguments.output.form,
        MeshBody::Deployed(Box::new(deployed)),
    ))
}

/// Image and configuration of the canary, with everything else as it is: selector, phase, strategy.
fn enforcing(current: &Plugin, canary: &Plugin) -> Result<Value, Error> {
    let broken = || Error::input(format!("`{canary}` is no plugin of ours any more"));
    let mut spec = current
        .object
        .pointer("/spec")
        .cloned()
        .ok_or_else(broken)?;
    for field in ["url", "pluginConfig", "imagePullSecret"] {
        if let Some(value) = canary.object.pointer(&format!("/spec/{field}")) {
            spec[field] = value.clone();
        }
    }
    let policy = spec
        .pointer_mut("/pluginConfig/spec")
        .and_then(Value::as_object_mut);
    policy.ok_or_else(broken)?.remove("mode");
    Ok(spec)
}

async fn pair(
    connection: &Connection,
    named: &str,
    namespace: Option<&str>,
) -> Result<(Plugin, Plugin), Error> {
    let current = looking::plugin(connection, named, namespace).await?;
    let all = looking::plugins(connection, None, Some(&current.namespace)).await?;
    let canary = all
        .into_iter()
        .find(|plugin| plugin.canary_of() == Some(&current.name));
    canary.map(|canary| (current, canary)).ok_or_else(|| {
        Error::input_hint(
            format!("found no canary of `{named}`"),
            "`kubectl kyma-istio filter deploy --canary -f FILE` brings one",
        )
    })
}
