//! Passwords, token realms, pull secrets: what we do with them, and what istio-agent does.

use delivery::{
    Credentials, Layout, Options, Reference, RegistryError, Rehearsal, Secret, StepName, Verdict,
    rehearse,
};

use std::sync::{Arc, Mutex};

use lab::SelfSigned;
use lab::registry::Access;
use lab::server::Response;

use crate::support::judge::judge;
use crate::support::registry::Store;
use crate::support::{
    PASSWORD, USER, dockerconfigjson, fake, hostname, image, module, push, realm, user, wrong_user,
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

/// The agent looks at a realm's text, so the name of this machine passes where its address doesn't. It shows the pull secret there in the open; the rehearsal doesn't.
#[test]
fn istio_agent_takes_a_plain_realm_with_a_name_and_the_rehearsal_shows_it_no_secret() {
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
    let plain = Options {
        plain_http: true,
        ..Options::default()
    };
    // Plain HTTP is allowed for the registry, and the realm is another host.
    for options in [&Options::default(), &plain] {
        for credentials in [user(), Credentials::Identity(Secret::new(realm::REFRESH))] {
            let refused = push(&reference, credentials, options, &image).unwrap_err();
            assert!(
                matches!(
                    refused,
                    RegistryError::RedirectToPlainHttp { .. }
                        | RegistryError::RealmInTheOpen { .. }
                ),
                "{refused}"
            );
        }
    }
    let token = realm::token(&address, "repository:team/filter:pull,push");
    push(
        &reference,
        Credentials::Bearer(Secret::new(token)),
        &plain,
        &image,
    )
    .unwrap();

    let secret = dockerconfigjson(&registry.host(), USER, PASSWORD);
    if let Some(verdict) = judge(&reference.to_string(), Some(&secret), None) {
        assert_eq!(verdict.error, None);
    }
    let checked = rehearsed(&reference.to_string(), Some(&secret));
    let failure = checked.failure().unwrap();
    assert_eq!(failure.name, StepName::Token, "{failure:?}");
    assert!(failure.found.contains(&name), "{failure:?}");
}

#[test]
fn a_rehearsal_gets_a_token_of_a_realm_with_tls() {
    let certificate = SelfSigned::named(&[&hostname()]).unwrap();
    let server = realm::with_tls(&format!("{}:0", hostname()), &certificate);
    let address = format!("https://{}:{}/token", hostname(), server.address().port());
    let registry = Store::start(&Access::Token {
        realm: &address,
        certificate: &certificate,
    });
    let reference = registry.reference("team/filter:1");
    let image = image(&module(""), Layout::Compat);
    let trusting = Options {
        ca: Some(certificate.certificate()),
        ..Options::default()
    };
    push(&reference, user(), &trusting, &image).unwrap();
    let with = |password| {
        let secret = dockerconfigjson(&registry.host(), USER, password);
        let url = reference.to_string();
        rehearse(
            &Rehearsal {
                url: &url,
                sha256: None,
                secret: Some(&secret),
                insecure: false,
            },
            &trusting,
        )
    };
    assert!(with(PASSWORD).works(), "{:?}", with(PASSWORD));
    let wrong = with("wrong battery");
    assert_eq!(wrong.failure().unwrap().name, StepName::Token);
}

/// A host that answers by plain HTTP, whatever it asks for, sees no credentials: neither of a push nor the cluster's pull secret.
#[test]
fn a_registry_in_the_open_sees_no_credentials() {
    let name = hostname();
    for challenge in [
        "Basic realm=\"https://registry.example.com\"".to_owned(),
        format!("Bearer realm=\"http://{name}:1/steal\",service=\"x\""),
    ] {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (noted, asks) = (seen.clone(), challenge.clone());
        let server = fake(&format!("{name}:0"), None, move |request| {
            let shown = request.authorization.clone();
            noted.lock().unwrap().push((request.path.clone(), shown));
            Response::new(401).header("www-authenticate", asks.clone())
        });
        let host = format!("{name}:{}", server.address().port());
        let url = format!("oci://{host}/team/filter:1");
        let secret = dockerconfigjson(&host, USER, PASSWORD);
        let checked = rehearsed(&url, Some(&secret));
        let failure = checked.failure().unwrap();
        assert_eq!(failure.name, StepName::Token, "{failure:?}");
        assert!(failure.found.contains("in the open"), "{failure:?}");
        assert!(!failure.hint.as_ref().unwrap().contains("login"));
        // Without a secret there is nothing to hide.
        rehearsed(&url, None);
        let seen = seen.lock().unwrap();
        assert!(!seen.is_empty());
        assert!(seen.iter().all(|(_, shown)| shown.is_none()), "{seen:?}");
    }
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

/// What stands before `@` is no host, whatever it looks like.
#[test]
fn a_realm_with_a_user_in_front_sees_nothing() {
    let name = hostname();
    let seen = Arc::new(Mutex::new(0));
    let noted = seen.clone();
    let thief = fake(&format!("{name}:0"), None, move |_| {
        *noted.lock().unwrap() += 1;
        Response::new(200).body(r#"{"token": "x"}"#)
    });
    let port = thief.address().port();
    for user in ["[::1]", "localhost:x", "127.0.0.1:x", "127.0.0.1"] {
        let challenge = format!("Bearer realm=\"http://{user}@{name}:{port}/t\",service=\"x\"");
        let server = fake("127.0.0.1:0", None, move |_| {
            Response::new(401).header("www-authenticate", challenge.clone())
        });
        let reference: Reference = format!("oci://{}/team/filter:1", server.address())
            .parse()
            .unwrap();
        let image = image(&module(""), Layout::Compat);
        let plain = Options {
            plain_http: true,
            ..Options::default()
        };
        for credentials in [
            crate::support::user(),
            Credentials::Identity(Secret::new(realm::REFRESH)),
        ] {
            for options in [&Options::default(), &plain] {
                push(&reference, credentials.clone(), options, &image).unwrap_err();
            }
        }
        let secret = dockerconfigjson(&server.address().to_string(), USER, PASSWORD);
        assert!(!rehearsed(&reference.to_string(), Some(&secret)).works());
    }
    assert_eq!(*seen.lock().unwrap(), 0);
}

/// A challenge that came over plain HTTP could be anybody's, and so could be its realm with TLS.
#[test]
fn a_challenge_from_the_open_sends_nobody_to_its_realm() {
    let certificate = SelfSigned::named(&[&hostname()]).unwrap();
    let name = hostname();
    let asked = Arc::new(Mutex::new(0));
    let counted = asked.clone();
    let thief = fake("127.0.0.1:0", Some(&certificate), move |_| {
        *counted.lock().unwrap() += 1;
        Response::new(200).body(r#"{"token": "x"}"#)
    });
    let realm = format!("https://{name}:{}/t", thief.address().port());
    let open = fake(&format!("{name}:0"), None, move |_| {
        let challenge = format!("Bearer realm=\"{realm}\",service=\"x\"");
        Response::new(401).header("www-authenticate", challenge)
    });
    let target = format!("http://{name}:{}/v2/", open.address().port());
    let server = fake("127.0.0.1:0", Some(&certificate), move |_| {
        Response::new(307).header("location", target.clone())
    });
    let host = server.address().to_string();
    let secret = dockerconfigjson(&host, USER, PASSWORD);
    let checked = rehearse(
        &Rehearsal {
            url: &format!("oci://{host}/team/filter:1"),
            sha256: None,
            secret: Some(&secret),
            insecure: true,
        },
        &Options::default(),
    );
    let failure = checked.failure().unwrap();
    assert!(failure.found.contains("in the open"), "{failure:?}");
    assert_eq!(*asked.lock().unwrap(), 0);
}
