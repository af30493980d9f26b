//! What we want, beside what was measured.

use super::{
    Commands, Costs, Median, Report,
    commands::{DIFF, GENERATE, HELP, INSTALL, ISTIOCTL_INSTALL, RENDER, VERSION},
    costs::{FULL, TOKEN},
    scenarios::{
        CIDRS_1, CIDRS_100000, COLD, EXT_AUTHZ, JWT_AUTHN, JWT_AUTHN_CACHED, RULES_1, RULES_1000,
        WARM,
    },
};

/// One target.
pub(super) struct Target {
    pub what: String,
    pub limit: String,
    pub found: String,
    pub verdict: String,
}

/// What wasmtime tells comes always, what Envoy tells when it was measured.
pub(super) fn all(report: Option<&Report>, costs: &Costs) -> Vec<Target> {
    let ratios = [
        (COLD, JWT_AUTHN, 1.00),
        (WARM, JWT_AUTHN_CACHED, 1.15),
        (WARM, EXT_AUTHZ, 0.40),
        (RULES_1000, RULES_1, 1.05),
        (CIDRS_100000, CIDRS_1, 1.05),
    ];
    let ratios = ratios.into_iter().filter_map(|(one, other, limit)| {
        let found = report?.ratio(one, other)?;
        Some(ratio("CPU", one, other, found, limit))
    });
    ratios.chain(sizes(costs)).collect()
}

/// The plugin beside istioctl. `install` renders too, so render and the time of apply are what it takes as a whole.
pub(super) fn commands(timed: &Commands) -> Vec<Target> {
    let starts = [HELP, VERSION].into_iter().filter_map(|name| {
        Some(absolute(
            format!("`{name}`"),
            timed.median(name)?.median,
            15.0,
            "ms",
        ))
    });
    let ratios = [
        (RENDER, GENERATE, 1.20),
        (INSTALL, ISTIOCTL_INSTALL, 1.00),
        (DIFF, INSTALL, 1.00),
    ];
    let ratios = ratios.into_iter().filter_map(|(one, other, limit)| {
        Some(ratio("time", one, other, timed.ratio(one, other)?, limit))
    });
    starts.chain(ratios).collect()
}

fn ratio(of: &str, one: &str, other: &str, found: Median, limit: f64) -> Target {
    Target {
        what: format!("{of} of `{one}` to `{other}`"),
        limit: format!("≤ {limit:.2}"),
        found: format!("{:.2} [{:.2}, {:.2}]", found.median, found.low, found.high),
        verdict: verdict(found.median, limit),
    }
}

fn sizes(costs: &Costs) -> Vec<Target> {
    let of = |name: &str| costs.policies.iter().find(|policy| policy.name == name);
    let mut all = vec![absolute(
        "the module".into(),
        costs.module.bytes as f64 / 1e3,
        450.0,
        "KB",
    )];
    for policy in [TOKEN, FULL].into_iter().filter_map(of) {
        all.push(absolute(
            format!("configuring `{}`", policy.name),
            policy.configuration.ms,
            25.0,
            "ms",
        ));
        all.push(absolute(
            format!("memory of a VM, `{}`", policy.name),
            policy.memory_bytes_after_requests as f64 / f64::from(1 << 20),
            6.0,
            "MiB",
        ));
    }
    all
}

fn absolute(what: String, found: f64, limit: f64, unit: &str) -> Target {
    Target {
        what,
        limit: format!("≤ {limit:.0} {unit}"),
        found: format!("{found:.1} {unit}"),
        verdict: verdict(found, limit),
    }
}

fn verdict(found: f64, limit: f64) -> String {
    if found <= limit {
        "met".into()
    } else {
        format!("missed by {:.1} %", (found / limit - 1.0) * 100.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missed_target_says_by_how_much() {
        assert_eq!(verdict(1.0, 1.0), "met");
        assert_eq!(verdict(1.26, 1.05), "missed by 20.0 %");
    }
}
