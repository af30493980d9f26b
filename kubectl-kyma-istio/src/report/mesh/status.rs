//! What `status` answers.

use mesh::status::{Management, Part, Status};
use serde::Serialize;

use crate::printer::{Style, Text};

/// One screen.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Screen {
    pub context: String,
    pub server: String,
    /// The API server's version.
    pub kubernetes: String,
    #[serde(flatten)]
    pub status: Status,
}

impl Screen {
    pub fn human(&self, text: &mut Text) {
        let status = &self.status;
        let row = |text: &mut Text, name: &str, value: &str| {
            let name = text.styled(Style::Strong, &format!("{name:<14}"));
            text.line(format_args!("{name}{value}"));
        };
        row(
            text,
            "cluster",
            &format!(
                "{} ({}), Kubernetes {}",
                self.context, self.server, self.kubernetes
            ),
        );
        row(text, "managed by", managed_by(status.management));
        parts("control plane", &status.control_planes, text);
        parts("gateways", &status.gateways, text);
        if !status.node_agents.is_empty() {
            parts("node agents", &status.node_agents, text);
        }
        let counts: Vec<String> = status
            .data_plane
            .iter()
            .map(|count| format!("{} on {}", count.sidecars, count.version))
            .collect();
        let sidecars = match counts.is_empty() {
            true => "none".to_owned(),
            false => counts.join(", "),
        };
        row(text, "sidecars", &sidecars);
        if let Some(resource) = &status.custom_resource {
            let state = resource.state.as_deref().unwrap_or("no state");
            let description = resource.description.as_deref().unwrap_or_default();
            row(
                text,
                "resource",
                &format!("Istio {}: {state} {description}", resource.name),
            );
            for condition in &resource.conditions {
                text.line(format_args!(
                    "              {}={} {} {}",
                    condition.kind, condition.status, condition.reason, condition.message
                ));
            }
        }
        for denied in &status.forbidden {
            let label = text.styled(Style::Bad, "not seen");
            text.line(format_args!("{label}      `{denied}` is forbidden"));
        }
    }
}

fn parts(name: &str, parts: &[Part], text: &mut Text) {
    for (number, part) in parts.iter().enumerate() {
        let name = if number == 0 { name } else { "" };
        let name = text.styled(Style::Strong, &format!("{name:<14}"));
        let component = &part.component;
        let wanted = component.wanted.unwrap_or(component.ready);
        let style = if part.is_ready {
            Style::Good
        } else {
            Style::Bad
        };
        let ready = text.styled(style, &format!("{}/{wanted} ready", component.ready));
        let revision = match component.revision.as_str() {
            "default" | "" => String::new(),
            other => format!(", revision {other}"),
        };
        text.line(format_args!(
            "{name}{}/{}  {ready}  {}{revision}",
            component.namespace,
            component.name,
            part.versions.join(", ")
        ));
    }
    if parts.is_empty() {
        let name = text.styled(Style::Strong, &format!("{name:<14}"));
        text.line(format_args!("{name}none"));
    }
}

fn managed_by(management: Management) -> &'static str {
    match management {
        Management::Nobody => "nobody: no Istio is installed",
        Management::Standalone => "kubectl kyma-istio",
        Management::Operator => "Kyma's operator",
        Management::Foreign => "others (neither this plugin nor Kyma's module installed it)",
    }
}
