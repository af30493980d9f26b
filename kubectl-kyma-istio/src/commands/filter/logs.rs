//! `filter logs`: the filter's own lines of every selected proxy, with the level raised while somebody looks.

use cluster::connect::Connection;
use cluster::guard::Mode;
use cluster::proxy::{self, Pod};
use mesh::filter::Plugin;
use tokio::sync::mpsc::unbounded_channel;

use super::super::runtime;
use super::super::stop::Stop;
use super::looking;
use crate::cli::{Form, Logs};
use crate::error::Error;
use crate::printer::Printer;
use crate::report::{Body, Logged, Report};

/// Lines about a configuration don't name the policy; those about a request do.
const OURS: [&str; 2] = ["wasm log: header policy", "wasm log: hint: "];

pub fn run(arguments: &Logs, printer: &mut Printer<'_>) -> Result<Report, Error> {
    let mode = match arguments.follow {
        true => Mode::Write,
        false => Mode::DryRun,
    };
    let logged = runtime::block_on(async {
        let connection = runtime::connection(&arguments.connection, mode).await?;
        let namespace = arguments.connection.namespace.as_deref();
        let plugin = looking::plugin(&connection, &arguments.policy, namespace).await?;
        let pods: Vec<Pod> = looking::proxies(&connection, &plugin)
            .await?
            .into_iter()
            .map(|proxy| Pod {
                namespace: proxy.namespace,
                name: proxy.name,
            })
            .collect();
        match arguments.follow {
            true => follow(&connection, &plugin, &pods, arguments, printer).await,
            false => past(&connection, &plugin, &pods, arguments.tail, printer).await,
        }
    })?;
    Ok(Report::new(Form::Table, Body::Logged(logged)))
}

async fn past(
    connection: &Connection,
    plugin: &Plugin,
    pods: &[Pod],
    tail: u32,
    printer: &mut Printer<'_>,
) -> Result<Logged, Error> {
    for pod in pods {
        let mut lines = proxy::follow(connection, pod, tail, false).await?;
        while let Some(line) = lines.next().await {
            if is_ours(&line, plugin) {
                printer.log_line(&format!("{pod}  {line}"))?;
            }
        }
    }
    Ok(Logged::default())
}

/// Follows all proxies until Ctrl-C. Every level that was raised is put back, whatever happens in between.
async fn follow(
    connection: &Connection,
    plugin: &Plugin,
    pods: &[Pod],
    arguments: &Logs,
    printer: &mut Printer<'_>,
) -> Result<Logged, Error> {
    // Before the first level is raised: from here on Ctrl-C ends the following, not the process.
    let mut stop = Stop::new()?;
    let mut raised: Vec<(Pod, String)> = Vec::new();
    let result = tokio::select! {
        result = followed(connection, plugin, pods, arguments, &mut raised, printer) => result,
        () = stop.wait() => Ok(()),
    };
    let mut logged = Logged::default();
    for (pod, level) in raised {
        match proxy::set_log_level(connection, &pod, &level).await {
            Ok(_) => printer.story(&format!("{pod}: level `{level}` again")),
            Err(error) => logged
                .not_restored
                .push(format!("{pod}: `wasm:{level}`: {error}")),
        }
    }
    result.map(|()| logged)
}

async fn followed(
    connection: &Connection,
    plugin: &Plugin,
    pods: &[Pod],
    arguments: &Logs,
    raised: &mut Vec<(Pod, String)>,
    printer: &mut Printer<'_>,
) -> Result<(), Error> {
    for pod in pods {
        let before = proxy::log_level(connection, pod).await?;
        // Noted first: a level that was set although the answer got lost is put back too.
        raised.push((pod.clone(), before.clone()));
        let level = proxy::set_log_level(connection, pod, arguments.level.envoy()).await?;
        printer.story(&format!("{pod}: level `{level}`, was `{before}`"));
    }
    let (sender, mut lines) = unbounded_channel();
    for pod in pods {
        let mut log = proxy::follow(connection, pod, arguments.tail, true).await?;
        let (sender, pod) = (sender.clone(), pod.clone());
        tokio::spawn(async move {
            while let Some(line) = log.next().await {
                if sender.send((pod.clone(), line)).is_err() {
                    return;
                }
            }
        });
    }
    drop(sender);
    while let Some((pod, line)) = lines.recv().await {
        if is_ours(&line, plugin) {
            printer.log_line(&format!("{pod}  {line}"))?;
        }
    }
    Ok(())
}

fn is_ours(line: &str, plugin: &Plugin) -> bool {
    OURS.iter().any(|word| line.contains(word)) || plugin.is_named_in(line)
}
