//! `filter logs`: the filter's own lines of every selected proxy, with the level raised while somebody looks.

use std::sync::Arc;
use std::time::Duration;

use cluster::connect::Connection;
use cluster::error::ClusterError;
use cluster::proxy::{self, Follower, Pod, Said};
use mesh::filter::Plugin;
use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::super::runtime;
use super::super::stop::Stop;
use super::looking;
use crate::cli::{Form, Logs};
use crate::error::Error;
use crate::printer::Printer;
use crate::report::{Logged, MeshBody, Report};

/// So often a level is set that can't be, and with so long a pause: an API server or a container that restarts is gone for less.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_secs(2);
/// Whether the following has ended. Locked while a level is raised and asked before, so that no listener raises one behind the level that is put back.
type Ended = Arc<Mutex<bool>>;
/// Lines about a configuration don't name the policy; those about a request do.
const OURS: [&str; 2] = ["wasm log: header policy", "wasm log: hint: "];

pub fn run(arguments: &Logs, printer: &mut Printer<'_>) -> Result<Report, Error> {
    let logged = runtime::block_on(async {
        let connection = runtime::writer(&arguments.connection, !arguments.follow).await?;
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
    Ok(Report::new(Form::Table, MeshBody::Logged(logged)))
}

async fn past(
    connection: &Connection,
    plugin: &Plugin,
    pods: &[Pod],
    tail: u32,
    printer: &mut Printer<'_>,
) -> Result<Logged, Error> {
    for pod in pods {
        let mut lines = proxy::past(connection, pod, tail).await?;
        while let Some(line) = lines.next().await? {
            if is_ours(&line, plugin) {
                printer.log_line(&format!("{pod}  {line}"))?;
            }
        }
    }
    Ok(Logged::default())
}

/// A level that was changed.
struct Raised {
    pod: Pod,
    before: String,
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
    let mut stop = Stop::with_hangup()?;
    let mut raised: Vec<Raised> = Vec::new();
    let ended = Ended::default();
    let result = tokio::select! {
        result = followed(connection, plugin, pods, arguments, &ended, &mut raised, printer) => result,
        () = stop.wait() => Ok(()),
    };
    let mut logged = Logged::default();
    for raised in raised {
        let Raised { pod, before } = &raised;
        let restore = async {
            *ended.lock().await = true;
            set_level(connection, pod, before, &Ended::default()).await
        };
        let restored = tokio::select! {
            restored = restore => restored,
            () = stop.wait() => Err(ClusterError::Interrupted),
        };
        match restored {
            Ok(()) => printer.story(&format!("{pod}: level `{before}` again")),
            Err(error) => logged.note(pod, before, &error),
        }
    }
    match result {
        Ok(()) => Ok(logged),
        Err(error) => {
            // The report is lost behind the error; this must not be.
            printer.tell(|text| logged.human(text));
            Err(error)
        }
    }
}

/// Sets a level, as soon as the proxy can be asked and unless the following has ended. A pod that is gone has none.
async fn set_level(
    connection: &Connection,
    pod: &Pod,
    level: &str,
    ended: &Ended,
) -> Result<(), ClusterError> {
    let mut tries = 1;
    loop {
        let ended = ended.lock().await;
        if *ended {
            return Ok(());
        }
        match proxy::set_log_level(connection, pod, level).await {
            Ok(_) | Err(ClusterError::NoPod { .. }) => return Ok(()),
            Err(error) if tries == TRIES => return Err(error),
            Err(_) => tries += 1,
        }
        drop(ended);
        tokio::time::sleep(PAUSE).await;
    }
}

/// What a proxy's follower hears.
enum Heard {
    Line(Pod, String),
    Story(String),
}

async fn followed(
    connection: &Connection,
    plugin: &Plugin,
    pods: &[Pod],
    arguments: &Logs,
    ended: &Ended,
    raised: &mut Vec<Raised>,
    printer: &mut Printer<'_>,
) -> Result<(), Error> {
    let wanted = arguments.level.envoy();
    for pod in pods {
        let before = proxy::log_level(connection, pod).await?;
        if before == wanted {
            // Whoever set it, most likely another follower, puts it back: who noted it as what was before would keep it.
            printer.story(&format!("{pod}: level `{wanted}` already, left as it is"));
            continue;
        }
        // Noted first: a level that was set although the answer got lost is put back too.
        raised.push(Raised {
            pod: pod.clone(),
            before: before.clone(),
        });
        let level = proxy::set_log_level(connection, pod, wanted).await?;
        printer.story(&format!("{pod}: level `{level}`, was `{before}`"));
    }
    let (sender, mut heard) = unbounded_channel();
    for pod in pods {
        let log = Follower::open(connection, pod, arguments.tail).await?;
        let is_raised = raised.iter().any(|raised| raised.pod == *pod);
        let level = is_raised.then_some(wanted);
        tokio::spawn(listen(
            connection.clone(),
            pod.clone(),
            log,
            level.map(|level| (level, Arc::clone(ended))),
            sender.clone(),
        ));
    }
    drop(sender);
    while let Some(heard) = heard.recv().await {
        match heard {
            Heard::Line(pod, line) if is_ours(&line, plugin) => {
                printer.log_line(&format!("{pod}  {line}"))?;
            }
            Heard::Line(..) => {}
            Heard::Story(line) => printer.story(&line),
        }
    }
    Err(Error::input_hint(
        format!(
            "found no pod any more whose log could be followed, of {}",
            pods.len()
        ),
        "their successors have other names: follow again",
    ))
}

/// One proxy, until its pod is gone. A container that comes anew begins with its own level.
async fn listen(
    connection: Connection,
    pod: Pod,
    mut log: Follower,
    level: Option<(&'static str, Ended)>,
    sender: UnboundedSender<Heard>,
) {
    let mut is_told = false;
    loop {
        let heard = match log.next().await {
            Said::Line(line) => {
                is_told = false;
                Heard::Line(pod.clone(), line)
            }
            Said::Broken(why) => {
                Heard::Story(format!("{pod}: the log broke off: {why}; trying on"))
            }
            Said::Gone => {
                let _ = sender.send(Heard::Story(format!("{pod}: gone")));
                return;
            }
            Said::Ended => {
                let set = match &level {
                    Some((level, ended)) => set_level(&connection, &pod, level, ended).await,
                    None => Ok(()),
                };
                let but = match set {
                    Ok(()) => String::new(),
                    Err(error) => format!("; its level can't be raised again: {error}"),
                };
                if std::mem::replace(&mut is_told, true) {
                    continue;
                }
                Heard::Story(format!("{pod}: the log ended, following the next{but}"))
            }
        };
        if sender.send(heard).is_err() {
            return;
        }
    }
}

fn is_ours(line: &str, plugin: &Plugin) -> bool {
    OURS.iter().any(|word| line.contains(word)) || plugin.is_named_in(line)
}
