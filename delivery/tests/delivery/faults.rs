//! What goes wrong on the way, each with its own name.

use std::sync::{Arc, Mutex};

use delivery::{
    Class, Credentials, Image, InspectError, Layout, Options, Reference, RegistryError,
    inspect_image,
};

use lab::SelfSigned;
use lab::registry::Access;
use lab::server::{Request, Response, Server};

use crate::support::registry::Store;
use crate::support::{digest, fake, hostname, image, module, push, user};

fn reference(host: &str) -> Reference {
    format!("oci://{host}/team/filter:1").parse().unwrap()
}

fn small() -> Image {
    image(&module(""), Layout::Compat)
}

fn failure(reference: &Reference, options: &Options) -> RegistryError {
    push(reference, Credentials::Anonymous, options, &small()).unwrap_err()
}

#[test]
fn a_host_that_nobody_knows() {
    let error = failure(&reference("registry.invalid"), &Options::default());
    assert!(
        matches!(error, RegistryError::UnknownHost { ref host } if host == "registry.invalid"),
        "{error}"
    );
    assert_eq!(error.class(), Class::Unreachable);
}

#[test]
fn a_host_without_a_registry() {
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let error = failure(&reference(&free.to_string()), &Options::default());
    assert!(
        matches!(error, RegistryError::Unreachable { .. }),
        "{error}"
    );
}

#[test]
fn a_certificate_that_nobody_trusts_and_one_that_we_are_told_to() {
    let certificate = SelfSigned::new().unwrap();
    let registry = Store::with_tls(&Access::Everybody, Some(&certificate));
    let reference = registry.reference("team/filter:1");
    let error = failure(&reference, &Options::default());
    assert!(matches!(error, RegistryError::Tls { .. }), "{error}");
    let options = Options {
        ca: Some(certificate.certificate()),
        ..Options::default()
    };
    let pushed = push(&reference, Credentials::Anonymous, &options, &small()).unwrap();
    assert_eq!(&pushed.digest, small().digest());
}

/// The name of this machine isn't loopback by its text, so its plain HTTP must be asked for.
#[test]
fn plain_http_beyond_loopback_is_refused_unless_allowed() {
    let name = hostname();
    let server = fake(&format!("{}:0", name), None, |_| Response::new(200));
    let reference = reference(&format!("{}:{}", name, server.address().port()));
    let error = failure(&reference, &Options::default());
    assert!(matches!(error, RegistryError::PlainHttp { .. }), "{error}");
    assert!(error.hint().unwrap().contains("--plain-http"));
    let options = Options {
        plain_http: true,
        ..Options::default()
    };
    assert!(delivery::Registry::connect(&reference, Credentials::Anonymous, &options).is_ok());
}

#[test]
fn a_redirect_from_https_to_plain_http_is_refused_and_nobody_is_asked_there() {
    let certificate = SelfSigned::new().unwrap();
    let asked = Arc::new(Mutex::new(0));
    let counted = asked.clone();
    let plain = fake("127.0.0.1:0", None, move |_| {
        *counted.lock().unwrap() += 1;
        Response::new(200)
    });
    let target = plain.address();
    let server = fake(
        "127.0.0.1:0",
        Some(&certificate),
        move |request| match request.path.as_str() {
            "/v2/" => Response::new(200),
            path => Response::new(307).header("location", format!("http://{target}{path}")),
        },
    );
    // Allowing plain HTTP is no consent to a downgrade.
    let options = Options {
        ca: Some(certificate.certificate()),
        plain_http: true,
        ..Options::default()
    };
    let error = failure(&reference(&server.address().to_string()), &options);
    assert!(
        matches!(error, RegistryError::RedirectToPlainHttp { ref to, .. } if *to == format!("http://{target}")),
        "{error}"
    );
    assert_eq!(*asked.lock().unwrap(), 0);
}

#[test]
fn a_realm_of_plain_http_never_sees_the_password() {
    let certificate = SelfSigned::new().unwrap();
    let asked = Arc::new(Mutex::new(0));
    let counted = asked.clone();
    let realm = fake("127.0.0.1:0", None, move |_| {
        *counted.lock().unwrap() += 1;
        Response::new(200).body(r#"{"token": "x"}"#)
    });
    let challenge = format!(
        "Bearer realm=\"http://{}/token\",service=\"x\"",
        realm.address()
    );
    let server = fake("127.0.0.1:0", Some(&certificate), move |_| {
        Response::new(401).header("www-authenticate", challenge.clone())
    });
    let options = Options {
        ca: Some(certificate.certificate()),
        ..Options::default()
    };
    let error = push(
        &reference(&server.address().to_string()),
        user(),
        &options,
        &small(),
    )
    .unwrap_err();
    assert!(
        matches!(error, RegistryError::RedirectToPlainHttp { .. }),
        "{error}"
    );
    assert_eq!(*asked.lock().unwrap(), 0);
}

#[test]
fn credentials_do_not_follow_a_redirect_to_another_host() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = seen.clone();
    let other = fake("127.0.0.1:0", None, move |request| {
        noted.lock().unwrap().push(request.authorization.clone());
        Response::new(404)
    });
    let target = other.address();
    let server = fake("127.0.0.1:0", None, move |request| {
        match (request.path.as_str(), &request.authorization) {
            (_, None) => Response::new(401).header("www-authenticate", "Basic realm=\"x\""),
            (path, Some(_)) => {
                Response::new(307).header("location", format!("http://{target}{path}"))
            }
        }
    });
    let error = inspect_image(
        &reference(&server.address().to_string()),
        user(),
        &Options::default(),
    )
    .unwrap_err();
    assert!(
        matches!(
            error,
            InspectError::Registry(RegistryError::NotFound { .. })
        ),
        "{error}"
    );
    assert_eq!(*seen.lock().unwrap(), [None]);
}

