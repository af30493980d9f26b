//! The names that an `IstioOperator` knows, as deep as they are worth checking here: istioctl checks the rest when it renders.
//! Union of the supported minors. What stands nowhere below is free-form: `unvalidatedValues`, Kubernetes' own types, environment.

use super::path::{Path, Step};
use crate::problem::{Problem, list, nearest};

/// `spec`.
const SPEC: &str = "compatibilityVersion components hub installPackagePath meshConfig namespace profile revision tag unvalidatedValues values";
const COMPONENTS: &str = "base cni egressGateways ingressGateways istiodRemote pilot ztunnel";
const BASE: &str = "enabled k8s";
const COMPONENT: &str = "enabled hub k8s namespace tag";
const GATEWAY: &str = "enabled hub k8s label name namespace tag";
const KUBERNETES: &str = "affinity env hpaSpec imagePullPolicy nodeSelector overlays podAnnotations podDisruptionBudget priorityClassName \
    readinessProbe replicaCount resources securityContext service serviceAnnotations strategy tolerations volumeMounts volumes";
const MESH: &str = "accessLogEncoding accessLogFile accessLogFormat ca caCertificates certSigners certificates configSources connectTimeout \
    defaultConfig defaultDestinationRuleExportTo defaultHttpRetryPolicy defaultProviders defaultServiceExportTo defaultTrafficPolicy \
    defaultVirtualServiceExportTo disableEnvoyListenerLog discoverySelectors dnsRefreshRate enableAutoMtls enableEnvoyAccessLogService \
    enablePrometheusMerge enableTracing extensionProviders h2UpgradePolicy hboneIdleTimeout inboundClusterStatName inboundTrafficPolicy \
    ingressClass ingressControllerMode ingressSelector ingressService localityLbSetting meshMTLS outboundClusterStatName \
    outboundTrafficPolicy pathNormalization protocolDetectionTimeout proxyHttpPort proxyInboundListenPort proxyListenPort rootNamespace \
    serviceEntryVisibility serviceScopeConfigs serviceSettings tcpKeepalive tlsDefaults trustDomain trustDomainAliases trustDomains \
    verifyCertificateAtClient zoneAwareLbSetting";
const PROXY_CONFIG: &str = "availabilityZone binaryPath caCertificatesPem concurrency configPath connectionSettings controlPlaneAuthPolicy \
    customConfigFile discoveryAddress discoveryRefreshDelay drainDuration envoyAccessLogService envoyMetricsService \
    envoyMetricsServiceAddress extraStatTags fileFlushInterval fileFlushMinSizeKb gatewayTopology holdApplicationUntilProxyStarts image \
    interceptionMode meshId privateKeyProvider proxyAdminPort proxyBootstrapTemplatePath proxyHeaders proxyMetadata proxyStatsMatcher \
    readinessProbe runtimeValues sds serviceCluster statNameLength statsCompression statsdUdpAddress statusPort terminationDrainDuration \
    tracing tracingServiceName zipkinAddress";
const VALUES: &str = "base cni compatibilityVersion defaultRevision experimental gatewayClasses gateways global istio_cni istiodRemote meshConfig \
    ownerName pilot profile revision revisionTags sidecarInjectorWebhook telemetry ztunnel";
const VALUES_GLOBAL: &str = "agentgateway arch caAddress caName certSigners configCluster configValidation defaultNodeSelector \
    defaultPodDisruptionBudget defaultResources defaultTolerations enableReaderRBAC externalIstiod hub imagePullPolicy imagePullSecrets \
    ipFamilies ipFamilyPolicy istioNamespace istiod jwtPolicy logAsJson logging meshID meshNetworks mountMtlsCerts multiCluster \
    nativeNftables network networkPolicy omitSidecarInjectorConfigMap operatorManageWebhooks pilotCertProvider platform \
    podDNSSearchNamespaces priorityClassName proxy proxy_init readerServiceAccount remotePilotAddress resourceScope revision sds sts tag \
    tracer trustBundleName variant waypoint";
