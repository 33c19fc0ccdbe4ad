//! The overlay: a folder of the host with files at their guest paths.
//!
//! Owner and mode do not come from the host, where git and umask decide them: files are
//! root's, 0644 or 0755 if they are executable, directories 0755. What differs stands in
//! the manifest `modes.yml` at the top of the folder (see [`Rule`]).

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::passwd::Accounts;
use super::{read_text, refuse};
use crate::content::Content;
use crate::edit::{Edit, Meta};
use crate::error::show;
use crate::fs::Xattrs;
use crate::tree::Tree;
use crate::{Error, Result};

/// Name of the manifest, which is not copied.
pub const MANIFEST: &str = "modes.yml";

/// What the manifest says of a path, or of everything below it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rule {
    /// The twelve permission bits.
    pub mode: Option<u32>,
    /// Owner, as a name of the image's or a number.
    pub owner: Option<String>,
    /// Group, as a name of the image's or a number.
    pub group: Option<String>,
    /// Extended attributes.
    pub xattrs: Xattrs,
    /// Whether the file is a template to be rendered.
    pub template: bool,
}

/// An overlay as it lies on the host.
#[derive(Debug, Clone)]
pub struct Overlay {
    /// The folder.
    pub folder: PathBuf,
    /// Rules by absolute guest path; one that ends in `/**` holds for everything below.
    pub rules: BTreeMap<String, Rule>,
}

/// One file, directory or symlink of an overlay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Absolute path in the guest.
    pub path: Vec<u8>,
    /// What it is.
    pub kind: EntryKind,
}

/// The kinds of files an overlay may hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryKind {
    /// A directory.
    Dir,
    /// A regular file.
    File {
        /// Path on the host.
        host: PathBuf,
        /// Bytes.
        size: u64,
        /// Whether somebody may execute it.
        executable: bool,
    },
    /// A symlink and its target.
    Symlink(Vec<u8>),
}

/// Renders a template: takes the guest path and the text, gives the text or what is wrong.
pub type Render<'a> = dyn Fn(&str, &str) -> Result<String, String> + 'a;

impl Overlay {
    /// Lists the folder, sorted by path, parents before their children.
    ///
    /// # Errors
    /// What the system says, and devices, pipes and sockets, which an overlay cannot hold.
    pub fn entries(&self) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        self.walk(&self.folder, &mut entries)?;
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(entries)
    }

    fn walk(&self, dir: &Path, entries: &mut Vec<Entry>) -> Result<()> {
        let host = |op| move |source| Error::Host { path: dir.display().to_string(), op, source };
        for found in fs::read_dir(dir).map_err(host("listing the overlay"))? {
            let found = found.map_err(host("listing the overlay"))?.path();
            let relative = found.strip_prefix(&self.folder).unwrap_or(&found);
            if relative == Path::new(MANIFEST) {
                continue;
            }
            let path = [b"/", relative.as_os_str().as_bytes()].concat();
            let kind = kind_of(&found)?;
            let is_dir = kind == EntryKind::Dir;
            entries.push(Entry { path, kind });
            if is_dir {
                self.walk(&found, entries)?;
            }
        }
        Ok(())
    }

    /// The rules for a path, the more exact ones over the wider ones.
    fn rule(&self, path: &str) -> Rule {
        let mut merged = Rule::default();
        // Sorted, so that `/a/**` comes before `/a/b/**`, and both before `/a/b/c`.
        let matching = self.rules.iter().filter(|(pattern, _)| match pattern.strip_suffix("/**") {
            Some(above) => path.strip_prefix(above).is_some_and(|rest| rest.starts_with('/')),
            None => *pattern == path,
        });
        for (_, rule) in matching {
            merged.mode = rule.mode.or(merged.mode);
            merged.owner = rule.owner.clone().or(merged.owner);
            merged.group = rule.group.clone().or(merged.group);
            merged.xattrs.extend(rule.xattrs.iter().cloned());
            merged.template |= rule.template;
        }
        merged
    }

    /// The edits that put the overlay into the tree.
    ///
    /// # Errors
    /// What [`Overlay::entries`] says, a rule for a path that is not there, an owner the
    /// image does not know, and a template that does not render.
    pub fn edits(&self, tree: &mut Tree, render: &Render<'_>) -> Result<Vec<Edit>> {
        let entries = self.entries()?;
        self.check_rules(&entries)?;
        let accounts =
            Accounts::parse(&read_text(tree, "/etc/passwd")?, &read_text(tree, "/etc/group")?);
        entries.into_iter().map(|entry| self.edit(entry, &accounts, render)).collect()
    }

    /// A rule that matches nothing is a mistake: the file has moved, or was never there.
    fn check_rules(&self, entries: &[Entry]) -> Result<()> {
        let known = |pattern: &str| {
            let path = pattern.strip_suffix("/**").unwrap_or(pattern).as_bytes();
            path.is_empty() || entries.iter().any(|entry| entry.path == path)
        };
        match self.rules.keys().find(|pattern| !known(pattern)) {
            None => Ok(()),
            Some(pattern) => refuse(
                &self.folder.join(MANIFEST).display().to_string(),
                format!("{pattern} is not in the overlay"),
            ),
        }
    }

    fn edit(&self, entry: Entry, accounts: &Accounts, render: &Render<'_>) -> Result<Edit> {
        let Entry { path, kind } = entry;
        let rule = self.rule(&show(&path));
        let meta = Meta {
            mode: rule.mode,
            uid: id(&path, "user", rule.owner.as_deref(), |name| accounts.uid(name))?,
            gid: id(&path, "group", rule.group.as_deref(), |name| accounts.gid(name))?,
            mtime: None,
            xattrs: rule.xattrs,
        };
        Ok(match kind {
            EntryKind::Dir => Edit::Dir { path, meta },
            EntryKind::Symlink(target) => Edit::Symlink { path, target, meta },
            EntryKind::File { host, size, executable } => {
                let mode = meta.mode.or(executable.then_some(0o755));
                let content = match rule.template {
                    true => Content::Bytes(rendered(&host, &path, render)?.into_bytes()),
                    false => Content::Host { path: host, size },
                };
                Edit::File { path, content, meta: Meta { mode, ..meta } }
            }
        })
    }
}

