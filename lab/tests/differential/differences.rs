//! docs/differences-to-envoy.md, "Token", as data: which mutations a row speaks of, what jwt_authn answers and what we do.

use std::collections::BTreeMap;

use lab::repository;

/// A row of the table.
pub struct Row {
    /// The table's first column.
    pub name: &'static str,
    /// The mutations that it explains.
    pub kinds: &'static [&'static str],
    /// jwt_authn's status.
    pub envoy: &'static [u16],
    /// `Allow`, or our reason.
    pub ours: &'static [&'static str],
}

pub const ALLOW: &str = "Allow";

impl Row {
    fn explains(&self, kind: &str, envoy: u16, ours: &str) -> bool {
        self.kinds.contains(&kind) && self.envoy.contains(&envoy) && self.ours.contains(&ours)
    }
}

/// How often each row was met.
pub struct Met(BTreeMap<&'static str, usize>);

impl Met {
    pub fn new() -> Self {
        Self(ROWS.iter().map(|row| (row.name, 0)).collect())
    }

    /// The row that explains these two verdicts on a mutation, counted.
    pub fn explain(&mut self, kind: &str, envoy: u16, ours: &str) -> Option<&'static str> {
        let row = ROWS.iter().find(|row| row.explains(kind, envoy, ours))?;
        *self.0.entry(row.name).or_default() += 1;
        Some(row.name)
    }

    pub fn print(&self) {
        for (name, count) in &self.0 {
            println!("{count:>7}  {name}");
        }
    }

    /// Rows that nothing met.
    pub fn missed(&self) -> Vec<&'static str> {
        let missed = self.0.iter().filter(|(_, count)| **count == 0);
        missed.map(|(name, _)| *name).collect()
    }
}

/// The first column of the page's table under this heading.
pub fn documented(heading: &str) -> Vec<String> {
    let page = std::fs::read_to_string(repository().join("docs/differences-to-envoy.md")).unwrap();
    let (_, rest) = page.split_once(heading).unwrap();
    let table = rest.split("\n## ").next().unwrap();
    table
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(" | ").next())
        .filter(|name| *name != "situation")
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_documented_difference_is_one_row_here() {
    let known: Vec<&str> = ROWS.iter().map(|row| row.name).collect();
    assert_eq!(documented("## Token"), known);
}

