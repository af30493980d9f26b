//! What docs/serve.md shows is what the server does.

use super::kit::{Serve, root};

#[test]
fn the_walk_of_docs_serve_gives_the_answers_that_stand_there() {
    let page = std::fs::read_to_string(root().join("docs/serve.md")).unwrap();
    let server = Serve::file(&root().join("examples/shop.yaml"), &[]);
    let fingerprint = server.listening["fingerprint"].as_str().unwrap();
    assert!(page.contains(&format!(
        " as Gateway, fingerprint {fingerprint}, upstream none\n"
    )));

    let mut asked = 0;
    for step in blocks(&page, "console").flat_map(|block| block.split("$ ")) {
        let (command, expected) = step.split_once('\n').unwrap_or_default();
        let Some(command) = command.strip_prefix("curl -s ") else {
            continue;
        };
        asked += 1;
        assert_eq!(
            curl(&server, command).trim_end(),
            expected.trim_end(),
            "{command}"
        );
    }
    let lines: Vec<&str> = blocks(&page, "text").flat_map(str::lines).collect();
    assert_eq!((asked, lines.len()), (3, 3));
    for line in lines {
        server.line(line);
    }
}

fn blocks<'a>(page: &'a str, kind: &str) -> impl Iterator<Item = &'a str> {
    let blocks = page.split("```").skip(1).step_by(2);
    blocks.filter_map(move |block| block.strip_prefix(&format!("{kind}\n")))
}

/// Does what curl 8.5 would: `-H` and a URL are all that the page uses.
fn curl(server: &Serve, command: &str) -> String {
    let mut headers = "user-agent: curl/8.5.0\r\naccept: */*\r\n".to_owned();
    let (flags, url) = command.rsplit_once(' ').unwrap();
    for flag in flags.split("-H ").skip(1) {
        let header = flag.trim().trim_matches(['\'', '"']);
        headers += &match header.split_once("$(cat ") {
            Some((start, file)) => {
                let file = root().join(file.trim_end_matches(')'));
                format!(
                    "{start}{}\r\n",
                    std::fs::read_to_string(file).unwrap().trim()
                )
            }
            None => format!("{header}\r\n"),
        };
    }
    let path = url.strip_prefix("http://127.0.0.1:8080").unwrap();
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: 127.0.0.1:8080\r\n{headers}connection: close\r\n\r\n"
    );
    server.raw(&request).body
}
