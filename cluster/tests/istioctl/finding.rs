//! Which istioctl is used: the named one, or one of the right version on `$PATH`.

use cluster::error::Class;
use cluster::istioctl::{Origin, Sources, find};

use super::kit::{folder, program, script};

#[tokio::test]
async fn the_flag_comes_before_the_variable_before_the_path() {
    let (a, b, c) = (folder(), folder(), folder());
    let [flag, env, _] =
        [&a, &b, &c].map(|folder| program(folder.path(), &script("1.30.2-distroless")));
    let mut sources = Sources {
        flag: Some(flag.clone()),
        env: Some(env.clone()),
        path: Some(c.path().into()),
    };
    assert_eq!(find(&sources, "1.30.2").await.expect("the flag").path, flag);
    sources.flag = None;
    let found = find(&sources, "1.30.2").await.expect("the variable");
    assert_eq!((found.path, found.origin), (env, Origin::Environment));
    sources.env = None;
    assert_eq!(
        find(&sources, "1.30.2").await.expect("the path").origin,
        Origin::Path
    );
}

#[tokio::test]
async fn another_version_is_refused_where_it_is_named_and_passed_over_on_the_path() {
    let (old, new) = (folder(), folder());
    let (old_program, _) = (
        program(old.path(), &script("1.29.2")),
        program(new.path(), &script("1.30.2")),
    );
    let named = Sources {
        flag: Some(old_program.clone()),
        ..Sources::default()
    };
    let error = find(&named, "1.30.2").await.expect_err("too old");
    assert_eq!(
        error.to_string(),
        format!(
            "`{}` is istioctl 1.29.2, expected 1.30.2",
            old_program.display()
        )
    );
    assert_eq!(error.class(), Class::Invalid);

    let path = std::env::join_paths([old.path(), new.path()]).expect("a path");
    let both = Sources {
        path: Some(path),
        ..Sources::default()
    };
    assert_eq!(
        find(&both, "1.30.2").await.expect("the second").path,
        new.path().join("istioctl")
    );

    let only_old = Sources {
        path: Some(old.path().into()),
        ..Sources::default()
    };
    let error = find(&only_old, "1.30.2").await.expect_err("none fits");
    let expected = format!(
        "found no istioctl 1.30.2 (`{}` is istioctl 1.29.2, expected 1.30.2)",
        old_program.display()
    );
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn what_is_no_istioctl_is_said_so() {
    let here = folder();
    let cases = [
        (
            "#!/bin/sh\necho hello\n",
            "`version` answers in another form than istioctl's",
        ),
        (
            "#!/bin/sh\necho first >&2; echo 'bad flag' >&2; exit 64\n",
            "`version` ended with exit status: 64: bad flag",
        ),
    ];
    for (text, why) in cases {
        let flag = program(here.path(), text);
        let error = find(
            &Sources {
                flag: Some(flag.clone()),
                ..Sources::default()
            },
            "1.30.2",
        )
        .await
        .expect_err(why);
        assert_eq!(
            error.to_string(),
            format!("`{}` can't be used as istioctl: {why}", flag.display())
        );
    }
    let missing = Sources {
        env: Some(here.path().join("none")),
        ..Sources::default()
    };
    let error = find(&missing, "1.30.2").await.expect_err("missing");
    assert!(
        error
            .to_string()
            .ends_with("No such file or directory (os error 2)"),
        "{error}"
    );
}
