use super::super::Mode;
use super::*;
use crate::printer::Printer;

/// A look that finds no proxy: not enforced.
fn status() -> PolicyStatus {
    PolicyStatus {
        namespace: "a".to_owned(),
        name: "shop".to_owned(),
        image: String::new(),
        digest: None,
        fingerprint: None,
        mode: Mode::Enforce,
        fails_open: false,
        canary_of: None,
        has_previous: true,
        problems: Vec::new(),
        proxies: Vec::new(),
    }
}

/// A roll-out that was written and doesn't run.
fn deployed() -> Deployed {
    Deployed {
        context: String::new(),
        dry_run: false,
        policy: "a/shop".to_owned(),
        fingerprint: None,
        image: None,
        changes: Vec::new(),
        policy_warnings: Vec::new(),
        warnings: Vec::new(),
        rehearsal: None,
        written: true,
        timed_out: false,
        interrupted: false,
        can_go_back: true,
        not_asked: None,
        status: Some(status()),
        written_back: false,
        brought_back: None,
        taken_away: false,
        not_brought_back: None,
        canary_left: None,
    }
}

fn told(deployed: &Deployed) -> String {
    let settings = crate::Settings::plain();
    let (mut out, mut told) = (Vec::new(), Vec::new());
    Printer::new(&settings, &mut out, &mut told).tell(|text| deployed.human(text));
    String::from_utf8(told).unwrap()
}

#[test]
fn what_stays_is_said_to_stay_with_the_way_back() {
    let interrupted = Deployed {
        interrupted: true,
        status: None,
        not_asked: Some("gone".to_owned()),
        ..deployed()
    };
    let first = Deployed {
        timed_out: true,
        can_go_back: false,
        ..deployed()
    };
    let refused = Deployed {
        not_brought_back: Some("somebody works on this mesh".to_owned()),
        ..deployed()
    };
    for (deployed, code, said) in [
        (
            interrupted,
            exit::PARTLY,
            "filter rollback a/shop` goes back",
        ),
        (
            first,
            exit::TIMED_OUT,
            "filter remove a/shop` takes it away",
        ),
        (refused, exit::PARTLY, "not back: somebody works"),
    ] {
        let text = told(&deployed);
        assert_eq!(deployed.exit_code(), code, "{text}");
        assert!(
            text.contains(said) && text.contains("it stays deployed"),
            "{said}: {text}"
        );
    }
}

#[test]
fn what_is_back_is_not_said_to_run_unless_proxies_say_so() {
    for brought_back in [Some(status()), None] {
        let back = Deployed {
            written_back: true,
            brought_back,
            ..deployed()
        };
        let text = told(&back);
        assert_eq!(back.exit_code(), exit::PARTLY, "{text}");
        assert!(
            text.contains("is back, but not every selected proxy says that it runs it:")
                && !text.contains("stays"),
            "{text}"
        );
    }
    let away = Deployed {
        taken_away: true,
        ..deployed()
    };
    assert_eq!(away.exit_code(), exit::NEGATIVE);
    assert!(!told(&away).contains("stays"));
}