pub const ROWS: &[Row] = &[
    Row {
        name: "`crit` in the header",
        kinds: &["crit"],
        envoy: &[200],
        ours: &["CriticalHeader"],
    },
    Row {
        name: "no `exp`",
        kinds: &["no exp"],
        envoy: &[200],
        ours: &["ExpirationMissing"],
    },
    Row {
        name: "empty segments (`.a.b.c`, `a..b.c`)",
        kinds: &["empty segment"],
        envoy: &[200],
        ours: &["TokenMalformed"],
    },
    Row {
        name: "base64 padding",
        kinds: &["padding", "odd padding"],
        envoy: &[200],
        ours: &["TokenMalformed"],
    },
    Row {
        name: "`exp` far beyond the year 9999",
        kinds: &[
            "huge exp",
            "exp beyond 63 bits",
            "exp at the end of the year 9999",
        ],
        envoy: &[200],
        ours: &["ClaimsMalformed"],
    },
    Row {
        name: "`exp` reached, to the second, skew included",
        kinds: &["exp border", "fractional exp border"],
        envoy: &[200],
        ours: &["Expired"],
    },
    Row {
        name: "no `kid`, several keys of the algorithm",
        kinds: &["no kid"],
        envoy: &[200],
        ours: &["KeyNotFound"],
    },
    Row {
        name: "`typ`",
        kinds: &["typ, where one is asked for"],
        envoy: &[200],
        ours: &["TypeNotAccepted"],
    },
    Row {
        name: "`bearer` in lower case",
        kinds: &["scheme in other case"],
        envoy: &[401],
        ours: &[ALLOW],
    },
    Row {
        name: "wrong or missing `aud`",
        // jwt_authn looks at `aud` before the signature, so a damaged payload may be a wrong audience to it and a wrong signature to us.
        kinds: &[
            "other aud",
            "no aud",
            "bit flip in the payload",
            "bit flip before encoding",
        ],
        envoy: &[403],
        ours: &["AudienceNotAccepted", "SignatureInvalid", "ClaimsMalformed"],
    },
    Row {
        name: "no `audiences` configured",
        kinds: &["no audiences configured"],
        envoy: &[200],
        ours: &["refused as configuration"],
    },
    Row {
        name: "differing tokens",
        // Whatever stands at the other side of a comma is a second credential.
        kinds: &[
            "two tokens",
            "comma behind the token",
            "comma before the token",
            "bit flip in the header",
            "bit flip in the payload",
            "bit flip in the signature",
        ],
        envoy: &[401],
        ours: &["SeveralTokens"],
    },
    Row {
        name: "`?access_token=`",
        kinds: &["token in the query"],
        envoy: &[200],
        ours: &["MissingToken"],
    },
    Row {
        name: "`iat` in the future",
        kinds: &["iat border", "future iat", "huge iat"],
        envoy: &[200],
        ours: &["IssuedInFuture", "ClaimsMalformed"],
    },
    Row {
        name: "claim headers forged by the client",
        kinds: &["forged claim header, no provider runs"],
        envoy: &[200],
        ours: &["Allow without it"],
    },
    Row {
        name: "text, null or negative `exp`, numeric `aud`, a claim twice",
        kinds: &["odd exp", "numeric aud", "claim twice"],
        envoy: &[401],
        ours: &["ClaimsMalformed"],
    },
    Row {
        name: "`alg: none`, HS256 with an RSA key, another key's `kid`",
        kinds: &["alg none", "HS256", "another key's kid"],
        envoy: &[401],
        ours: &["AlgorithmNotAllowed"],
    },
    Row {
        name: "`exp` of zero",
        kinds: &["zero exp"],
        envoy: &[200],
        ours: &["Expired"],
    },
    Row {
        name: "`aud` with a scheme in front or a slash behind",
        kinds: &["aud nearly right"],
        envoy: &[200],
        ours: &["AudienceNotAccepted"],
    },
    Row {
        name: "claims nested about a hundred deep",
        kinds: &["deep claims"],
        envoy: &[401],
        ours: &[ALLOW],
    },
    Row {
        name: "claims that are nearly JSON (comma at the end, single quotes, a raw tab)",
        kinds: &["claims that are no JSON"],
        envoy: &[200],
        ours: &["ClaimsMalformed"],
    },
    Row {
        name: "empty `kid`",
        kinds: &["empty kid"],
        envoy: &[200],
        ours: &["KeyNotFound"],
    },
    Row {
        name: "bits of the last base64 character that encode nothing",
        kinds: &["unused bits of base64", "bit flip in the signature"],
        envoy: &[200],
        ours: &["TokenMalformed"],
    },
    Row {
        name: "a comma before the token",
        kinds: &["comma before the token"],
        envoy: &[200],
        ours: &["MissingToken"],
    },
    Row {
        name: "another scheme or text before `Bearer`",
        kinds: &["text before the scheme"],
        envoy: &[200],
        ours: &["MissingToken", "SeveralTokens"],
    },
    Row {
        name: "the same token twice",
        kinds: &["the same token twice"],
        envoy: &[401],
        ours: &[ALLOW],
    },
    Row {
        name: "white space inside the signature",
        kinds: &["a space inside the signature"],
        envoy: &[200],
        ours: &["TokenMalformed"],
    },
    Row {
        name: "an ECDSA signature of another length",
        // A space and a letter that make one more byte.
        kinds: &[
            "ECDSA signature of another length",
            "something behind the token",
        ],
        envoy: &[200],
        ours: &["SignatureInvalid", "TokenMalformed"],
    },
];
