//! etcd, the API server and what turns Deployments into running pods.

use std::{
    fs,
    io::{Seek, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    NodeSpec,
    process::{Process, on_free_ports},
    programs::{kubectl, program},
    services::Services,
    users::Users,
};
use crate::{Result, error::Doing, tools::output, wait};

/// A running control plane of its own. Everything ends when this is dropped, and also when the test process ends without
/// dropping (a `static`, an abort). A test that panics leaves the folder with the logs.
pub struct ControlPlane {
    // Dropped first, the last one started first: no server may outlive its folder.
    servers: Mutex<Vec<Process>>,
    services: Services,
    users: Users,
    address: SocketAddr,
    kubeconfig: PathBuf,
    folder: Option<TempDir>,
    path: PathBuf,
}

impl ControlPlane {
    /// etcd and the API server: enough for objects, RBAC and CRDs. Nothing reacts to objects, and no pod can be created,
    /// because nobody makes service accounts.
    pub fn start() -> Result<Self> {
        Self::build(|control_plane| {
            control_plane.start_etcd()?;
            control_plane.start_api_server()
        })
    }

    /// With the controller manager, the scheduler and these nodes, played by kwok. Returns when all nodes are Ready. Without
    /// nodes, pods stay Pending.
    pub fn with_nodes(nodes: &[NodeSpec]) -> Result<Self> {
        Self::build(|control_plane| {
            control_plane.start_etcd()?;
            control_plane.start_api_server()?;
            control_plane.start_controllers()?;
            control_plane.add_nodes(nodes)
        })
    }

    /// A kubeconfig file of an administrator (group `system:masters`). It goes with the control plane.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// A kubeconfig file of this user in these groups, who may do what RBAC says. It goes with the control plane.
    pub fn kubeconfig_for(&self, user: &str, groups: &[&str]) -> Result<PathBuf> {
        self.users.kubeconfig(self.address, user, groups)
    }

    /// The API server's URL.
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// What the real kubectl prints as administrator.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        output(self.kubectl_command(&self.kubeconfig)?.args(arguments))
    }

    /// The same, with `input` on its standard input (`apply --filename=-`).
    pub fn kubectl_with(&self, input: &str, arguments: &[&str]) -> Result<String> {
        let mut file = tempfile::tempfile().doing(|| "making a file".into())?;
        file.write_all(input.as_bytes())
            .and_then(|()| file.rewind())
            .doing(|| "writing kubectl's input".into())?;
        let mut command = self.kubectl_command(&self.kubeconfig)?;
        output(command.args(arguments).stdin(file))
    }

    /// What kubectl prints as the user of this kubeconfig.
    pub fn kubectl_as(&self, kubeconfig: &Path, arguments: &[&str]) -> Result<String> {
        output(self.kubectl_command(kubeconfig)?.args(arguments))
    }

    /// Asks kubectl again and again until what it prints is as wanted, and returns that. While kubectl fails, it is not.
    pub fn kubectl_until(
        &self,
        what: &str,
        limit: Duration,
        arguments: &[&str],
        wanted: impl Fn(&str) -> bool,
    ) -> Result<String> {
        wait::until(what, limit, || {
            Ok(self.kubectl(arguments).ok().filter(|found| wanted(found)))
        })
    }

    /// Adds nodes, and waits until they are Ready.
    pub fn add_nodes(&self, nodes: &[NodeSpec]) -> Result<()> {
        if nodes.is_empty() {
            return Ok(());
        }
        let items: Vec<Value> = nodes.iter().map(NodeSpec::manifest).collect();
        let list = json!({ "apiVersion": "v1", "kind": "List", "items": items });
        self.kubectl_with(&list.to_string(), &["create", "--filename=-"])?;
        let mut ready = vec!["wait", "--for=condition=Ready", "--timeout=60s", "node"];
        ready.extend(nodes.iter().map(|node| node.name.as_str()));
        self.kubectl(&ready).map(drop)
    }

    /// From now on, whatever the API server sends to this port of a Service reaches `to`: webhooks above all.
    pub fn route(&self, namespace: &str, service: &str, port: u16, to: SocketAddr) {
        self.services.route(namespace, service, port, to);
    }

    /// Ends the API server, and starts it again at the same address when `meanwhile` is done. Everything else goes on.
    pub fn without_api_server<T>(&self, meanwhile: impl FnOnce() -> T) -> Result<T> {
        let mut servers = self.servers();
        drop(servers.remove(API_SERVER));
        let done = meanwhile();
        servers.insert(API_SERVER, self.api_server(self.address)?);
        Ok(done)
    }

    /// The folder with all logs, one per program.
    pub fn folder(&self) -> &Path {
        &self.path
    }

    fn build(start: impl FnOnce(&mut Self) -> Result<()>) -> Result<Self> {
        let folder = TempDir::with_prefix("lab-kubernetes-").doing(|| "making a folder".into())?;
        let path = folder.path().to_owned();
        let mut control_plane = Self {
            servers: Mutex::default(),
            services: Services::start(&path)?,
            users: Users::new(&path)?,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            kubeconfig: PathBuf::new(),
            folder: Some(folder),
            path,
        };
        match start(&mut control_plane) {
            Ok(()) => Ok(control_plane),
            Err(error) => {
                control_plane.keep_folder();
                Err(error)
            }
        }
    }

    /// On sockets in our folder: no port, so no race for one, and nobody else can reach it.
    fn start_etcd(&mut self) -> Result<()> {
        let clients = self.path.join(ETCD);
        let arguments = [
            format!("--data-dir={}", self.path.join("etcd").display()),
            format!("--listen-client-urls=unix://{}", clients.display()),
            // What is advertised must look like a host and a port. `peer:1` is a file in the working directory.
            "--advertise-client-urls=unix://client:1".into(),
            "--listen-peer-urls=unix://peer:1".into(),
            "--initial-advertise-peer-urls=unix://peer:1".into(),
            "--initial-cluster=default=unix://peer:1".into(),
            // Nothing here outlives the process.
            "--unsafe-no-fsync".into(),
        ];
        let mut etcd = Process::start(&program("etcd", "etcd")?, &self.path, &arguments)?;
        etcd.wait_for("etcd's socket", || Ok(clients.exists().then_some(())))?;
        self.servers().push(etcd);
        Ok(())
    }

    fn start_api_server(&mut self) -> Result<()> {
        let (process, address) = on_free_ports(|[address]| {
            self.kubeconfig = self
                .users
                .kubeconfig(address, "admin", &["system:masters"])?;
            Ok((self.api_server(address)?, address))
        })?;
        self.services.ask(&self.kubeconfig);
        self.address = address;
        self.servers().push(process);
        Ok(())
    }

    /// Returns when it is ready.
    fn api_server(&self, address: SocketAddr) -> Result<Process> {
        let server = self.users.server();
        let egress = self.path.join("egress.json");
        fs::write(&egress, self.services.egress().to_string())
            .doing(|| "writing the egress selection".into())?;
        let etcd = self.path.join(ETCD);
        let [certificate, key, root, etcd, egress] = [
            &server.certificate,
            &server.key,
            &self.users.root(),
            &etcd,
            &egress,
        ]
        .map(|path| path.display().to_string());
        let arguments = [
            format!("--etcd-servers=unix://{etcd}"),
            "--bind-address=127.0.0.1".into(),
            format!("--secure-port={}", address.port()),
            // No endpoint for the Service `kubernetes`: a loopback address is not allowed in one.
            "--endpoint-reconciler-type=none".into(),
            "--advertise-address=192.0.2.1".into(),
            format!("--service-cluster-ip-range={SERVICE_NETWORK}"),
            format!("--tls-cert-file={certificate}"),
            format!("--tls-private-key-file={key}"),
            format!("--client-ca-file={root}"),
            "--authorization-mode=RBAC".into(),
            "--service-account-issuer=https://kubernetes.default.svc".into(),
            format!("--service-account-key-file={certificate}"),
            format!("--service-account-signing-key-file={key}"),
            format!("--egress-selector-config-file={egress}"),
            "--allow-privileged=true".into(),
            "--profiling=false".into(),
        ];
        let binary = program("kubernetes", "kube-apiserver")?;
        let mut process = Process::start(&binary, &self.path, &arguments)?;
        process.wait_for("the API server", || {
            let mut ask = self.kubectl_command(&self.kubeconfig)?;
            Ok(output(ask.args(["get", "--raw=/readyz"])).ok())
        })?;
        Ok(process)
    }

    /// They need not be waited for: what they do shows in the API.
    fn start_controllers(&mut self) -> Result<()> {
        let kubeconfig = format!("--kubeconfig={}", self.kubeconfig.display());
        // None of them serves anything, so there is no port to choose.
        let alone = ["--leader-elect=false".to_owned(), "--secure-port=0".into()];
        let server = self.users.server();
        let manager = [
            format!("--root-ca-file={}", self.users.root().display()),
            format!(
                "--service-account-private-key-file={}",
                server.key.display()
            ),
            "--controller-start-interval=0s".into(),
        ];
        let kwok = [
            "--manage-all-nodes=true".to_owned(),
            "--node-port=0".into(),
            format!("--cidr={POD_NETWORK}"),
            "--node-ip=192.0.2.2".into(),
            // Without leases the nodes count as lost after 50 seconds, and their pods as not ready.
            "--node-lease-duration-seconds=40".into(),
        ];
        for (component, name, arguments) in [
            (
                "kubernetes",
                "kube-controller-manager",
                [&alone[..], &manager].concat(),
            ),
            ("kubernetes", "kube-scheduler", alone.to_vec()),
            ("kwok", "kwok", kwok.to_vec()),
        ] {
            let mut arguments = arguments;
            arguments.push(kubeconfig.clone());
            let process = Process::start(&program(component, name)?, &self.path, &arguments)?;
            self.servers().push(process);
        }
        Ok(())
    }

    fn kubectl_command(&self, kubeconfig: &Path) -> Result<Command> {
        let mut kubectl = kubectl()?;
        kubectl
            .arg("--kubeconfig")
            .arg(kubeconfig)
            // What it knows of an API server it keeps by port, and ports come again.
            .arg("--cache-dir")
            .arg(self.path.join("kubectl-cache"));
        Ok(kubectl)
    }

    fn servers(&self) -> MutexGuard<'_, Vec<Process>> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep_folder(&mut self) {
        self.folder.take().map(TempDir::keep);
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        // The last one started first, so that none logs that another is gone.
        while let Some(server) = self.servers().pop() {
            drop(server);
        }
        if thread::panicking() {
            self.keep_folder();
            let _ = writeln!(
                std::io::stderr(),
                "the control plane's files are kept in {}",
                self.path.display()
            );
        }
    }
}

const ETCD: &str = "etcd.sock";

/// Its place among the servers, right after etcd.
const API_SERVER: usize = 1;

/// Private networks. Nothing routes them: only the API server uses such addresses, and it asks [`Services`].
const SERVICE_NETWORK: &str = "10.96.0.0/16";
const POD_NETWORK: &str = "10.64.0.1/16";
