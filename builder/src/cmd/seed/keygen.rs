//! `bootwright seed keygen`.

use anyhow::Result;
use bootwright_export::sink::{SinkOptions, write_file};
use bootwright_seed::sealed::Identity;
use zeroize::Zeroizing;

use crate::cli::SeedKeygen;
use crate::report;

/// Makes a machine's key; prints the recipient.
///
/// # Errors
/// A file that is there already: a key is never replaced.
pub fn keygen(arguments: &SeedKeygen) -> Result<()> {
    let identity = Identity::generate()?;
    let recipient = identity.recipient();
    let text = Zeroizing::new(format!("# public key: {recipient}\n{}\n", *identity.line()));
    let options = SinkOptions { mode: 0o600, ..SinkOptions::default() };
    write_file(&arguments.out, text.as_bytes(), options)?;
    report::data(recipient);
    Ok(())
}
