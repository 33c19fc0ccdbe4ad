//! Plain HTTP to a metadata server: one request, bounded in time and size, never redirected.

use std::io::Read;
use std::time::{Duration, Instant};

use bootwright_seed::userdata::MAX_SIZE;

/// Longest time for one request, as upstream has it. The client counts whole seconds.
const REQUEST: Duration = Duration::from_secs(3);
/// Pause between two attempts.
pub const PAUSE: Duration = Duration::from_millis(500);
/// Most bytes of headers.
const HEADERS: usize = 64 * 1024;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers.
    headers: Vec<(String, String)>,
    /// The body; may be secret.
    pub body: Vec<u8>,
}

impl Answer {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The body as a short text, such as an id.
    pub fn text(&self) -> Option<String> {
        let text = std::str::from_utf8(&self.body).ok()?.trim();
        (!text.is_empty() && text.len() <= 255).then(|| text.to_owned())
    }
}

/// How a server is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// For a resource.
    Get,
    /// For a token.
    Put,
}

/// Asks once. A proxy is never used: a metadata server is a matter of this machine and its host.
///
/// # Errors
/// Why no answer came.
pub fn ask(method: Method, url: &str, headers: &[(&str, &str)]) -> Result<Answer, String> {
    let request = match method {
        Method::Get => minreq::get(url),
        Method::Put => minreq::put(url).with_header("Content-Length", "0"),
    };
    let request =
        headers.iter().fold(request, |request, (key, value)| request.with_header(*key, *value));
    let response = request
        .with_timeout(REQUEST.as_secs())
        .with_follow_redirects(false)
        .with_max_headers_size(HEADERS)
        .with_max_status_line_length(HEADERS)
        .send_lazy()
        .map_err(|error| error.to_string())?;
    let (status, headers) = (response.status_code, response.headers.clone());
    let mut body = Vec::new();
    response.take(MAX_SIZE + 1).read_to_end(&mut body).map_err(|error| error.to_string())?;
    Ok(Answer { status, headers, body })
}

/// Asks until there is an answer other than "later", or `deadline` has passed. Once at least.
///
/// # Errors
/// What kept the last attempt from an answer.
pub fn ask_until(deadline: Instant, url: &str, headers: &[(&str, &str)]) -> Result<Answer, String> {
    loop {
        let failure = match ask(Method::Get, url, headers) {
            Ok(answer) if !is_later(answer.status) => return Ok(answer),
            Ok(answer) => format!("the server answers {}", answer.status),
            Err(error) => error,
        };
        if Instant::now() + PAUSE >= deadline {
            return Err(failure);
        }
        std::thread::sleep(PAUSE);
    }
}

/// Whether a status asks to come back.
pub fn is_later(status: u16) -> bool {
    status == 429 || status >= 500
}
