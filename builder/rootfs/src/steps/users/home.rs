//! Home directories: made as useradd makes them, with the files of /etc/skel and the keys
//! that open the account.

use crate::Result;
use crate::content::Content;
use crate::edit::{Edit, Meta};
use crate::node::Kind;
use crate::steps::passwd::Defs;
use crate::steps::{names, refuse};
use crate::tree::Tree;

/// How deep /etc/skel may nest.
const MAX_DEPTH: usize = 16;

/// Mode of new home directories, as useradd finds it.
pub(super) fn mode(login_defs: Defs<'_>) -> u32 {
    let from_umask = || login_defs.octal("UMASK").map(|umask| 0o777 & !umask);
    login_defs.octal("HOME_MODE").or_else(from_umask).unwrap_or(0o750) & 0o7777
}

/// Makes a home directory with the files of /etc/skel. One that is there is left alone.
pub(super) fn edits(tree: &mut Tree, home: &str, owner: &Meta, mode: u32) -> Result<Vec<Edit>> {
    if !home.starts_with('/') {
        return refuse(home, "a home directory is an absolute path");
    }
    if tree.exists(home.as_bytes())? {
        return Ok(Vec::new());
    }
    let meta = Meta { mode: Some(mode), ..owner.clone() };
    let mut edits = vec![Edit::Dir { path: home.as_bytes().to_vec(), meta }];
    copy(tree, ("/etc/skel", home), owner, &mut edits, 0)?;
    Ok(edits)
}

/// Copies what is in a directory of the image, to belong to `owner`.
fn copy(
    tree: &mut Tree,
    (from, to): (&str, &str),
    owner: &Meta,
    edits: &mut Vec<Edit>,
    depth: usize,
) -> Result<()> {
    if depth > MAX_DEPTH {
        return refuse(from, format!("directories nest deeper than {MAX_DEPTH} in it"));
    }
    for name in names(tree, from)? {
        let (source, path) = (format!("{from}/{name}"), format!("{to}/{name}"));
        let Some(attr) = tree.attr(source.as_bytes())? else {
            continue;
        };
        let meta = Meta { mode: Some(attr.mode), ..owner.clone() };
        let path_bytes = path.as_bytes().to_vec();
        match attr.kind {
            Kind::Dir => {
                edits.push(Edit::Dir { path: path_bytes, meta });
                copy(tree, (&source, &path), owner, edits, depth + 1)?;
            }
            Kind::Symlink => {
                let target = tree.readlink(source.as_bytes())?.unwrap_or_default();
                edits.push(Edit::Symlink { path: path_bytes, target, meta: owner.clone() });
            }
            Kind::File => {
                let bytes = tree.read(source.as_bytes())?.unwrap_or_default();
                edits.push(Edit::File { path: path_bytes, content: Content::Bytes(bytes), meta });
            }
            // useradd does not copy what else there might be.
            _ => {}
        }
    }
    Ok(())
}

/// Writes the keys that open an account.
pub(super) fn key_edits(home: &str, keys: &[String], owner: &Meta) -> Result<Vec<Edit>> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let dir = format!("{home}/.ssh");
    let file = format!("{dir}/authorized_keys");
    let keys: Vec<&str> = keys.iter().map(|key| key.trim()).collect();
    if let Some(bad) = keys.iter().find(|key| key.is_empty() || key.contains(['\n', '\r', '\0'])) {
        return refuse(&file, format!("{bad:?} is no key: a key is one line of text"));
    }
    let with_mode = |mode| Meta { mode: Some(mode), ..owner.clone() };
    Ok(vec![
        Edit::Dir { path: dir.into_bytes(), meta: with_mode(0o700) },
        Edit::File {
            path: file.into_bytes(),
            content: Content::Bytes((keys.join("\n") + "\n").into_bytes()),
            meta: with_mode(0o600),
        },
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_follow_login_defs() {
        assert_eq!(mode(Defs("UMASK\t022\n#HOME_MODE 0700\n")), 0o755);
        assert_eq!(mode(Defs("UMASK 022\nHOME_MODE\t0700\n")), 0o700);
        assert_eq!(mode(Defs("")), 0o750);
    }

    #[test]
    fn keys_are_lines() {
        let keys = |key: &str| key_edits("/home/x", &[key.to_owned()], &Meta::default());
        assert_eq!(keys("ssh-ed25519 AAAA x\n").unwrap().len(), 2);
        let error = keys("ssh-ed25519 AAAA\nssh-rsa BBBB").unwrap_err().to_string();
        assert!(error.contains("a key is one line of text"), "{error}");
        assert!(keys(" ").is_err());
    }
}
