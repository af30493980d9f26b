//! `version`.

use sha2::{Digest, Sha256};

use crate::cli::Form;
use crate::module;
use crate::report::{Body, FilterVersion, Report, Version};

pub fn run(form: Form) -> Report {
    let filter = module::embedded().map(|bytes| FilterVersion {
        bytes: bytes.len(),
        sha256: sha256_hex(bytes),
    });
    let version = Version {
        version: env!("CARGO_PKG_VERSION"),
        commit: option_env!("KYMA_ISTIO_COMMIT"),
        policy_api: policy::API_VERSION,
        #[cfg(feature = "mesh")]
        istio: istio(),
        filter,
    };
    Report::new(form, Body::Version(version))
}

fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(feature = "mesh")]
fn istio() -> crate::report::IstioVersions {
    use mesh::versions::{Minor, versions};

    let known = &versions().istio;
    let text = |minors: &[Minor]| minors.iter().map(Minor::to_string).collect();
    crate::report::IstioVersions {
        default: known.default.to_string(),
        supported: text(&known.supported),
        rendered: text(&known.rendered),
    }
}
