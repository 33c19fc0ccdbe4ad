//! Google's metadata server.
//!
//! Source: the Compute Engine documentation, "About VM metadata" (attribute `user-data`, the
//! header `Metadata-Flavor: Google` in both directions).

use std::time::Instant;

use super::remote::{Asked, missing};
use super::{Dmi, http};

const FLAVOR: (&str, &str) = ("Metadata-Flavor", "Google");
const ROOT: &str = "computeMetadata/v1/instance";

/// Whether the firmware says that this is Google's cloud.
pub fn is_here(dmi: &Dmi) -> bool {
    dmi.product == "Google Compute Engine"
}

/// Asks for the user-data.
pub fn ask(base: &str, deadline: Instant) -> Result<Asked, String> {
    let url = format!("{base}/{ROOT}/attributes/user-data");
    let answer = http::ask_until(deadline, &url, &[FLAVOR])?;
    if answer.header(FLAVOR.0) != Some(FLAVOR.1) {
        return Err(format!("{url}: the answer is not from a metadata server of Google's"));
    }
    if answer.status != 200 {
        return missing(&url, answer.status);
    }
    let id = http::ask_until(deadline, &format!("{base}/{ROOT}/id"), &[FLAVOR]);
    let instance_id = id.ok().filter(|id| id.status == 200).and_then(|id| id.text());
    Ok(Asked::Answer { user_data: answer.body, instance_id })
}
