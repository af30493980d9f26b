//! What `filter logs` answers at its end.

use cluster::error::ClusterError;
use cluster::proxy::Pod;
use serde::Serialize;

use crate::error::exit;
use crate::printer::{Style, Text};

/// The end of a log.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Logged {
    /// Levels that could not be put back.
    pub not_restored: Vec<NotRestored>,
}

/// A level that could not be put back.
#[derive(Debug, Serialize)]
pub struct NotRestored {
    pub pod: String,
    pub why: String,
    /// What puts it back.
    pub command: String,
}

impl Logged {
    pub fn note(&mut self, pod: &Pod, level: &str, error: &ClusterError) {
        let Pod { namespace, name } = pod;
        self.not_restored.push(NotRestored {
            pod: pod.to_string(),
            why: error.to_string(),
            command: format!("kubectl exec -n {namespace} {name} -c istio-proxy -- pilot-agent request POST 'logging?wasm={level}'"),
        });
    }

    pub fn exit_code(&self) -> u8 {
        match self.not_restored.is_empty() {
            true => exit::DONE,
            false => exit::NEGATIVE,
        }
    }

    pub fn human(&self, text: &mut Text) {
        for proxy in &self.not_restored {
            let bad = text.styled(Style::Bad, "level not put back:");
            text.line(format_args!("{bad} {}: {}", proxy.pod, proxy.why));
            text.hint(&format!("`{}` does it", proxy.command));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_that_stays_raised_is_told_with_the_command_that_puts_it_back() {
        let mut logged = Logged::default();
        assert_eq!(logged.exit_code(), exit::DONE);
        let pod = Pod {
            namespace: "shop".to_owned(),
            name: "edge-1".to_owned(),
        };
        logged.note(&pod, "warning", &ClusterError::Interrupted);
        assert_eq!(logged.exit_code(), exit::NEGATIVE);
        let settings = crate::Settings::plain();
        let (mut out, mut told) = (Vec::new(), Vec::new());
        crate::printer::Printer::new(&settings, &mut out, &mut told)
            .tell(|text| logged.human(text));
        let told = String::from_utf8(told).unwrap();
        assert!(
            told.contains("level not put back: shop/edge-1: interrupted")
                && told.contains("kubectl exec -n shop edge-1 -c istio-proxy -- pilot-agent request POST 'logging?wasm=warning'"),
            "{told}"
        );
    }
}