fn kind_of(path: &Path) -> Result<EntryKind> {
    let host = |source| Error::Host {
        path: path.display().to_string(),
        op: "reading the overlay",
        source,
    };
    let stat = fs::symlink_metadata(path).map_err(host)?;
    let kind = stat.file_type();
    if kind.is_dir() {
        Ok(EntryKind::Dir)
    } else if kind.is_file() {
        let executable = stat.mode() & 0o111 != 0;
        Ok(EntryKind::File { host: path.to_owned(), size: stat.len(), executable })
    } else if kind.is_symlink() {
        let target = fs::read_link(path).map_err(host)?;
        Ok(EntryKind::Symlink(target.into_os_string().into_vec()))
    } else {
        refuse(
            &path.display().to_string(),
            "an overlay holds files, directories and symlinks; make devices and pipes in the guest",
        )
    }
}

fn rendered(host: &Path, path: &[u8], render: &Render<'_>) -> Result<String> {
    let name = host.display().to_string();
    let text = fs::read_to_string(host).map_err(|source| Error::Host {
        path: name.clone(),
        op: "reading the template",
        source,
    })?;
    render(&show(path), &text).map_err(|problem| Error::Edit { path: name, problem })
}

/// The number behind a name, or the number itself.
fn id(
    path: &[u8],
    what: &str,
    name: Option<&str>,
    lookup: impl Fn(&str) -> Option<u32>,
) -> Result<Option<u32>> {
    let Some(name) = name else {
        return Ok(None);
    };
    match name.parse().ok().or_else(|| lookup(name)) {
        Some(id) => Ok(Some(id)),
        None => refuse(
            &show(path),
            format!("the image has no {what} {name}; declare it under users, or give its number"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_rules_win_over_wide_ones() {
        let mode = |mode| Rule { mode: Some(mode), ..Rule::default() };
        let rules = [
            ("/app/**", Rule { owner: Some("app".into()), mode: Some(0o600), ..Rule::default() }),
            ("/app/bin/**", mode(0o700)),
            ("/app/bin/run", mode(0o755)),
        ];
        let rules = rules.map(|(path, rule)| (path.to_owned(), rule)).into();
        let overlay = Overlay { folder: PathBuf::new(), rules };
        let seen = |path| (overlay.rule(path).mode, overlay.rule(path).owner);
        assert_eq!(seen("/app/x"), (Some(0o600), Some("app".into())));
        assert_eq!(seen("/app/bin/x"), (Some(0o700), Some("app".into())));
        assert_eq!(seen("/app/bin/run"), (Some(0o755), Some("app".into())));
        assert_eq!(seen("/app"), (None, None));
        assert_eq!(seen("/apple"), (None, None));
    }
}
