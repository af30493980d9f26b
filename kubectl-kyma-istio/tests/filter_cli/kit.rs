//! Where a plugin runs, and a policy.

use tempfile::TempDir;

use crate::common::Plugin;

impl Plugin {
    pub fn within(mut self, folder: &TempDir) -> Self {
        self.command.current_dir(folder.path());
        self
    }
}

/// A folder with `policy.yaml`; its first three lines are the head.
pub fn policy(spec: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "apiVersion: policy.kyma-istio.dev/v1alpha1\nkind: HeaderPolicy\nmetadata: {{name: shop}}\n{spec}\n"
    );
    std::fs::write(folder.path().join("policy.yaml"), text).unwrap();
    folder
}
