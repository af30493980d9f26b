//! Passwords, token realms, pull secrets: what we do with them, and what istio-agent does.

use delivery::{
    Credentials, Layout, Options, Reference, RegistryError, Rehearsal, Secret, StepName, Verdict,
    rehearse,
};

use lab::SelfSigned;
use lab::registry::Access;

use crate::support::judge::judge;
use crate::support::registry::Store;
use crate::support::{
    PASSWORD, USER, dockerconfigjson, hostname, image, module, push, realm, user, wrong_user,
};

/// A realm of basic authentication that istio-agent lets pass.
const URL_AS_REALM: &str = "https://registry.example.com";

fn rehearsed(url: &str, secret: Option<&[u8]>) -> delivery::Checked {
    rehearse(
        &Rehearsal {
            url,
            sha256: None,
            secret,
            insecure: false,
        },
        &Options::default(),
    )
}

fn denied(error: &RegistryError) -> (u16, bool) {
    assert!(!error.to_string().contains("battery"), "{error}");
    assert!(error.hint().is_some());
    match error {
        RegistryError::Denied {
            status, anonymous, ..
        } => (*status, *anonymous),
        other => panic!("{other}"),
    }
}

#[test]
fn a_password_opens_and_a_wrong_one_is_named() {
    let registry = Store::start(&Access::Password {
        realm: URL_AS_REALM,
    });
    let reference = registry.reference("team/filter:1");
    let image = image(&module(""), Layout::Compat);
    let try_with = |credentials| push(&reference, credentials, &Options::default(), &image);
    assert_eq!(
        denied(&try_with(Credentials::Anonymous).unwrap_err()),
        (401, true)
    );
    assert_eq!(denied(&try_with(wrong_user()).unwrap_err()), (401, false));
    let pushed = try_with(user()).unwrap();

    let url = pushed.reference.to_string();
    let host = registry.host();
    let secrets = [
        (Some(dockerconfigjson(&host, USER, PASSWORD)), true),
        (
            Some(dockerconfigjson(
                &format!("https://{host}/v1/"),
                USER,
                PASSWORD,
            )),
            true,
        ),
        (
            Some(dockerconfigjson(
                &format!("{host}/other/path"),
                USER,
                PASSWORD,
            )),
            true,
        ),
        (Some(dockerconfigjson(&host, USER, "wrong battery")), false),
        (
            Some(dockerconfigjson("registry.example.com", USER, PASSWORD)),
            false,
        ),
        (Some(b"null".to_vec()), false),
        (
            Some(br#"{"auths": {"x": {"auth": "not base64!"}}}"#.to_vec()),
            false,
        ),
        (None, false),
    ];
    for (secret, opens) in secrets {
        let shown = secret.as_deref().map(String::from_utf8_lossy);
        if let Some(verdict) = judge(&url, secret.as_deref(), None) {
            assert_eq!(
                verdict.error.is_none(),
                opens,
                "istio-agent with {shown:?}: {verdict:?}"
            );
        }
        let ours = rehearsed(&url, secret.as_deref());
        assert_eq!(ours.works(), opens, "rehearsal with {shown:?}: {ours:?}");
    }
}

/// Most registries call their realm something like this. `docker pull` works with them, a proxy doesn't.
#[test]
fn istio_agent_refuses_basic_authentication_whose_realm_is_no_url_and_so_does_the_rehearsal() {
    let registry = Store::start(&Access::Password {
        realm: "Registry Realm",
    });
    let reference = pushed(&registry);
    the_realm_is_refused(&registry, &reference);
}

#[test]
fn a_secret_for_another_host_is_warned_of_before_the_registry_refuses() {
    let registry = Store::start(&Access::Password {
        realm: URL_AS_REALM,
    });
    let reference = pushed(&registry);
    let secret = dockerconfigjson("registry.example.com", USER, PASSWORD);
    let checked = rehearsed(&reference.to_string(), Some(&secret));
    let step = |name| checked.steps.iter().find(|step| step.name == name).unwrap();
    assert_eq!(step(StepName::Secret).verdict, Verdict::Warning);
    assert!(
        step(StepName::Secret)
            .found
            .contains("`registry.example.com`")
    );
    assert_eq!(checked.failure().unwrap().name, StepName::Manifest);
}

#[test]
fn a_token_realm_takes_passwords_and_refresh_tokens() {
    let certificate = SelfSigned::new().unwrap();
    let server = realm::start("127.0.0.1:0", &certificate);
    let address = format!("http://{}/token", server.address());
    let registry = Store::start(&Access::Token {
        realm: &address,
        certificate: &certificate,
    });
    let reference = registry.reference("team/filter:1");
    let image = image(&module(""), Layout::Compat);
    let try_with = |credentials| push(&reference, credentials, &Options::default(), &image);
    assert_eq!(
        denied(&try_with(Credentials::Anonymous).unwrap_err()),
        (401, true)
    );
    assert_eq!(denied(&try_with(wrong_user()).unwrap_err()), (401, false));
    let first = try_with(user()).unwrap();
    let second = try_with(Credentials::Identity(Secret::new(realm::REFRESH))).unwrap();
    assert_eq!(first.digest, second.digest);
}

#[test]
fn istio_agent_refuses_a_realm_on_an_inner_address_and_so_does_the_rehearsal() {
    let certificate = SelfSigned::new().unwrap();
    let server = realm::start("127.0.0.1:0", &certificate);
    let address = format!("http://{}/token", server.address());
    let registry = Store::start(&Access::Token {
        realm: &address,
        certificate: &certificate,
    });
    let reference = pushed(&registry);
    the_realm_is_refused(&registry, &reference);
}

/// The agent looks at a realm's text, so the name of this machine passes where its address doesn't.
#[test]
fn istio_agent_takes_a_realm_with_a_name_and_so_does_the_rehearsal() {
    let name = hostname();
    let certificate = SelfSigned::new().unwrap();
    let server = realm::start(&format!("{name}:0"), &certificate);
    let address = format!("http://{name}:{}/token", server.address().port());
    let registry = Store::start(&Access::Token {
        realm: &address,
        certificate: &certificate,
    });
    let reference = registry.reference("team/filter:1");
    let image = image(&module(""), Layout::Compat);
    let refused = push(&reference, user(), &Options::default(), &image).unwrap_err();
    assert!(
        matches!(refused, RegistryError::RedirectToPlainHttp { .. }),
        "{refused}"
    );
    let plain = Options {
        plain_http: true,
        ..Options::default()
    };
    push(&reference, user(), &plain, &image).unwrap();

    let secret = dockerconfigjson(&registry.host(), USER, PASSWORD);
    if let Some(verdict) = judge(&reference.to_string(), Some(&secret), None) {
        assert_eq!(verdict.error, None);
    }
    let checked = rehearsed(&reference.to_string(), Some(&secret));
    assert!(checked.works(), "{checked:?}");
    assert!(
        !rehearsed(
            &reference.to_string(),
            Some(&dockerconfigjson(&registry.host(), USER, "wrong battery"))
        )
        .works()
    );
}

/// The filter's image, with the user's password.
fn pushed(registry: &Store) -> Reference {
    let reference = registry.reference("team/filter:1");
    let image = image(&module(""), Layout::Compat);
    push(&reference, user(), &Options::default(), &image).unwrap();
    reference
}

/// By the agent, in its words, and by the rehearsal.
#[track_caller]
fn the_realm_is_refused(registry: &Store, reference: &Reference) {
    let secret = dockerconfigjson(&registry.host(), USER, PASSWORD);
    if let Some(verdict) = judge(&reference.to_string(), Some(&secret), None) {
        assert!(
            verdict
                .error
                .as_ref()
                .is_some_and(|error| error.contains("unsafe bearer realm")),
            "{verdict:?}"
        );
    }
    let checked = rehearsed(&reference.to_string(), Some(&secret));
    assert_eq!(
        checked.failure().unwrap().name,
        StepName::Challenge,
        "{checked:?}"
    );
}
