//! EC2's metadata server, and those that speak like it.
//!
//! Source: the EC2 user guide, "Use the Instance Metadata Service" (IMDSv2: a token by PUT,
//! then GET with it; version 1 without).

use std::time::Instant;

use super::Dmi;
use super::http::{self, Method};
use super::remote::{Asked, missing};

/// Seconds the token is good for; it is used at once.
const TTL: (&str, &str) = ("X-aws-ec2-metadata-token-ttl-seconds", "60");
const TOKEN: &str = "X-aws-ec2-metadata-token";

/// Whether the firmware says that this is EC2.
pub fn is_here(dmi: &Dmi) -> bool {
    let uuid = dmi.uuid.as_deref().unwrap_or_default();
    dmi.vendor == "Amazon EC2" || dmi.bios_version.contains("amazon") || uuid.starts_with("ec2")
}

/// Asks for the user-data.
pub fn ask(base: &str, deadline: Instant) -> Result<Asked, String> {
    // Half of the time for the token: version 1 has to have its turn where PUT gets no answer.
    let now = Instant::now();
    let token = token(base, now + deadline.saturating_duration_since(now) / 2)?;
    let headers: Vec<_> = token.iter().map(|token| (TOKEN, token.as_str())).collect();
    let url = format!("{base}/latest/user-data");
    let answer = http::ask_until(deadline, &url, &headers)?;
    if answer.status != 200 {
        return missing(&url, answer.status);
    }
    let id = http::ask_until(deadline, &format!("{base}/latest/meta-data/instance-id"), &headers);
    let instance_id = id.ok().filter(|id| id.status == 200).and_then(|id| id.text());
    Ok(Asked::Answer { user_data: answer.body, instance_id })
}

/// A token, or `None` where the server has only version 1.
fn token(base: &str, deadline: Instant) -> Result<Option<String>, String> {
    loop {
        let asked = http::ask(Method::Put, &format!("{base}/latest/api/token"), &[TTL]);
        match asked {
            Ok(answer) if answer.status == 200 => return Ok(answer.text()),
            Ok(answer) if !http::is_later(answer.status) => return Ok(None),
            // A token that needs more hops than it is allowed is dropped, not refused.
            Err(_) if Instant::now() >= deadline => return Ok(None),
            Ok(answer) if Instant::now() >= deadline => {
                return Err(format!("the server answers {} to the token request", answer.status));
            }
            _ => std::thread::sleep(http::PAUSE),
        }
    }
}
