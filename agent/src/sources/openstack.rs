//! OpenStack's metadata server.
//!
//! Source: the Nova user guide, "Metadata" (the same files as on a config drive).

use std::time::Instant;

use serde::Deserialize;

use super::remote::{Asked, missing};
use super::{Dmi, http};

/// Whether the firmware says that this is OpenStack.
pub fn is_here(dmi: &Dmi) -> bool {
    dmi.product.starts_with("OpenStack") || dmi.asset_tag.starts_with("OpenStack")
}

/// Asks for the user-data.
pub fn ask(base: &str, deadline: Instant) -> Result<Asked, String> {
    let url = format!("{base}/openstack/latest/user_data");
    let answer = http::ask_until(deadline, &url, &[])?;
    if answer.status != 200 {
        return missing(&url, answer.status);
    }
    let meta_data =
        http::ask_until(deadline, &format!("{base}/openstack/latest/meta_data.json"), &[]);
    let instance_id = meta_data.ok().filter(|answer| answer.status == 200);
    let instance_id = instance_id.and_then(|answer| uuid(&answer.body));
    Ok(Asked::Answer { user_data: answer.body, instance_id })
}

fn uuid(json: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct MetaData {
        uuid: String,
    }
    serde_json::from_slice::<MetaData>(json).ok().map(|meta_data| meta_data.uuid)
}
