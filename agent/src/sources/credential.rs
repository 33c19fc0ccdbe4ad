//! The env as a credential of systemd.
//!
//! Source: systemd.system-credentials(7). Credentials of the system are in a folder of root's;
//! one that is encrypted reaches the agent through LoadCredentialEncrypted= in a drop-in of
//! its unit, and then through CREDENTIALS_DIRECTORY.

use std::io;
use std::path::PathBuf;

use super::{Looked, Offer, read_bounded};
use crate::config::SourceKind;
use crate::root::Root;

/// Where the service manager puts what it got from the machine's host.
const SYSTEM: &str = "/run/credentials/@system";
/// Its name.
const NAME: &str = "bootwright.env";

/// Looks for the credential.
pub fn look(root: &Root) -> Looked {
    let own = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    for folder in own.into_iter().chain([root.at(SYSTEM)]) {
        match read_bounded(&folder.join(NAME)) {
            Ok(user_data) => {
                return Looked::offers(Offer::plain(SourceKind::Credential, NAME, user_data));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                return Looked::Broken(format!("the credential {NAME} cannot be read: {error}"));
            }
        }
    }
    Looked::Nothing(format!("no credential {NAME}"))
}
