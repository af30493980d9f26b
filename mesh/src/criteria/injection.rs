//! KI-V004: do pods get the sidecar that they ask for? Modern: webhooks with a CA, and a dry-run pod; legacy: the webhook
//! and the injector's policy.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use super::{Criterion, Facts, Form};
use crate::codes::Code;
use crate::observed::{Injection, Observed, Probes, is_deactivated, is_injector};

pub(super) fn judge(observed: &Observed, form: Form, probes: &Probes) -> Criterion {
    let mut facts = Facts::default();
    webhooks(observed, &mut facts);
    match form {
        Form::Modern => modern(observed, probes, &mut facts),
        Form::Legacy => legacy(observed, &mut facts),
    }
    facts.judged(Code::SidecarInjection, "sidecar-injection", form, || match form {
        Form::Modern => {
            let planes = observed.control_planes();
            let istiod = planes.first().map_or("istiod", |plane| plane.name.as_str());
            match observed.asking_in_vain().first() {
                Some((namespace, _)) => format!("kubectl label namespace {namespace} istio.io/rev- istio-injection=enabled"),
                None => format!("kubectl -n istio-system rollout restart deployment {istiod}    # istiod writes its CA bundle when it starts"),
            }
        }
        Form::Legacy => {
            "kubectl -n istio-system edit configmap istio-sidecar-injector    # set `policy: enabled` in `config`".to_owned()
        }
    })
}

/// Why a CA bundle can't be one: PEM is read as far as to see certificates, not what they say.
pub(crate) fn ca_problem(bundle: &[u8]) -> Option<&'static str> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";
    if bundle.is_empty() {
        return Some("its CA bundle is empty");
    }
    let Ok(text) = std::str::from_utf8(bundle) else {
        return Some("its CA bundle is no PEM");
    };
    let mut parts = text.split(BEGIN).skip(1).peekable();
    if parts.peek().is_none() {
        return Some("its CA bundle holds no certificate");
    }
    let is_certificate = |part: &str| {
        let body: Option<String> = part
            .split_once(END)
            .map(|(body, _)| body.split_whitespace().collect());
        body.and_then(|body| STANDARD.decode(body).ok())
            .is_some_and(|der| is_sequence(&der))
    };
    (!parts.all(is_certificate)).then_some("its CA bundle holds a broken certificate")
}

/// DER of a certificate is one SEQUENCE, as long as it says (X.690, 8.1.3).
fn is_sequence(der: &[u8]) -> bool {
    let [0x30, first, rest @ ..] = der else {
        return false;
    };
    if *first < 0x80 {
        return rest.len() == usize::from(*first);
    }
    let size = usize::from(first & 0x7f);
    let Some((length, body)) = rest
        .split_at_checked(size)
        .filter(|_| (1..=4).contains(&size))
    else {
        return false;
    };
    length
        .iter()
        .fold(0_usize, |sum, byte| (sum << 8) | usize::from(*byte))
        == body.len()
}

fn webhooks(observed: &Observed, facts: &mut Facts) {
    facts.must_read(
        observed,
        "mutatingwebhookconfigurations.admissionregistration.k8s.io",
    );
    let injectors: Vec<_> = observed
        .mutating_webhooks
        .iter()
        .filter(|found| is_injector(found))
        .collect();
    if injectors.is_empty() {
        facts.absent("no injector: no MutatingWebhookConfiguration with a webhook `…sidecar-injector.istio.io`");
    }
    let (off, on): (Vec<_>, Vec<_>) = injectors
        .into_iter()
        .partition(|found| is_deactivated(found));
    for configuration in &off {
        let line = format!(
            "MutatingWebhookConfiguration {}: deactivated",
            name(configuration)
        );
        if on.is_empty() {
            facts.fails(line)
        } else {
            facts.note(line)
        }
    }
    if let [_, second, ..] = on.as_slice()
        && on.iter().all(|one| selects(one) == selects(second))
    {
        facts.note(format!(
            "{} injectors are active for the same pods: delete or deactivate all but one",
            on.len()
        ));
    }
    for configuration in on {
        let mut broken = false;
        for webhook in configuration.webhooks.iter().flatten() {
            let bundle = webhook
                .client_config
                .ca_bundle
                .as_ref()
                .map_or(&[][..], |bundle| &bundle.0);
            if let Some(problem) = ca_problem(bundle) {
                broken = true;
                facts.fails(format!(
                    "MutatingWebhookConfiguration {}, webhook {}: {problem}",
                    name(configuration),
                    webhook.name
                ));
            }
        }
        if !broken {
            facts.holds(format!(
                "MutatingWebhookConfiguration {}: CA bundle is a certificate",
                name(configuration)
            ));
        }
    }
}

/// Which pods of which namespaces.
fn selects(
    configuration: &MutatingWebhookConfiguration,
) -> Vec<(Option<&LabelSelector>, Option<&LabelSelector>)> {
    let webhooks = configuration.webhooks.iter().flatten();
    webhooks
        .map(|webhook| {
            (
                webhook.namespace_selector.as_ref(),
                webhook.object_selector.as_ref(),
            )
        })
        .collect()
}

fn modern(observed: &Observed, probes: &Probes, facts: &mut Facts) {
    facts.probe(&probes.pod_injected);
    for (namespace, revision) in observed.asking_in_vain() {
        facts.fails(format!(
            "namespace {namespace} asks for revision `{revision}`, which no injector has: its pods get no sidecar"
        ));
    }
    let default = if observed.injects_by_default() {
        "on"
    } else {
        "off"
    };
    facts.note(format!("namespace default: {default}"));
    let names = observed
        .namespaces
        .iter()
        .filter_map(|namespace| namespace.metadata.name.as_deref());
    let by_label = |name: &&str| matches!(Injection::of_namespace(name, observed), Injection::Asked { by } if by.starts_with("namespace label"));
    let labelled: Vec<&str> = names.filter(by_label).collect();
    facts.note(match labelled.as_slice() {
        [] => "no namespace is labelled for injection".to_owned(),
        names => format!("namespaces labelled for injection: {}", names.join(", ")),
    });
}

/// Until 1.4 the injector's own ConfigMap says whether pods without a word get a sidecar.
fn legacy(observed: &Observed, facts: &mut Facts) {
    facts.must_read(observed, "configmaps");
    let policy = observed
        .injector_config()
        .and_then(|config| config.get("policy")?.as_str().map(str::to_owned));
    match policy.as_deref() {
        Some("enabled") => {
            facts.holds("ConfigMap istio-system/istio-sidecar-injector: `policy: enabled`")
        }
        Some(other) => {
            facts.fails(format!(
                "ConfigMap istio-system/istio-sidecar-injector: `policy: {other}`, expected enabled"
            ));
        }
        None => facts.absent(
            "no ConfigMap `istio-system/istio-sidecar-injector` with a readable `config.policy`",
        ),
    }
}

fn name(configuration: &MutatingWebhookConfiguration) -> &str {
    configuration.metadata.name.as_deref().unwrap_or_default()
}
