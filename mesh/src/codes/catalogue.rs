//! The catalogue. One macro writes the enum and the table, so there is no code without an explanation.

use super::{Explanation, Guide};

macro_rules! catalogue {
    ($($(#[$doc:meta])* $code:ident $id:literal [$($guide:ident)*] $title:literal $meaning:literal $cause:literal $fix:literal;)*) => {
        /// A stable code. `V` criteria of verify, `G` gates, `P` preflight, `I` installation, `X` proxies, `S` before STRICT, `T` traffic, `F` the filter.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $title] $code,)*
        }

        impl Code {
            /// The spelling that users see: `KI-V001`.
            #[must_use]
            pub const fn id(self) -> &'static str {
                match self { $(Self::$code => $id,)* }
            }
        }

        pub(super) const CATALOGUE: &[Explanation] = &[
            $(Explanation { code: Code::$code, title: $title, meaning: $meaning, cause: $cause, fix: $fix, guides: &[$(Guide::$guide),*] },)*
        ];
    };
}

// Each entry: variant, id, [guides], title, meaning, cause, fix.
catalogue! {
    Version "KI-V001" [SidecarVersion]
        "the required Istio version runs"
        "Some istiod or gateway has another version than the required one, or its version can't be told."
        "An upgrade that stopped half way, a gateway that is managed elsewhere, or images that are named by digest only."
        "Run `kubectl kyma-istio upgrade`, or pass the version you mean with `--istio-version`.";
    MtlsStrict "KI-V002" [ConnectionRefused]
        "mutual TLS is STRICT in the whole mesh"
        "The mode that holds for the whole mesh isn't STRICT. Narrower policies that are weaker are listed as evidence; they don't fail it."
        "No PeerAuthentication without a selector in the root namespace (before 1.5: no MeshPolicy), or one with a weaker mode."
        "Apply a PeerAuthentication `default` with `mtls.mode: STRICT` in `istio-system`.";
    PolicyEnforcement "KI-V003" []
        "authorization policies are enforced"
        "It isn't proved that the mesh refuses what its policies refuse."
        "AuthorizationPolicy or RequestAuthentication isn't served, istiod's validating webhook lets invalid ones pass, or a proxy runs an allow-all stub in place of a filter."
        "Install Istio's CRDs, bring istiod back, and look at the evidence for the webhook that answered.";
    SidecarInjection "KI-V004" [NoSidecar]
        "sidecars are injected where it is asked for"
        "A pod that should get an `istio-proxy` would not get one, or that can't be proved."
        "The injector's webhook is missing or deactivated, its CA bundle is empty or broken, or istiod doesn't answer."
        "Bring istiod back: it writes its CA bundle into the webhook when it starts. Then run `verify` again.";
    Crds "KI-V005" []
        "the security CRDs are there"
        "A CustomResourceDefinition that policies need is missing or not Established."
        "CRDs were deleted by hand, or were never installed with this control plane."
        "Run `kubectl kyma-istio install`; it applies the CRDs first.";

    ForeignIstio "KI-G001" []
        "an Istio that isn't ours is installed"
        "There is a control plane which neither this plugin nor Kyma's module installed; it is not overwritten."
        "Istio was installed by istioctl, Helm or another operator."
        "Use `verify` and `patch` to bring it to what Kyma needs, or take it over with `--take-ownership`.";
    RevisionedMesh "KI-G002" []
        "the mesh uses revisions"
        "A control plane with a revision other than `default` is installed. Kyma upgrades in place; the two ways don't mix."
        "Istio was installed with `--revision`."
        "Move the namespaces to the default revision and remove the others first, or keep managing this mesh with istioctl.";
    AmbientMesh "KI-G003" []
        "the mesh is ambient"
        "ztunnel runs, or namespaces are labelled for the ambient data plane. Kyma uses sidecars; the two are not mixed."
        "Istio was installed with the ambient profile."
        "Take the namespaces out of the ambient mode and uninstall ztunnel first.";
    Downgrade "KI-G004" []
        "the target version is lower than the one that runs"
        "Downgrades are not supported by Istio's CRDs and proxies."
        "An older plugin, or `--istio-version` with an older version."
        "Use the version that runs, or a newer one.";
    MajorJump "KI-G005" []
        "the target is another major version"
        "An upgrade to another major version is not supported."
        "`--istio-version` with another major version."
        "Stay inside the major version.";
    MinorJump "KI-G006" []
        "more than one minor version lies between"
        "Istio is upgraded one minor version at a time."
        "The cluster was not upgraded for a long time."
        "Go step by step: install each minor version in between with `--istio-version`, and run `sync` after each.";
    StrictNeedsAcceptance "KI-G007" [ConnectionRefused]
        "STRICT takes traffic from workloads"
        "With STRICT, workloads without a sidecar can no longer call workloads that have one. Some were found."
        "Namespaces without injection, or pods that were made before it was turned on."
        "Look at the list, turn injection on where it matters, or go on with `--accept-strict`.";
    ManagedMode "KI-G008" []
        "Kyma's operator manages this Istio"
        "The Deployment `kyma-system/istio-controller-manager` is there; it reverts changes to what it manages, so only its custom resource is edited."
        "The Istio module of Kyma is installed on this cluster."
        "Give the settings as an Istio custom resource (`-f`), without overlay, `--set` and `--istio-version`.";
    CannotTell "KI-G009" []
        "what a decision needs can't be read"
        "Something that decides whether it is safe to go on could not be read from the cluster."
        "The user lacks a right."
        "Grant the rights that are named, or use another user.";
    UnknownVersion "KI-G010" []
        "the version that runs can't be told"
        "Neither the custom resource's annotation nor an image tag says which Istio runs, so an upgrade can't be judged."
        "Images that are named by digest only, or a private tag."
        "Set images by tag, or take the installation over with `--take-ownership`.";
    SeveralIstioCrs "KI-G011" []
        "several Istio custom resources exist"
        "Only the oldest Istio custom resource in `kyma-system` counts; others are ignored by the module."
        "A second resource was created, or one in another namespace."
        "Delete the ones that don't count, or edit the oldest.";
    NewerCrds "KI-G012" []
        "CRDs of a newer Istio are installed"
        "The CRDs on the cluster were installed by a newer Istio than the wanted one; going back could drop stored fields."
        "Another installation upgraded the CRDs."
        "Use the version of the CRDs, or a newer one.";
    CrBeingDeleted "KI-G013" []
        "the Istio custom resource is being deleted"
        "An uninstallation is under way; installing at the same time would leave a mixture."
        "`kubectl delete istio` was run and waits for resources that block it."
        "Let the deletion finish. `kubectl kyma-istio uninstall --plan` lists what blocks it.";
    Blockers "KI-G014" []
        "resources of others would go with Istio's CRDs"
        "Custom resources of Istio that neither this plugin nor Kyma's module made are on the cluster. With the CRDs they would go too, so nothing is uninstalled."
        "Gateways, VirtualServices, policies and the like of your workloads."
        "Delete what is no longer needed, or keep a copy and let the rest go: `uninstall --backup DIR --delete-blockers`; `kubectl apply -f DIR` restores it once Istio is back.";
    NothingInstalled "KI-G015" []
        "there is no Istio to work on"
        "No istiod was found, so there is nothing to upgrade or to patch."
        "Istio is not installed, or its Deployment has no container `discovery`."
        "Use `kubectl kyma-istio install`.";
    UnsupportedVersion "KI-G016" []
        "the wanted Istio version is not supported"
        "This release of the plugin installs two minor versions of Istio and upgrades to them. Their neighbours are only rendered, compared, verified and checked."
        "`--istio-version` or `--tag` with an older or a newer minor version."
        "Use a supported version, `kubectl kyma-istio version` lists them, or a release of the plugin that supports the one you want.";

    KubernetesVersion "KI-P001" []
        "Kubernetes is new enough"
        "The API server's version against the least that Istio supports."
        "A cluster that was not upgraded for a while."
        "Upgrade the cluster.";
    Rights "KI-P002" []
        "the user has the rights that an installation needs"
        "Each right was asked for with a SelfSubjectAccessReview."
        "The user's roles lack them."
        "Ask for the rights that are named, or use an administrator's context.";
    CrdVersions "KI-P003" []
        "no CRDs of a newer Istio"
        "The version that the CRDs are labelled with, against the wanted one."
        "Another installation upgraded the CRDs."
        "Use the version of the CRDs, or a newer one.";
    ForeignControlPlane "KI-P004" []
        "whose Istio is installed"
        "Whether the control plane was installed by us or Kyma's module, by someone else, or not at all."
        "Istio was installed by istioctl, Helm or another operator."
        "Use `verify` and `patch`, or take it over with `install --take-ownership`.";
    Capacity "KI-P005" []
        "the nodes carry the profile"
        "The nodes' CPU and memory, and the profile that follows from them."
        "A small cluster gets the evaluation profile, which has one replica of everything."
        "Add nodes, or choose with `--profile`.";
    Provider "KI-P006" []
        "the provider is known"
        "Where the cluster runs, as far as the nodes tell; some providers need settings of their own."
        "Kubelet version, provider id and operating system of the nodes."
        "Nothing to do; `--provider` sets it by hand.";
    Unreadable "KI-P007" []
        "everything that is judged can be read"
        "Some resources could not be read, so checks that need them are incomplete."
        "The user lacks the right to list them."
        "Grant the rights that are named.";
    Manager "KI-P008" []
        "who manages Istio on this cluster"
        "Whether Kyma's operator is present. If it is, this plugin edits only the custom resource."
        "The Istio module of Kyma is installed."
        "Nothing to do.";
    DataPlaneMode "KI-P009" []
        "no revisions and no ambient mode"
        "Kyma upgrades in place and uses sidecars. Revisions and ztunnel are recognised and not mixed with it."
        "Istio was installed with `--revision` or the ambient profile."
        "Keep managing that mesh with istioctl, or move back to the default revision and sidecars.";

    ControlPlane "KI-I001" [NoAccess NoSidecar]
        "the control plane is ready"
        "Every istiod Deployment has as many ready pods as it wants."
        "Image pull, lack of resources, or a crash: the pods' conditions tell."
        "Look at `kubectl -n istio-system describe pods -l app=istiod`.";
    Webhooks "KI-I002" [NoSidecar]
        "Istio's webhooks are set up"
        "Injection and validation webhooks are there, and their CA bundles are certificates."
        "istiod has not started since they were applied, or someone overwrote them."
        "Restart istiod: `kubectl -n istio-system rollout restart deployment istiod`.";
    Gateways "KI-I003" [NoAccess]
        "the gateways are ready"
        "Every gateway has ready pods."
        "Image pull, lack of resources, or a gateway that can't reach istiod."
        "Look at `kubectl -n istio-system describe pods -l app=istio-ingressgateway`.";
    Versions "KI-I004" [SidecarVersion]
        "control plane and gateways have one version"
        "More than one version was found among istiod, gateways and CNI."
        "An upgrade that stopped half way."
        "Run the installation again; it continues.";
    LoadBalancer "KI-I005" [NoAccess]
        "the ingress gateway has an address"
        "A Service of type LoadBalancer without an address can't be reached from outside."
        "The provider has no load balancer, a quota is full, or it is still being made."
        "Look at the events of the Service; on local clusters use a port forward or a load balancer of your own.";
    CustomResource "KI-I006" []
        "the Istio custom resource is in order"
        "The state that the custom resource reports, and whether it is the one that counts."
        "A validation error, user resources that block a deletion, or sidecars that could not be restarted."
        "Read the conditions that are named.";
    NodeAgents "KI-I007" [NoSidecar]
        "the CNI node agents are ready"
        "Every node runs a ready istio-cni pod; without it, injected pods don't start there."
        "A wrong CNI directory for this provider, image pull, or lack of resources."
        "Look at `kubectl -n istio-system describe pods -l k8s-app=istio-cni-node`, and at the provider in `render --explain`.";
    SupportedIstio "KI-I008" []
        "this release of the plugin supports the Istio that runs"
        "The minor version that istiod runs, against those that this release installs and upgrades. Its neighbours are judged all the same."
        "The cluster was not upgraded for a while, or a newer plugin or another tool upgraded it."
        "Upgrade Istio where it is older; use a newer release of the plugin where it is newer.";

    ProxyVersions "KI-X001" [SidecarVersion]
        "sidecars have the control plane's version"
        "Some proxies have another version than the control plane."
        "Their pods were not restarted since the upgrade."
        "Restart their workloads, `kubectl rollout restart`; `kubectl kyma-istio check --proxy` lists them.";
    MissingSidecar "KI-X002" [NoSidecar ConnectionRefused]
        "pods that ask for a sidecar have one"
        "Pods in a namespace with injection, or with the inject label, run without a sidecar."
        "They were created before injection was turned on, while the injector was away, or they use the host's network."
        "Restart the workloads that are named.";
    StuckPods "KI-X003" [SidecarVersion]
        "meshed pods are running"
        "Pods in Pending, Failed or Unknown can't be synchronised with the control plane."
        "Lack of resources, image pull, evictions, or a node that went away."
        "Repair or delete the pods; what runs after that gets the right sidecar.";
    Unrestartable "KI-X004" [SidecarVersion]
        "old sidecars can be renewed by a restart"
        "Pods with an old sidecar have no owner that would make new ones, or belong to a Job."
        "Pods that were created by hand, and Jobs that run for long."
        "Create the pod again yourself, or wait until the Job ends.";
    ProxyNotReady "KI-X005" [NoAccess]
        "proxies are ready"
        "The proxy container of running pods is not ready: it gets no configuration."
        "istiod isn't reachable from the pod: network policies, DNS, or a root certificate that changed."
        "Look at the log of container `istio-proxy` of the pods that are named.";
    NoInjection "KI-X006" [NoSidecar]
        "where injection is on"
        "Namespaces with application pods that have no sidecar because nothing asks for one."
        "Automatic injection is off by default in Kyma."
        "`kubectl label namespace NAMESPACE istio-injection=enabled`, then restart its workloads.";

    WithoutSidecar "KI-S001" [ConnectionRefused]
        "workloads without a sidecar next to meshed ones"
        "Under STRICT, these can't call workloads that have a sidecar."
        "Injection is off for them."
        "Turn injection on and restart them, or keep a PERMISSIVE PeerAuthentication for the workloads that they call.";
    WeakerPolicy "KI-S002" [ConnectionRefused]
        "policies that are weaker than STRICT"
        "These PeerAuthentications override the mesh-wide mode, so STRICT doesn't reach what they select."
        "Left from a migration, or a port that must stay open."
        "Delete them once all callers have a sidecar.";
    TlsDisabled "KI-S003" [ConnectionRefused]
        "DestinationRules that turn TLS off towards the mesh"
        "Clients with these rules send plain text, which workloads under STRICT refuse."
        "Rules that were written for services outside the mesh, with a host that is too wide."
        "Remove `tls.mode`, or narrow the rule's host.";
    NotSeen "KI-S004" [ConnectionRefused]
        "what the API can't show"
        "Callers from outside the cluster, and who really calls whom, are not in the API."
        "Kubernetes keeps no record of calls."
        "Watch `istio_requests_total{connection_security_policy=\"none\"}` before the switch.";

    NoReadyPod "KI-T001" [NoAccess]
        "services of the mesh have ready pods"
        "A Service selects no ready pod; its callers get 503 with the flag UH."
        "A selector that doesn't fit, a workload that is scaled down or not ready."
        "Compare the Service's selector with the pods' labels.";
    TargetPort "KI-T002" [NoAccess ConnectionRefused]
        "services name ports that their pods have"
        "A Service's named target port exists in none of its pods; connections fail."
        "A container port was renamed."
        "Correct `targetPort`, or the name of the container's port.";
    MutualToPlain "KI-T003" [NoAccess ConnectionRefused]
        "no mutual TLS towards pods without a sidecar"
        "A DestinationRule asks for mutual TLS, but the pods behind the host have no sidecar to answer it; callers get 503."
        "A rule with a wide host, or a workload that lost its sidecar."
        "Give the workload a sidecar, or set `tls.mode: DISABLE` for this host.";
    PlainToStrict "KI-T004" [ConnectionRefused NoAccess]
        "no plain text towards pods under STRICT"
        "A DestinationRule turns TLS off for a host whose pods accept mutual TLS only; they reset the connection."
        "The rule is older than the sidecar or than STRICT."
        "Remove `tls.mode` from the rule.";

    PolicyRejected "KI-F001" []
        "running proxies took the policy"
        "A proxy was sent a policy or a module that it can't run. It goes on with what it had; its next restart answers 500 to every request. Envoy's config dump shows the new one all the same."
        "A policy that was edited by hand, or a module of another version than the policy."
        "`kubectl kyma-istio filter rollback`, or deploy a policy that compiles.";
    PolicyRefusing "KI-F002" []
        "proxies that started got a policy that they can run"
        "A proxy started with a policy or a module that it can't run: every request is answered 500, and the pod is ready all the same."
        "A policy that running proxies had rejected, and a restart after that."
        "`kubectl kyma-istio filter rollback`, or deploy a policy that compiles.";
    FilterDenyAll "KI-F003" []
        "proxies have the module (none refuses everything)"
        "istio-agent couldn't get the module and put a filter in its place that answers 403 to every request."
        "A wrong layout of the image, a missing pull secret, a registry that can't be reached from the proxy, a digest that isn't there."
        "`kubectl kyma-istio filter inspect REF` says what the agent makes of the image; then deploy again.";
    FilterAllowAll "KI-F004" []
        "proxies have the module (none lets everything pass)"
        "istio-agent couldn't get the module and, because of `failStrategy: FAIL_OPEN`, put a filter in its place that lets every request pass: there is no policy."
        "As for KI-F003; nobody notices, because nothing is refused."
        "As for KI-F003; and use `failStrategy: Close` for a policy that protects something.";
    FilterMissing "KI-F005" []
        "selected proxies were sent the filter"
        "istiod has sent the proxy no such filter: its requests pass without a policy."
        "A gateway without an HTTP listener, `match` that fits no listener of the proxy, or istiod that is behind."
        "Give the gateway a Gateway resource with an HTTP port, and look whether istiod runs.";
    FilterUnknown "KI-F006" []
        "proxies can be asked what they run"
        "A proxy couldn't be asked, so nothing is known about its policy."
        "No right to forward ports to pods, a pod that isn't running, or a proxy without its administration port."
        "Ask for the right to create `pods/portforward`, or look at the pod.";
    NoProxySelected "KI-F010" []
        "the policy selects a proxy"
        "No pod with a proxy has the labels that `spec.target` names."
        "A misspelt label, another namespace, or pods without a sidecar."
        "Correct `spec.target`.";
    AmbientTarget "KI-F011" []
        "the policy is for sidecars and gateways"
        "The policy selects a waypoint or a namespace of the ambient mesh."
        "What the filter sees in a waypoint isn't measured, so a policy there would promise what nobody knows."
        "Select sidecars or a gateway.";
    PoliciesOverlap "KI-F012" []
        "one policy for each proxy"
        "Two policies would run in one proxy, and each strips the headers that the other writes."
        "Selectors that overlap."
        "Narrow one of the selectors, put both into one policy, or let one of them be a shadow.";
    AuthorizerFirst "KI-F013" []
        "nothing trusts headers before the policy cleaned them"
        "An AuthorizationPolicy with action CUSTOM asks its external authorizer before any WasmPlugin runs: it sees what the policy would remove, and what it writes is there when the policy removes."
        "The order of filters in Istio."
        "Let the authorizer trust no header that the policy writes or strips; name headers that it writes in `forwarded.companions.keep`.";
    HopsDisagree "KI-F014" []
        "policy and mesh count the same trusted proxies"
        "The policy's `trust.hops` and the mesh's `numTrustedProxies` differ, so they mean different clients."
        "One of them was changed alone."
        "`kubectl kyma-istio xff set N`, or correct the policy.";
    AddressHidden "KI-F015" []
        "the gateway sees the addresses of its peers"
        "The gateway's Service replaces the peer's address by a node's, so address ranges don't fit."
        "`externalTrafficPolicy: Cluster`, which is the default."
        "Set `gatewayExternalTrafficPolicy: Local` in the Istio custom resource.";
    ProxyProtocol "KI-F016" []
        "PROXY protocol and hops fit together"
        "PROXY protocol tells the client's address below HTTP; a load balancer that uses it is no hop of the chain."
        "A provider's load balancer with PROXY protocol."
        "Count only proxies that write x-forwarded-for.";
    RegistryBlocked "KI-F017" []
        "the gateway may reach the registry"
        "A NetworkPolicy limits where the gateway may connect to; if the registry isn't among that, the module can't be fetched."
        "Kyma's optional network policies."
        "Allow the gateway egress to the registry.";
    PolicyVersion "KI-F018" []
        "module and policy speak the same version"
        "The module in the image doesn't accept policies of this `apiVersion`."
        "An older or newer image than the plugin that deploys."
        "Push the filter of this plugin: `kubectl kyma-istio filter push REF`.";
    PullFails "KI-F019" []
        "istio-agent can fetch the module"
        "A rehearsal of the pull, by istio-agent's own rules, fails: every request would be answered 403, or pass unjudged. It also stops where the agent would show the pull secret without TLS."
        "Wrong reference, layout, secret or digest; a registry that isn't reachable from here; a registry with a pull secret and plain HTTP."
        "The failed step says what to do. `--skip-rehearsal` deploys where only the proxies reach the registry.";
    PullSecret "KI-F020" []
        "the pull secret is where proxies look"
        "The pull secret isn't in the plugin's namespace, or isn't of type `kubernetes.io/dockerconfigjson`."
        "Istio reads it only from the namespace of the WasmPlugin, whatever else is written."
        "Create it there: `kubectl create secret docker-registry NAME -n NAMESPACE --docker-server=… --docker-username=… --docker-password=…`.";
    HostChosen "KI-F021" []
        "rules with hosts are behind routes that name hosts"
        "A proxy routes any host to the policy, so who asks chooses the host and with it the rule."
        "A sidecar, whose listener for what comes in has the virtual host `*`, or a route at a gateway without hosts."
        "Name the hosts in the route, or tell requests apart by their paths.";
}
