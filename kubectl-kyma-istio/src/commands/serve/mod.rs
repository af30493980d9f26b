//! `filter serve`: a local HTTP/1.1 server in which the real filter judges each request, so that a policy can be asked with curl before there is a mesh.

mod answer;
mod arrive;
mod hop;
mod judge;
mod line;
mod policy_file;
mod upstream;

use std::io::BufRead;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::stop::Stop;
use crate::cli::{Form, Serve};
use crate::error::Error;
use crate::printer::Printer;
use crate::report::{Body, Listening, Report, Served};
use answer::Server;
use judge::Judge;
use line::{Line, Note};
use policy_file::PolicyFile;
use upstream::Upstream;

/// Envoy's default: 60 KiB of request line and headers.
const HEADER_BYTES: usize = 60 << 10;
/// Envoy's default.
const HEADER_COUNT: usize = 100;
/// Until the head of a request is complete; a connection may idle as long.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// For requests that are under way when the server is told to stop.
const GRACE: Duration = Duration::from_secs(5);
/// Between two looks at the policy's file.
const LOOK: Duration = Duration::from_millis(250);
/// Notes that wait for stderr; a request waits when there are more.
const NOTES: usize = 1024;

pub fn run(
    arguments: &Serve,
    stdin: &mut dyn BufRead,
    printer: &mut Printer<'_>,
) -> Result<Report, Error> {
    if !arguments.listen.ip().is_loopback() && !arguments.allow_remote {
        return Err(Error::input_hint(
            format!(
                "`--listen {}` can be reached from other machines, expected a loopback address",
                arguments.listen
            ),
            "every caller's address is believed as a proxy's, and `--upstream` is open to all of them; `--allow-remote` if that is meant",
        ));
    }
    let upstream = arguments
        .upstream
        .as_deref()
        .map(Upstream::parse)
        .transpose()?;
    let (file, candidate) = PolicyFile::open(arguments, stdin)?;
    let module = crate::module::bytes(arguments.filter.as_deref())?;
    let (fingerprint, position) = (candidate.fingerprint.clone(), candidate.position);
    let judge = Judge::start(&module, candidate)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::input(format!("can't start a server: {error}")))?;

    let served = runtime.block_on(async {
        let listener = listen(arguments.listen).await?;
        let address = listener
            .local_addr()
            .map_err(|error| unheard(arguments.listen, &error))?;
        let stop = Stop::new()?;
        let listening = Listening {
            url: format!("http://{address}"),
            policy: file.name().to_owned(),
            fingerprint,
            position: format!("{position:?}"),
            upstream: upstream.as_ref().map(ToString::to_string),
        };
        announce(arguments.output.form, listening, printer)?;
        let (sender, notes) = mpsc::channel(NOTES);
        let identity = arguments.peer_identity.clone();
        let server = Server::new(judge, upstream, identity, sender);
        serve(
            listener,
            stop,
            &Arc::new(server),
            file,
            notes,
            Story {
                printer,
                quiet: arguments.quiet,
                served: Served::default(),
            },
        )
        .await
    });
    // A judgement that still runs is bounded by its fuel; nobody waits for its answer.
    runtime.shutdown_background();
    Ok(Report::new(arguments.output.form, Body::Served(served?)))
}

async fn listen(address: SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(address)
        .await
        .map_err(|error| unheard(address, &error))
}

fn unheard(address: SocketAddr, error: &std::io::Error) -> Error {
    let what = format!("can't listen on {address}: {error}");
    match error.kind() {
        std::io::ErrorKind::AddrInUse => Error::input_hint(
            what,
            format!(
                "stop what listens there, name another port, or let the system choose one: `--listen {}`",
                SocketAddr::new(address.ip(), 0)
            ),
        ),
        _ => Error::input(what),
    }
}

