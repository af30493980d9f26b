//! What `filter status` and `filter list` answer.

use mesh::codes::Code;
use mesh::filter::{Plugin, Selected, State};
use mesh::observed::ProxyKind;
use serde::Serialize;

use crate::error::exit;
use crate::printer::{Style, Text};

/// Every policy that was looked at.
#[derive(Debug, Serialize)]
pub struct Policies {
    pub policies: Vec<PolicyStatus>,
    /// People see each proxy; programs always do.
    #[serde(skip)]
    pub in_detail: bool,
}

/// One policy.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyStatus {
    pub namespace: String,
    pub name: String,
    pub image: String,
    pub digest: Option<String>,
    /// None: what the cluster holds doesn't compile.
    pub fingerprint: Option<String>,
    pub mode: Mode,
    /// A proxy without the module lets everything pass.
    pub fails_open: bool,
    pub canary_of: Option<String>,
    /// `rollback` has something to go back to.
    pub has_previous: bool,
    /// Why it doesn't compile.
    pub problems: Vec<String>,
    pub proxies: Vec<ProxyStatus>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Mode {
    Enforce,
    Shadow,
}

/// One proxy.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProxyStatus {
    pub namespace: String,
    pub name: String,
    pub kind: &'static str,
    #[serde(flatten)]
    pub state: State,
    /// The image that runs; known only of what is deployed now.
    pub digest: Option<String>,
    pub code: Option<Code>,
    pub sentence: String,
    /// Connections that were open before its listeners changed are still served as before.
    pub draining: bool,
}

impl ProxyStatus {
    pub fn new(proxy: &Selected, state: State, draining: bool, plugin: &Plugin) -> Self {
        Self {
            namespace: proxy.namespace.clone(),
            name: proxy.name.clone(),
            kind: match proxy.kind {
                ProxyKind::Sidecar => "Sidecar",
                ProxyKind::Gateway => "Gateway",
                ProxyKind::Waypoint => "Waypoint",
            },
            digest: plugin.digest().filter(|_| state.is_running()),
            code: state.code(),
            sentence: state.sentence(),
            draining,
            state,
        }
    }
}

impl PolicyStatus {
    /// How many proxies run it.
    pub fn running(&self) -> usize {
        self.proxies
            .iter()
            .filter(|proxy| proxy.state.is_running())
            .count()
    }

    /// True when every selected proxy runs it, and there is one.
    pub fn is_enforced(&self) -> bool {
        !self.proxies.is_empty() && self.running() == self.proxies.len()
    }

    pub fn human(&self, text: &mut Text) {
        let name = text.styled(Style::Strong, &format!("{}/{}", self.namespace, self.name));
        let fingerprint = self.fingerprint.as_deref().and_then(|all| all.get(..13));
        text.line(format_args!(
            "{name}  policy {}, {}{}  {} of {} running",
            fingerprint.unwrap_or("doesn't compile"),
            match self.mode {
                Mode::Enforce => "enforcing",
                Mode::Shadow => "shadow",
            },
            if self.fails_open { ", fails open" } else { "" },
            self.running(),
            count_of(self.proxies.len())
        ));
        if let Some(of) = &self.canary_of {
            text.line(format_args!("  canary of {of}"));
        }
        for problem in &self.problems {
            let bad = text.styled(Style::Bad, "doesn't compile:");
            text.line(format_args!("  {bad} {problem}"));
        }
        text.line(format_args!("  image {}", self.image));
    }

    pub fn proxies(&self, text: &mut Text) {
        if self.proxies.is_empty() {
            let bad = text.styled(Style::Bad, "no proxy is selected");
            text.line(format_args!("  {bad}"));
        }
        for proxy in &self.proxies {
            let style = match (&proxy.state, proxy.code) {
                (_, Some(_)) => Style::Bad,
                (State::Running { .. }, _) => Style::Good,
                _ => Style::Strong,
            };
            let state = text.styled(style, &format!("{:<9}", proxy.state.name()));
            let code = proxy
                .code
                .map(|code| format!("{code}  "))
                .unwrap_or_default();
            text.line(format_args!(
                "  {state} {}/{}  {code}{}",
                proxy.namespace, proxy.name, proxy.sentence
            ));
        }
        let draining = self.proxies.iter().filter(|proxy| proxy.draining).count();
        if draining > 0 {
            text.line(format_args!(
                "  note: connections that were open before go on as before in {}, until Envoy has drained them (45 seconds at most by Istio's settings)",
                count_of(draining)
            ));
        }
    }
}

fn count_of(proxies: usize) -> String {
    match proxies {
        1 => "1 proxy".to_owned(),
        number => format!("{number} proxies"),
    }
}

impl Policies {
    /// Nobody knows is worse than no, but a no is known.
    pub fn exit_code(&self) -> u8 {
        let states = || {
            self.policies
                .iter()
                .flat_map(|policy| &policy.proxies)
                .map(|proxy| &proxy.state)
        };
        let is_unknown = |state: &State| matches!(state, State::Unknown { .. });
        let is_bad = |state: &State| !state.is_running() && !is_unknown(state);
        match () {
            () if !self.in_detail => exit::DONE,
            () if states().any(is_bad)
                || self.policies.iter().any(|policy| policy.proxies.is_empty()) =>
            {
                exit::NEGATIVE
            }
            () if states().any(is_unknown) => exit::UNREACHABLE,
            () => exit::DONE,
        }
    }

    pub fn human(&self, text: &mut Text) {
        for policy in &self.policies {
            policy.human(text);
            if self.in_detail {
                policy.proxies(text);
            }
        }
        if self.policies.is_empty() {
            text.line(format_args!("no policy is deployed"));
        }
        let codes = self
            .policies
            .iter()
            .flat_map(|policy| &policy.proxies)
            .any(|proxy| proxy.code.is_some());
        if codes && self.in_detail {
            text.hint("`kubectl kyma-istio explain CODE` tells what a code means and what to do");
        }
    }
}