/// A registry that keeps nothing but what `change` makes of it.
fn liar(change: impl Fn(&Request) -> Option<Response> + Send + 'static) -> Server {
    let mut stored: Vec<(String, Vec<u8>)> = Vec::new();
    fake("127.0.0.1:0", None, move |request| {
        let path = request
            .path
            .split('?')
            .next()
            .unwrap_or_default()
            .to_owned();
        if request.method == "PUT" {
            let name = digest(&request.body).to_string();
            stored.push((name.clone(), request.body.clone()));
            if path.contains("/manifests/") {
                stored.push(("1".into(), request.body.clone()));
            }
        }
        if let Some(response) = change(request) {
            return response;
        }
        let name = path.rsplit('/').next().unwrap_or_default();
        let found = stored
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, bytes)| bytes);
        match (request.method.as_str(), found) {
            _ if path == "/v2/" => Response::new(200),
            ("POST", _) => Response::new(202).header("location", "/v2/team/filter/blobs/uploads/1"),
            ("PUT", _) => Response::new(201)
                .header("docker-content-digest", digest(&request.body).to_string()),
            (_, Some(bytes)) => Response::new(200)
                .header("docker-content-digest", digest(bytes).to_string())
                .body(bytes.clone()),
            (_, None) => Response::new(404),
        }
    })
}

#[test]
fn the_liar_can_be_honest() {
    let server = liar(|_| None);
    let pushed = push(
        &reference(&server.address().to_string()),
        Credentials::Anonymous,
        &Options::default(),
        &small(),
    )
    .unwrap();
    assert_eq!(&pushed.digest, small().digest());
}

#[test]
fn a_corrupt_upload_is_found_however_the_registry_tells() {
    let refuses = |request: &Request| {
        let body = r#"{"errors": [{"code": "DIGEST_INVALID", "message": "provided digest did not match uploaded content"}]}"#;
        (request.method == "PUT").then(|| Response::new(400).body(body))
    };
    let says_another = |request: &Request| {
        (request.method == "PUT")
            .then(|| Response::new(201).header("docker-content-digest", digest(b"x").to_string()))
    };
    let gives_another = |request: &Request| {
        (request.method == "GET" && request.path.contains("/blobs/"))
            .then(|| Response::new(200).body("x"))
    };
    for server in [liar(refuses), liar(says_another), liar(gives_another)] {
        let error = failure(
            &reference(&server.address().to_string()),
            &Options::default(),
        );
        assert!(matches!(error, RegistryError::Corrupt { .. }), "{error}");
        assert_eq!(error.class(), Class::Refused);
    }
}

#[test]
fn a_tag_that_moves_while_we_push_is_told() {
    let moved = Arc::new(Mutex::new(false));
    let server = liar(move |request| {
        let mut moved = moved.lock().unwrap();
        *moved |= request.method == "PUT" && request.path.contains("/manifests/1");
        let is_tag = request.method == "HEAD" && request.path.ends_with("/manifests/1");
        (*moved && is_tag).then(|| {
            Response::new(200).header("docker-content-digest", digest(b"another").to_string())
        })
    });
    let error = failure(
        &reference(&server.address().to_string()),
        &Options::default(),
    );
    assert!(
        matches!(error, RegistryError::OtherImage { ref found, .. } if *found == digest(b"another")),
        "{error}"
    );
}

#[test]
fn a_blob_that_rots_in_a_real_registry_is_found() {
    let registry = Store::start(&Access::Everybody);
    let reference = registry.reference("team/filter:1");
    let image = small();
    push(
        &reference,
        Credentials::Anonymous,
        &Options::default(),
        &image,
    )
    .unwrap();
    let layer = image.blobs().next().unwrap().digest();
    let mut bytes = registry.stored(layer);
    *bytes.last_mut().unwrap() ^= 1;
    registry.corrupt(layer, bytes);
    let error = inspect_image(&reference, Credentials::Anonymous, &Options::default()).unwrap_err();
    assert!(
        matches!(error, InspectError::Registry(RegistryError::Corrupt { .. })),
        "{error}"
    );
}

#[test]
fn what_a_server_says_stays_one_plain_line() {
    let body = "{\"errors\": [{\"code\": \"DENIED\", \"message\": \"no\\u001b[31m\\nmore\"}]}";
    let server = fake("127.0.0.1:0", None, move |request| {
        match request.path.as_str() {
            "/v2/" => Response::new(200),
            _ => Response::new(403).body(body),
        }
    });
    let error = push(
        &reference(&server.address().to_string()),
        user(),
        &Options::default(),
        &small(),
    )
    .unwrap_err();
    assert!(!error.to_string().contains(['\n', '\u{1b}']), "{error:?}");
}