const VALUES_PILOT: &str = "affinity autoscaleBehavior autoscaleEnabled autoscaleMax autoscaleMin cni configMap cpu crlConfigMapName \
    deploymentLabels enabled env envVarFrom extraContainerArgs hub image ipFamilies ipFamilyPolicy istiodRemote jwksResolverExtraRootCA \
    keepaliveMaxServerConnectionAge memory nodeSelector podAnnotations podLabels replicaCount resources rollingMaxSurge \
    rollingMaxUnavailable seccompProfile serviceAccountAnnotations serviceAnnotations tag taint tolerations topologySpreadConstraints \
    traceSampling trustedZtunnelNamespace variant volumeMounts volumes";
const VALUES_CNI: &str = "affinity ambient chained cniBinDir cniConfDir cniConfFileName cniNetnsDir daemonSetLabels enabled env \
    excludeNamespaces hub image istioOwnedCNIConfig istioOwnedCNIConfigFileName logLevel logging podAnnotations podLabels privileged \
    provider psp_cluster_role pullPolicy repair resourceQuotas resources rollingMaxUnavailable seccompProfile tag useAppArmorAnnotation \
    variant";
const VALUES_GATEWAYS: &str =
    "enabled istio-egressgateway istio-ingressgateway seccompProfile securityContext";
const VALUES_PROXY: &str = "autoInject clusterDomain componentLogLevel enableCoreDump excludeIPRanges excludeInboundPorts \
    excludeOutboundPorts holdApplicationUntilProxyStarts image includeIPRanges includeInboundPorts includeOutboundPorts lifecycle logLevel \
    outlierLogPath privileged readinessFailureThreshold readinessInitialDelaySeconds readinessPeriodSeconds resources seccompProfile \
    startupProbe statusPort tracer";
const VALUES_INJECTOR: &str = "alwaysInjectSelector defaultTemplates enableNamespacesByDefault injectedAnnotations injectionURL \
    neverInjectSelector reinvocationPolicy rewriteAppHTTPProbe templates";

/// The names below `path` (of `spec`), or `None` where names are free.
fn below(path: &[&str]) -> Option<&'static str> {
    Some(match path {
        [] => SPEC,
        ["components"] => COMPONENTS,
        ["components", "base"] => BASE,
        ["components", "ingressGateways" | "egressGateways"] => GATEWAY,
        ["components", _] => COMPONENT,
        ["components", _, "k8s"] => KUBERNETES,
        ["meshConfig"] | ["values", "meshConfig"] => MESH,
        ["meshConfig", "defaultConfig"] | ["values", "meshConfig", "defaultConfig"] => PROXY_CONFIG,
        ["values"] => VALUES,
        ["values", "global"] => VALUES_GLOBAL,
        ["values", "global", "proxy"] => VALUES_PROXY,
        ["values", "pilot"] => VALUES_PILOT,
        ["values", "cni"] => VALUES_CNI,
        ["values", "gateways"] => VALUES_GATEWAYS,
        ["values", "sidecarInjectorWebhook"] => VALUES_INJECTOR,
        _ => return None,
    })
}

/// Whether a path, below `spec`, is one that an `IstioOperator` can have. Says the first name that is not.
pub(crate) fn check(path: &Path) -> Result<(), Problem> {
    let mut above: Vec<&str> = Vec::new();
    for step in path.steps() {
        let Step::Key(name) = step else {
            continue;
        };
        let names: Vec<&str> = below(&above)
            .map(|names| names.split_whitespace().collect())
            .unwrap_or_default();
        if !names.is_empty() && !names.contains(&name.as_str()) {
            return Err(unknown(path, &above, name, &names));
        }
        above.push(name);
    }
    Ok(())
}

fn unknown(path: &Path, above: &[&str], name: &str, names: &[&str]) -> Problem {
    let expected = match above.is_empty() {
        true => format!("a field of an IstioOperator's spec: {}", list(names)),
        false => format!("a field of `{}`: {}", above.join("."), list(names)),
    };
    let problem = Problem::new(
        path.to_string(),
        format!("unknown field `{name}`"),
        expected,
    );
    let whole = |name: &str| [above, &[name]].concat().join(".");
    match nearest(name, names) {
        Some(near) => problem.hint(format!("did you mean `{}`?", whole(near))),
        None if above.is_empty() && name == "spec" => problem.hint("paths begin below `spec`"),
        None => problem,
    }
}
