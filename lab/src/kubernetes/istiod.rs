//! A real istiod beside the control plane.

use std::{
    collections::HashMap,
    io::Write,
    net::SocketAddr,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

use super::{
    ControlPlane,
    process::{Process, on_free_ports},
    programs::{istio, program},
};
use crate::{Client, RawRequest, Result, error::Doing, http1};

/// A running istiod. It ends when this is dropped, and also when the test process ends without dropping.
///
/// Its Deployment says how it runs: arguments and environment are taken from there, and it acts as the manifests' service
/// account. Only addresses are ours.
pub struct Istiod {
    process: Process,
    http: SocketAddr,
    xds: SocketAddr,
    folder: Option<TempDir>,
}

/// Which istiod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IstiodOptions {
    /// Where it is installed.
    pub namespace: String,
    /// The name of its Deployment and Service: `istiod`, or `istiod-REVISION`.
    pub name: String,
    /// The version that it says it has; none is the default of `scripts/go-tools.sh`.
    pub version: Option<String>,
    /// Environment variables over those of its Deployment.
    pub environment: Vec<(String, String)>,
    /// How long to wait for its Deployment and ConfigMap.
    pub patience: Duration,
}

impl Default for IstiodOptions {
    fn default() -> Self {
        Self {
            namespace: "istio-system".into(),
            name: "istiod".into(),
            version: None,
            environment: Vec::new(),
            patience: Duration::from_secs(60),
        }
    }
}

impl Istiod {
    /// Waits for its Deployment and the injector's ConfigMap, as a pod waits for what it mounts; starts it; returns when it
    /// says it is ready. It then owns ports 443 and 15012 of its Service.
    ///
    /// It writes the `caBundle` of its webhooks a moment later. A webhook that is asked before that fails.
    pub fn start(control_plane: &ControlPlane, options: &IstiodOptions) -> Result<Self> {
        let installed = Installed::wait(control_plane, options)?;
        let binary = program(&istio(options.version.as_deref()), "pilot-discovery")?;
        let folder = TempDir::with_prefix("lab-istiod-").doing(|| "making a folder".into())?;
        let user = format!(
            "system:serviceaccount:{}:{}",
            options.namespace, installed.service_account
        );
        let group = format!("system:serviceaccounts:{}", options.namespace);
        let kubeconfig =
            control_plane.kubeconfig_for(&user, &["system:serviceaccounts", &group])?;
        let environment = installed.environment(options);
        let started = on_free_ports(|[http, webhooks, xds]| {
            let mut arguments = installed.arguments.clone();
            arguments.extend(addresses(&kubeconfig, http, webhooks, xds));
            let mut process =
                Process::start_with(&binary, folder.path(), &arguments, &environment)?;
            process.wait_for("istiod", || Ok(ready(http).then_some(())))?;
            Ok((process, http, webhooks, xds))
        });
        let (process, http, webhooks, xds) = match started {
            Ok(started) => started,
            Err(error) => {
                // The error names the log in it.
                let _ = folder.keep();
                return Err(error);
            }
        };
        control_plane.route(&options.namespace, &options.name, 443, webhooks);
        control_plane.route(&options.namespace, &options.name, 15012, xds);
        Ok(Self {
            process,
            http,
            xds,
            folder: Some(folder),
        })
    }

    /// Its plain HTTP port: `/ready`, `/metrics`, `/version`, `/debug/…`.
    pub fn http(&self) -> SocketAddr {
        self.http
    }

    /// Where proxies get their configuration and certificates, by TLS.
    pub fn xds(&self) -> SocketAddr {
        self.xds
    }

    /// The body of a GET at its HTTP port.
    pub fn get(&self, path: &str) -> Result<String> {
        let answer = Client::new().send(self.http, &RawRequest::get(path))?;
        Ok(String::from_utf8_lossy(&answer.body).into_owned())
    }

    /// Everything it has logged.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Istiod {
    fn drop(&mut self) {
        if !thread::panicking() {
            return;
        }
        if let Some(folder) = self.folder.take() {
            let _ = writeln!(
                std::io::stderr(),
                "istiod's files are kept in {}",
                folder.keep().display()
            );
        }
    }
}

/// What the manifests say about it.
struct Installed {
    service_account: String,
    arguments: Vec<String>,
    environment: HashMap<String, String>,
}

impl Installed {
    fn wait(control_plane: &ControlPlane, options: &IstiodOptions) -> Result<Self> {
        let deadline = Instant::now() + options.patience;
        let left = || deadline.saturating_duration_since(Instant::now());
        let injector = options.name.replace("istiod", "istio-sidecar-injector");
        let namespace = format!("--namespace={}", options.namespace);
        let config_map = ["get", &namespace, "configmap", &injector, "--output=name"];
        control_plane.kubectl_until("istiod's ConfigMap", left(), &config_map, |_| true)?;
        let deployment = [
            "get",
            &namespace,
            "deployment",
            &options.name,
            "--output=json",
        ];
        let found =
            control_plane.kubectl_until("istiod's Deployment", left(), &deployment, |_| true)?;
        Self::read(&found).ok_or_else(|| http1::broken("istiod's Deployment", found.as_bytes()))
    }

    fn read(deployment: &str) -> Option<Self> {
        let deployment: Value = serde_json::from_str(deployment).ok()?;
        let pod = &deployment["spec"]["template"]["spec"];
        let container = &pod["containers"][0];
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Some(Self {
            service_account: text(&pod["serviceAccountName"])?,
            arguments: container["args"]
                .as_array()?
                .iter()
                .filter_map(text)
                .collect(),
            // Those without a value say something of a pod that does not run, or of its limits.
            environment: container["env"]
                .as_array()?
                .iter()
                .filter_map(|one| Some((text(&one["name"])?, text(&one["value"])?)))
                .collect(),
        })
    }

    fn environment(&self, options: &IstiodOptions) -> Vec<(String, String)> {
        let mut all = self.environment.clone();
        all.insert("POD_NAME".into(), format!("{}-lab", options.name));
        all.insert("POD_NAMESPACE".into(), options.namespace.clone());
        all.insert("SERVICE_ACCOUNT".into(), self.service_account.clone());
        all.extend(options.environment.iter().cloned());
        all.into_iter().collect()
    }
}

/// The last of two flags of one name counts.
fn addresses(
    kubeconfig: &Path,
    http: SocketAddr,
    webhooks: SocketAddr,
    xds: SocketAddr,
) -> [String; 7] {
    [
        format!("--kubeconfig={}", kubeconfig.display()),
        format!("--httpAddr={http}"),
        format!("--httpsAddr={webhooks}"),
        format!("--secureGRPCAddr={xds}"),
        // Both share the HTTP port then.
        "--grpcAddr=".into(),
        "--monitoringAddr=".into(),
        "--ctrlz_port=0".into(),
    ]
}

fn ready(http: SocketAddr) -> bool {
    let answer = Client::new().send(http, &RawRequest::get("/ready"));
    answer.is_ok_and(|answer| answer.status == 200)
}
