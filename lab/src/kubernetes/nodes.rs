//! Nodes that kwok plays.

use serde_json::{Value, json};

/// A fake node. What is given here is what the API shows of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeSpec {
    /// Its name.
    pub name: String,
    /// Capacity as Kubernetes quantities: `4`, `500m`.
    pub cpu: String,
    /// Capacity as Kubernetes quantities: `8Gi`.
    pub memory: String,
    /// `status.nodeInfo.kubeletVersion`.
    pub kubelet_version: String,
    /// `spec.providerID`, such as `gce://project/zone/name`; none when empty.
    pub provider_id: String,
    /// Labels beside `kubernetes.io/hostname` and `kubernetes.io/os`.
    pub labels: Vec<(String, String)>,
}

impl NodeSpec {
    /// 4 CPUs and 8 GiB of no cloud, with the API server's version.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            cpu: "4".into(),
            memory: "8Gi".into(),
            kubelet_version: "v1.36.3".into(),
            provider_id: String::new(),
            labels: Vec::new(),
        }
    }

    pub(super) fn manifest(&self) -> Value {
        let mut labels =
            json!({ "kubernetes.io/hostname": self.name, "kubernetes.io/os": "linux" });
        for (key, value) in &self.labels {
            labels[key] = json!(value);
        }
        let size = json!({ "cpu": self.cpu, "memory": self.memory, "pods": "110" });
        let mut node = json!({
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": { "name": self.name, "labels": labels },
            "spec": {},
            "status": {
                "capacity": size,
                "allocatable": size,
                "nodeInfo": {
                    "kubeletVersion": self.kubelet_version,
                    "kubeProxyVersion": self.kubelet_version,
                    "containerRuntimeVersion": "containerd://2.1.9",
                    "architecture": "amd64",
                    "operatingSystem": "linux",
                    "osImage": "lab",
                    "kernelVersion": "6.1.0",
                    "machineID": self.name,
                    "systemUUID": self.name,
                    "bootID": self.name,
                },
            },
        });
        if !self.provider_id.is_empty() {
            node["spec"]["providerID"] = json!(self.provider_id);
        }
        node
    }
}
