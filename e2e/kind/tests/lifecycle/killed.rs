//! An installation that is killed on the way.

use e2e_kind::{facts, install, install_killed_behind};

use crate::{away, met};

const EVALUATION: [&str; 3] = ["--profile", "evaluation", "--yes"];

#[test]
fn an_installation_that_is_killed_three_times_goes_on_where_it_was() {
    away();
    for step in ["crds", "istiod", "gateways"] {
        let killed = install_killed_behind(step, &EVALUATION).exits(6);
        let hint = "running it again continues";
        assert!(killed.stderr.contains(hint), "{killed}");
    }
    let _ = install(&EVALUATION).exits(0);
    met(facts().version());
}
