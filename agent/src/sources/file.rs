//! Local files: the one that ENV_YML names, and `env_file`.

use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::{Looked, Offer, read_bounded};
use crate::config::SourceKind;
use crate::root::Root;

/// The variable of the environment that names a file.
const VARIABLE: &str = "ENV_YML";
/// Only its owner may read a file full of secrets.
const MODE: u32 = 0o600;

/// The file that the variable names. It has to be there: whoever set the variable meant it.
pub fn variable(root: &Root) -> Looked {
    named(root, std::env::var_os(VARIABLE))
}

fn named(root: &Root, value: Option<OsString>) -> Looked {
    let Some(path) = value.filter(|value| !value.is_empty()).map(PathBuf::from) else {
        return Looked::Nothing(format!("the variable {VARIABLE} is not set"));
    };
    if !path.is_absolute() {
        return Looked::Broken(format!("{VARIABLE} must be an absolute path"));
    }
    match take(root, SourceKind::EnvYml, &path) {
        Ok(offer) => Looked::offers(offer),
        Err(error) => Looked::Broken(format!(
            "{VARIABLE} names {}, which cannot be read ({error}); unset it or put the file there",
            path.display()
        )),
    }
}

/// The local file.
pub fn local(root: &Root, path: &Path) -> Looked {
    match take(root, SourceKind::File, path) {
        Ok(offer) => Looked::offers(offer),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Looked::Nothing("no such file".to_owned())
        }
        Err(error) => Looked::Broken(format!(
            "{} cannot be read ({error}); correct or remove it",
            path.display()
        )),
    }
}

fn take(root: &Root, kind: SourceKind, path: &Path) -> io::Result<Offer> {
    let real = root.at(path);
    let metadata = fs::metadata(&real)?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut offer = Offer::plain(kind, path.display().to_string(), read_bounded(&real)?);
    offer.warning = protect(&real, &metadata);
    Ok(offer)
}

/// Takes read and write access from everybody but the owner; says what was wrong.
fn protect(path: &Path, metadata: &fs::Metadata) -> Option<String> {
    let mode = metadata.mode() & 0o7777;
    let name = path.file_name().unwrap_or_default().display();
    if mode & 0o077 == 0 {
        return None;
    }
    Some(match fs::set_permissions(path, Permissions::from_mode(MODE)) {
        Ok(()) => format!(
            "{name} holds secrets and had mode {mode:04o}; it is {MODE:04o} now; change what was readable"
        ),
        Err(error) => format!(
            "{name} holds secrets and has mode {mode:04o}, which cannot be changed ({error}); make it {MODE:04o}"
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Upstream passed over a missing file in silence (domain.md B31).
    #[test]
    fn b31_a_missing_file_that_was_named_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::new(dir.path());
        let Looked::Broken(reason) = named(&root, Some("/env.yml".into())) else {
            panic!("a missing file was passed over");
        };
        assert!(reason.starts_with("ENV_YML names /env.yml, which cannot be read"), "{reason}");
        assert!(matches!(named(&root, Some("env.yml".into())), Looked::Broken(_)));
        assert!(matches!(named(&root, None), Looked::Nothing(_)));
        assert!(matches!(local(&root, Path::new("/env.yml")), Looked::Nothing(_)));
        fs::create_dir(dir.path().join("env.yml")).unwrap();
        assert!(matches!(local(&root, Path::new("/env.yml")), Looked::Broken(_)));
    }

    /// Upstream left the mode to the administrator (domain.md B75).
    #[test]
    fn b75_a_readable_env_is_closed_and_said() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("env.yml");
        fs::write(&path, "x").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        let look = || match local(&Root::new(dir.path()), Path::new("/env.yml")) {
            Looked::Offers(offer) => offer.warning,
            other => panic!("{other:?}"),
        };
        let warning = look().unwrap();
        assert!(warning.starts_with("env.yml holds secrets and had mode 0644"), "{warning}");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
        assert_eq!(look(), None);
    }
}
