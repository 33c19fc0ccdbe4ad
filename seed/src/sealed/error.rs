//! Why sealed user-data cannot be opened or made.

/// What is wrong with a key or with sealed user-data. No message quotes a key or a content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealedError {
    /// There is no key to open it with.
    #[error(
        "the user-data is encrypted and this machine has no key for it; put one there with `bootwright seed keygen`"
    )]
    NoKey,
    /// It was encrypted to other keys.
    #[error(
        "the user-data is encrypted, but not to a key of this machine; encrypt it to the recipient that `bootwright seed keygen` printed for it"
    )]
    NotForUs,
    /// The armor around the encrypted bytes is broken.
    #[error("the encrypted user-data is damaged in line {line}: {what}; make the medium anew")]
    Armor {
        /// Line, counted from 1.
        line: usize,
        /// What is wrong there.
        what: &'static str,
    },
    /// The header before the content is broken, or of another version.
    #[error("the encrypted user-data has a header that cannot be used: {0}")]
    Header(&'static str),
    /// The header or the content is not what was encrypted.
    #[error("the encrypted user-data has been changed or cut short; make the medium anew")]
    Forged,
    /// A line of a key file is no key.
    #[error("{file}:{line}: {what}")]
    Key {
        /// The name the caller gave the file.
        file: String,
        /// Line, counted from 1.
        line: usize,
        /// What is wrong there and what to do.
        what: &'static str,
    },
    /// Nobody to encrypt to.
    #[error("nobody to encrypt to; name at least one recipient")]
    NoRecipient,
    /// The system gives no random bytes.
    #[error("the system's random number generator fails")]
    Random,
}
