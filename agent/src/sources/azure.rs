//! Azure's metadata server: `userData`, which needs no protocol beyond a GET.
//!
//! Source: Microsoft's documentation of the Azure Instance Metadata Service. `customData` is
//! not on that server: it is on the provisioning medium, which is UDF, and not read here.

use std::time::Instant;

use super::remote::{Asked, missing};
use super::{Dmi, encoded, http};

const METADATA: (&str, &str) = ("Metadata", "true");
const QUERY: &str = "api-version=2021-01-01&format=text";
/// Every machine of Azure's carries this tag.
const ASSET_TAG: &str = "7783-7084-3265-9085-8269-3286-77";

/// Whether the firmware says that this is Azure.
pub fn is_here(dmi: &Dmi) -> bool {
    dmi.asset_tag == ASSET_TAG
}

/// Asks for the user-data.
pub fn ask(base: &str, deadline: Instant) -> Result<Asked, String> {
    let url = format!("{base}/metadata/instance/compute/userData?{QUERY}");
    let answer = http::ask_until(deadline, &url, &[METADATA])?;
    if answer.status != 200 {
        return missing(&url, answer.status);
    }
    if answer.body.is_empty() {
        return Ok(Asked::Nothing("the machine has no user data".to_owned()));
    }
    let user_data =
        encoded::base64(&answer.body).map_err(|reason| format!("userData is {reason}"))?;
    let id = format!("{base}/metadata/instance/compute/vmId?{QUERY}");
    let id = http::ask_until(deadline, &id, &[METADATA]);
    let instance_id = id.ok().filter(|id| id.status == 200).and_then(|id| id.text());
    Ok(Asked::Answer { user_data, instance_id })
}
