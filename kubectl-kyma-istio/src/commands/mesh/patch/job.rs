//! The Job of documents 000 and 001: the same command inside the cluster, with the rights that it needs and no more. They are
//! much all the same: RBAC can't allow a dry run alone. `docs/patch.md` says so.

mod rights;

use serde_json::json;

use crate::cli::Patch;
use crate::report::{MeshBody, Rendered, Report};

/// As the documents name it.
const NAME: &str = "istio-kyma-patch";
const NAMESPACE: &str = "istio-system";

/// Account, rights, Job.
pub fn manifests(arguments: &Patch, image: &str) -> Report {
    let only_judges = arguments.verify_only;
    let labels = json!({ "app": NAME });
    let named = json!({ "name": NAME, "labels": labels });
    let within =
        |namespace: &str| json!({ "name": NAME, "namespace": namespace, "labels": labels });
    let placed = within(NAMESPACE);
    let subject = json!([{ "kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE }]);
    let rbac = "rbac.authorization.k8s.io/v1";
    let role =
        |kind: &str| json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": NAME });
    let mut objects = vec![
        json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": placed }),
        json!({ "apiVersion": rbac, "kind": "ClusterRole", "metadata": named, "rules": rights::wide(only_judges) }),
        json!({ "apiVersion": rbac, "kind": "ClusterRoleBinding", "metadata": named, "roleRef": role("ClusterRole"), "subjects": subject }),
    ];
    let mut roles = vec![(NAMESPACE, rights::inside(only_judges))];
    let probed = |namespace| (namespace, rights::probed(namespace, only_judges));
    roles.extend(rights::PROBED.map(probed));
    for (namespace, rules) in roles {
        let metadata = within(namespace);
        objects.extend([
            json!({ "apiVersion": rbac, "kind": "Role", "metadata": metadata, "rules": rules }),
            json!({ "apiVersion": rbac, "kind": "RoleBinding", "metadata": metadata, "roleRef": role("Role"), "subjects": subject }),
        ]);
    }
    let pod = json!({
        "serviceAccountName": NAME, "restartPolicy": "Never",
        "securityContext": { "runAsNonRoot": true, "seccompProfile": { "type": "RuntimeDefault" } },
        "containers": [{
            "name": "patch", "image": image, "args": command(arguments),
            "resources": { "requests": { "cpu": "10m", "memory": "32Mi" }, "limits": { "memory": "256Mi" } },
            "securityContext": { "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": { "drop": ["ALL"] } },
        }],
    });
    let template = json!({
        "metadata": { "labels": { "app": NAME, "sidecar.istio.io/inject": "false" } },
        "spec": pod,
    });
    objects.push(json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": placed,
        "spec": { "backoffLimit": 0, "template": template },
    }));
    Report::new(
        match arguments.output.form {
            crate::cli::Form::Json => crate::cli::Form::Json,
            _ => crate::cli::Form::Yaml,
        },
        MeshBody::Rendered(Rendered {
            manifests: String::new(),
            before: objects,
            behind: Vec::new(),
        }),
    )
}

/// The flags that make sense inside the cluster. A certificate from files stays here: make its Secret first.
fn command(arguments: &Patch) -> Vec<String> {
    let mut words = vec!["patch".to_owned()];
    if arguments.verify_only {
        words.push("--verify-only".to_owned());
    } else {
        words.push("--yes".to_owned());
        words.push(format!("--memory-limit={}", arguments.memory_limit));
        words.push(format!("--timeout={}ms", arguments.timeout.as_millis()));
        words.extend(
            arguments
                .domain
                .iter()
                .map(|domain| format!("--domain={domain}")),
        );
        words.extend(arguments.delete_data.then(|| "--delete-data".to_owned()));
        words.extend(arguments.skip_verify.then(|| "--skip-verify".to_owned()));
    }
    let version = arguments.istio_version.iter();
    words.extend(version.map(|version| format!("--istio-version={version}")));
    let mirror = arguments.istioctl.istioctl_base_url.iter();
    words.extend(mirror.map(|url| format!("--istioctl-base-url={url}")));
    let hash = arguments.istioctl.istioctl_sha256.iter();
    words.extend(hash.map(|hash| format!("--istioctl-sha256={}", hash.as_str())));
    words
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::Value;

    use super::*;
    use crate::report::Body;

    #[derive(Debug, Parser)]
    struct Alone {
        #[command(flatten)]
        patch: Patch,
    }

    fn printed(flags: &[&str]) -> Vec<Value> {
        let job = ["patch", "--job", "--image=example.com/plugin:1"];
        let arguments = Alone::try_parse_from([&job[..], flags].concat()).expect("arguments");
        match manifests(&arguments.patch, "example.com/plugin:1").body {
            Body::Mesh(MeshBody::Rendered(rendered)) => rendered.before,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_job_gets_every_flag_that_counts_inside_the_cluster() {
        let objects = printed(&[
            "--timeout=90s",
            "--memory-limit=512Mi",
            "--domain=kyma.example.com",
            "--delete-data",
            "--skip-verify",
            "--istio-version=1.30.2",
            "--istioctl-base-url=https://mirror.example.com/{version}",
        ]);
        let job = objects.last().expect("a Job");
        assert_eq!(
            job["spec"]["template"]["spec"]["containers"][0]["args"],
            json!([
                "patch",
                "--yes",
                "--memory-limit=512Mi",
                "--timeout=90000ms",
                "--domain=kyma.example.com",
                "--delete-data",
                "--skip-verify",
                "--istio-version=1.30.2",
                "--istioctl-base-url=https://mirror.example.com/{version}",
            ])
        );
    }

    #[test]
    fn pods_and_policies_may_be_created_only_where_a_dry_run_needs_it() {
        for flags in [&["--verify-only"][..], &[]] {
            let mut places = Vec::new();
            for object in printed(flags) {
                let place = object["metadata"]["namespace"].as_str();
                let rules = object["rules"].as_array().cloned().unwrap_or_default();
                let creates = |rule: &&Value| {
                    rule["verbs"]
                        .as_array()
                        .is_some_and(|verbs| verbs.contains(&json!("create")))
                };
                for resource in rules
                    .iter()
                    .filter(creates)
                    .flat_map(|rule| rule["resources"].as_array())
                    .flatten()
                {
                    places.push(format!(
                        "{} {}",
                        place.unwrap_or("everywhere"),
                        resource.as_str().unwrap_or_default()
                    ));
                }
            }
            let probes: Vec<&String> = places
                .iter()
                .filter(|place| place.contains("pods") || place.contains("policies"))
                .collect();
            assert_eq!(
                probes,
                [
                    "everywhere pods/portforward",
                    "istio-system authorizationpolicies",
                    "kyma-system pods",
                    "default pods"
                ]
            );
            assert_eq!(
                places.len() == probes.len(),
                flags == ["--verify-only"],
                "{places:?}"
            );
        }
    }
}
