//! Requests over HTTP: time limits, redirects, proxies and trust in servers.

use std::io::Read;
use std::time::Duration;

use serde::Deserialize;
use ureq::http::{Response, StatusCode, header};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body};

use crate::{Error, Result};

/// Redirects that are followed; a browser follows twenty.
const MAX_REDIRECTS: u32 = 10;
/// A published list is no larger.
const MAX_SMALL: u64 = 64 << 20;
const CONNECT: Duration = Duration::from_secs(20);

/// How patient downloads are, and whom they trust. Part of the catalog's configuration.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DownloadOptions {
    /// Seconds without a byte after which a transfer is given up and tried again.
    pub stall_seconds: u64,
    /// Tries without any progress.
    pub attempts: u32,
    /// Milliseconds before the second try; doubled before each further one.
    pub backoff_ms: u64,
    /// File with certificates (PEM) to trust instead of the system's.
    pub ca: Option<std::path::PathBuf>,
}

impl Default for DownloadOptions {
    fn default() -> Self {
        Self { stall_seconds: 60, attempts: 5, backoff_ms: 500, ca: None }
    }
}

/// Makes requests.
#[derive(Debug)]
pub(crate) struct Client {
    agent: Agent,
    pub(crate) options: DownloadOptions,
}

/// Why a request failed, and whether another try may help.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) problem: String,
    pub(crate) is_passing: bool,
}

impl Failure {
    fn passing(problem: impl Into<String>) -> Self {
        Self { problem: problem.into(), is_passing: true }
    }

    pub(crate) fn lasting(problem: impl Into<String>) -> Self {
        Self { problem: problem.into(), is_passing: false }
    }

    pub(crate) fn at(self, url: &str) -> Error {
        Error::Http { url: shown(url), problem: self.problem }
    }
}

/// What part of a file is asked for.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rest<'a> {
    /// Bytes that are there already.
    pub(crate) from: u64,
    /// The entity tag or date that they had.
    pub(crate) validator: Option<&'a str>,
}

impl Client {
    pub(crate) fn new(options: &DownloadOptions) -> Result<Self> {
        let roots = match &options.ca {
            None => RootCerts::PlatformVerifier,
            Some(path) => {
                let pem = std::fs::read(path)
                    .map_err(|source| Error::io("reading the certificates", path, source))?;
                RootCerts::from(certificates(&pem, path)?)
            }
        };
        let stall = Some(Duration::from_secs(options.stall_seconds.max(1)));
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(MAX_REDIRECTS)
            .user_agent(concat!("bootwright/", env!("CARGO_PKG_VERSION")))
            .accept_encoding("identity")
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(stall)
            .timeout_per_read(stall)
            .tls_config(TlsConfig::builder().root_certs(roots).build())
            .build()
            .new_agent();
        Ok(Self { agent, options: options.clone() })
    }

    /// Asks for a file, or the rest of one. Gives successful answers alone.
    pub(crate) fn get(&self, url: &str, rest: Rest<'_>) -> Result<Response<Body>, Failure> {
        let mut request = self.agent.get(url);
        // What was asked for safely must not be answered over an open line.
        if url.starts_with("https:") {
            request = request.config().https_only(true).build();
        }
        if rest.from > 0 {
            request = request.header(header::RANGE, format!("bytes={}-", rest.from));
            if let Some(validator) = rest.validator {
                request = request.header(header::IF_RANGE, validator);
            }
        }
        let response = request.call().map_err(|error| failure(&error))?;
        match response.status() {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT => Ok(response),
            status => Err(refusal(status)),
        }
    }

    /// Fetches a small file, with as many tries as a large one gets.
    pub(crate) fn small(&self, url: &str, watch: &crate::Watch<'_>) -> Result<Vec<u8>, Failure> {
        let mut tries = 0;
        loop {
            watch.check().map_err(|_| Failure::lasting("interrupted"))?;
            let failure = match self.small_once(url) {
                Ok(bytes) => return Ok(bytes),
                Err(failure) => failure,
            };
            tries += 1;
            if !failure.is_passing || tries >= self.options.attempts {
                return Err(failure);
            }
            self.pause(tries, watch);
        }
    }

    fn small_once(&self, url: &str) -> Result<Vec<u8>, Failure> {
        let response = self.get(url, Rest::default())?;
        let mut bytes = Vec::new();
        let body = response.into_body().into_with_config().limit(u64::MAX).reader();
        body.take(MAX_SMALL + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| Failure::passing(format!("the transfer broke off: {error}")))?;
        match bytes.len() as u64 > MAX_SMALL {
            true => Err(Failure::lasting(format!("it is larger than {MAX_SMALL} bytes"))),
            false => Ok(bytes),
        }
    }

    /// Waits before the next try, the longer the more there were.
    pub(crate) fn pause(&self, tries: u32, watch: &crate::Watch<'_>) {
        const STEP: Duration = Duration::from_millis(50);
        let factor = 1u64 << tries.saturating_sub(1).min(6);
        let mut left = Duration::from_millis(self.options.backoff_ms.saturating_mul(factor));
        while !left.is_zero() && watch.check().is_ok() {
            let step = left.min(STEP);
            std::thread::sleep(step);
            left -= step;
        }
    }
}

fn certificates(pem: &[u8], path: &std::path::Path) -> Result<Vec<Certificate<'static>>> {
    let bad = |problem: String| Error::Malformed { what: path.display().to_string(), problem };
    let mut found = Vec::new();
    for item in parse_pem(pem) {
        if let PemItem::Certificate(certificate) = item.map_err(|error| bad(error.to_string()))? {
            found.push(certificate);
        }
    }
    match found.is_empty() {
        true => Err(bad("it holds no certificate in PEM form".to_owned())),
        false => Ok(found),
    }
}

/// Classes a status other than success.
fn refusal(status: StatusCode) -> Failure {
    let problem = format!("the server answers {status}");
    match status.as_u16() {
        408 | 425 | 429 | 500..=599 => Failure::passing(problem),
        _ => Failure::lasting(problem),
    }
}

/// Classes what went wrong before an answer came.
fn failure(error: &ureq::Error) -> Failure {
    match error {
        ureq::Error::TooManyRedirects => {
            Failure::lasting(format!("it redirects more than {MAX_REDIRECTS} times"))
        }
        ureq::Error::RequireHttpsOnly(_) => {
            Failure::lasting("it redirects from https to an address that is not https")
        }
        ureq::Error::Timeout(_) => Failure::passing("the server does not answer in time"),
        ureq::Error::Io(_)
        | ureq::Error::ConnectionFailed
        | ureq::Error::HostNotFound
        | ureq::Error::Protocol(_) => Failure::passing(error.to_string()),
        _ => Failure::lasting(error.to_string()),
    }
}

/// An address for people: without user and password.
pub(crate) fn shown(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_shown() {
        assert_eq!(shown("https://u:p@example.org/x@y"), "https://example.org/x@y");
        assert_eq!(shown("https://example.org/x"), "https://example.org/x");
        assert_eq!(shown("nonsense"), "nonsense");
    }
}
