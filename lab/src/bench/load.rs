//! Load by `wrk`, and what it costs Envoy.

use std::process::Command;

use super::Options;
use crate::{Client, Envoy, Error, RawRequest, Result, envoy::read, http1::broken, tools::output};

pub(super) struct Load {
    seconds: u64,
    headers: Vec<(&'static str, String)>,
}

impl Load {
    pub(super) fn new(options: &Options) -> Result<Self> {
        let mut headers = vec![("x-forwarded-for", options.xff.clone())];
        if let Some(token) = &options.token {
            headers.push(("authorization", format!("Bearer {}", read(token)?.trim())));
        }
        Ok(Self {
            seconds: options.seconds,
            headers,
        })
    }

    /// A scenario that refuses is not worth measuring. This request warms caches, too.
    pub(super) fn check(&self, envoy: &Envoy, name: &str) -> Result<()> {
        let request = self
            .headers
            .iter()
            .fold(RawRequest::get("/"), |request, (name, value)| {
                request.header(*name, value.as_bytes())
            });
        let response = Client::new().send(envoy.listener(name)?, &request)?;
        if response.status == 200 {
            return Ok(());
        }
        let body = String::from_utf8_lossy(&response.body).into_owned();
        Err(Error::Unusable(format!(
            "scenario `{name}` answers {}: {body}",
            response.status
        )))
    }

    /// CPU microseconds of Envoy per request.
    pub(super) fn measure(&self, envoy: &Envoy, name: &str) -> Result<f64> {
        let mut wrk = Command::new("wrk");
        wrk.args(["-t1", "-c16", &format!("-d{}s", self.seconds)]);
        for (name, value) in &self.headers {
            wrk.arg("-H").arg(format!("{name}: {value}"));
        }
        wrk.arg(format!("http://{}/", envoy.listener(name)?));
        let before = envoy.cpu_time()?;
        let said = output(&mut wrk)?;
        let used = envoy.cpu_time()?.saturating_sub(before);
        if said.contains("Non-2xx") {
            return Err(Error::Unusable(format!(
                "scenario `{name}` refused requests"
            )));
        }
        let requests: u32 = said
            .split_once(" requests in")
            .and_then(|(before, _)| before.split_whitespace().last()?.parse().ok())
            .filter(|requests| *requests > 0)
            .ok_or_else(|| broken("wrk's number of requests", said.as_bytes()))?;
        Ok(used.as_secs_f64() * 1e6 / f64::from(requests))
    }
}