fn announce(form: Form, listening: Listening, printer: &mut Printer<'_>) -> Result<(), Error> {
    if form == Form::Json {
        // One line, so that a script reads a line and not until the end.
        printer.json_line(&listening)?;
        return printer.flush();
    }
    printer.answer(&Report::new(form, Body::Listening(listening)))
}

/// What is told on stderr, and what is counted.
struct Story<'a, 'b> {
    printer: &'a mut Printer<'b>,
    quiet: bool,
    served: Served,
}

impl Story<'_, '_> {
    fn tell(&mut self, note: &Note) {
        match note {
            Note::Request(line) => self.request(line),
            Note::Connection(what) => {
                self.served.refused += 1;
                if !self.quiet {
                    self.printer.story(what);
                }
            }
        }
    }

    fn request(&mut self, line: &Line) {
        line.count(&mut self.served);
        if !self.quiet {
            self.printer.story(&line.to_string());
        }
    }
}

async fn serve(
    listener: TcpListener,
    mut stop: Stop,
    server: &Arc<Server>,
    mut file: PolicyFile,
    mut notes: mpsc::Receiver<Note>,
    mut story: Story<'_, '_>,
) -> Result<Served, Error> {
    let connections = GracefulShutdown::new();
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => connect(stream, peer, server, &connections),
                Err(error) => {
                    story.printer.story(&format!("can't accept a connection: {error}"));
                    // Too many open files: one of them must be closed first.
                    tokio::time::sleep(LOOK).await;
                }
            },
            Some(note) = notes.recv() => story.tell(&note),
            _ = looks.tick() => reload(&mut file, server, story.printer),
            () = stop.wait() => break,
        }
    }
    drop(listener);
    let ended = tokio::time::timeout(GRACE, connections.shutdown());
    tokio::pin!(ended);
    loop {
        tokio::select! {
            done = &mut ended => {
                if done.is_err() {
                    story.printer.story(&format!("some requests took longer than {} s and were cut off", GRACE.as_secs()));
                }
                break;
            }
            Some(note) = notes.recv() => story.tell(&note),
            () = stop.wait() => break,
        }
    }
    while let Ok(note) = notes.try_recv() {
        story.tell(&note);
    }
    Ok(story.served)
}

fn connect(
    stream: TcpStream,
    peer: SocketAddr,
    server: &Arc<Server>,
    connections: &GracefulShutdown,
) {
    // A dual-stack socket shows IPv4 peers in IPv6 clothes; Envoy does not.
    let peer: IpAddr = peer.ip().to_canonical();
    let (answering, telling) = (server.clone(), server.clone());
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_header_size(HEADER_BYTES)
        .max_headers(HEADER_COUNT)
        .serve_connection(
            TokioIo::new(stream),
            service_fn(move |request| answering.clone().answer(peer, request)),
        );
    let connection = connections.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await
            && (error.is_parse() || error.is_parse_too_large())
        {
            let note = Note::Connection(format!("no request from {peer}: {error}"));
            telling.note(note).await;
        }
    });
}

/// A policy that does not compile changes nothing: what served goes on serving, as in Envoy. Waits for a judgement that runs.
fn reload(file: &mut PolicyFile, server: &Server, printer: &mut Printer<'_>) {
    let Some(changed) = file.changed() else {
        return;
    };
    let outcome = changed.and_then(|candidate| {
        let fingerprint = candidate.fingerprint.clone();
        lock(&server.judge).replace(candidate)?;
        Ok(fingerprint)
    });
    match outcome {
        Ok(fingerprint) => printer.story(&format!(
            "{} changed, fingerprint {fingerprint} serves",
            file.name()
        )),
        Err(error) => {
            printer.error(&error);
            printer.story("the last good policy goes on serving");
        }
    }
}

/// The judge. Whoever panicked with it left it whole: a dead VM is a value.
fn lock(judge: &Mutex<Judge>) -> std::sync::MutexGuard<'_, Judge> {
    judge.lock().unwrap_or_else(PoisonError::into_inner)
}
