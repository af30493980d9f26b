//! How istioctl is run, and what becomes of its answers.

use std::path::Path;
use std::time::Duration;

use cluster::error::Class;
use cluster::istioctl::{Generate, Istioctl, IstioctlError, Origin, generate};
use tempfile::TempDir;

use super::kit::{folder, program, script};

fn of(text: &str, folder: &TempDir) -> Istioctl {
    Istioctl {
        path: program(folder.path(), text),
        version: "1.30.2".to_owned(),
        origin: Origin::Flag,
    }
}

const INPUT: Generate<'_> = Generate {
    operator: "kind: IstioOperator\n",
    manifests: None,
    limit: Duration::from_secs(20),
};

#[tokio::test]
async fn it_runs_without_a_cluster_in_its_environment() {
    let here = folder();
    let rendered = generate(&of(&script("1.30.2"), &here), INPUT)
        .await
        .expect("a rendering");
    assert!(
        rendered.yaml.starts_with("# args: generate --filename -\n"),
        "{}",
        rendered.yaml
    );
    assert!(
        rendered.yaml.ends_with("kind: IstioOperator\n"),
        "{}",
        rendered.yaml
    );
    let names: Vec<&str> = rendered
        .yaml
        .lines()
        .filter_map(|line| line.strip_prefix("# env: ")?.split('=').next())
        .collect();
    // `sh` itself adds the last ones.
    let allowed = [
        "HOME",
        "USERPROFILE",
        "PATH",
        "TMPDIR",
        "KUBECONFIG",
        "PWD",
        "OLDPWD",
        "SHLVL",
        "_",
    ];
    assert!(names.iter().all(|name| allowed.contains(name)), "{names:?}");
    let charts = Generate {
        manifests: Some(here.path()),
        ..INPUT
    };
    let rendered = generate(&of(&script("1.30.2"), &here), charts)
        .await
        .expect("a rendering");
    assert!(rendered.yaml.starts_with(&format!(
        "# args: generate --filename - --manifests {}\n",
        here.path().display()
    )));
}

#[tokio::test]
async fn its_home_is_empty_and_gone_afterwards() {
    let here = folder();
    let text = "#!/bin/sh\necho \"$HOME\"; ls -A \"$HOME\"; echo \"$KUBECONFIG\"; test -e \"$KUBECONFIG\" || echo none\n";
    let rendered = generate(&of(text, &here), INPUT)
        .await
        .expect("a rendering");
    let lines: Vec<&str> = rendered.yaml.lines().collect();
    let [home, kubeconfig, "none"] = lines[..] else {
        panic!("expected an empty home and no kubeconfig, found {lines:?}")
    };
    assert_eq!(kubeconfig, format!("{home}/kubeconfig"));
    assert_ne!(std::env::var("HOME").as_deref(), Ok(home));
    assert!(!Path::new(home).exists(), "{home}");
}

#[tokio::test]
async fn its_refusal_is_one_line_and_all_of_it_is_kept() {
    let here = folder();
    let error = generate(
        &of(
            "#!/bin/sh\necho warning >&2; echo 'Error: unknown field \"x\"' >&2; exit 1\n",
            &here,
        ),
        INPUT,
    )
    .await;
    let error = error.expect_err("refused");
    assert_eq!(
        error.to_string(),
        "istioctl can't render this: unknown field \"x\""
    );
    let IstioctlError::Render { stderr, .. } = error else {
        panic!("expected a refusal to render")
    };
    assert_eq!(stderr, "warning\nError: unknown field \"x\"\n");
}

#[tokio::test]
async fn a_program_that_hangs_is_ended() {
    let here = folder();
    let limited = Generate {
        limit: Duration::from_millis(200),
        ..INPUT
    };
    let error = generate(&of("#!/bin/sh\nexec sleep 600\n", &here), limited)
        .await
        .expect_err("too slow");
    assert_eq!(error.class(), Class::TimedOut, "{error}");
}
