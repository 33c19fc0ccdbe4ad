//! Owners of files, by name or number, from the machine's own passwd and group files.

use std::fs;

use crate::root::Root;

/// A user and a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// The user.
    pub user: u32,
    /// The group.
    pub group: Option<u32>,
}

impl Owner {
    /// Finds `user` or `user:group`. Without a group it stays as it is.
    ///
    /// # Errors
    /// A name that is not in the files.
    pub fn find(root: &Root, text: &str) -> Result<Self, String> {
        let (user, group) = match text.split_once(':') {
            Some((user, group)) => (user, Some(group)),
            None => (text, None),
        };
        let user = number(root, "/etc/passwd", user)?;
        let group = group.map(|group| number(root, "/etc/group", group)).transpose()?;
        Ok(Self { user, group })
    }
}

fn number(root: &Root, file: &str, name: &str) -> Result<u32, String> {
    if let Ok(number) = name.parse() {
        return Ok(number);
    }
    let text = fs::read_to_string(root.at(file)).unwrap_or_default();
    let lines = text.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let mut found = lines.filter(|fields| fields.first() == Some(&name));
    let number = found.find_map(|fields| fields.get(2)?.parse().ok());
    number.ok_or_else(|| format!("`{name}` is not in {file}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("etc")).unwrap();
        fs::write(dir.path().join("etc/passwd"), "root:x:0:0::/:\napp:x:1000:1001::/app:\n")
            .unwrap();
        fs::write(dir.path().join("etc/group"), "www-data:x:33:\n").unwrap();
        let root = Root::new(dir.path());
        let owner = |text| Owner::find(&root, text);
        assert_eq!(owner("app"), Ok(Owner { user: 1000, group: None }));
        assert_eq!(owner("app:www-data"), Ok(Owner { user: 1000, group: Some(33) }));
        assert_eq!(owner("5:6"), Ok(Owner { user: 5, group: Some(6) }));
        assert_eq!(owner("ap"), Err("`ap` is not in /etc/passwd".to_owned()));
    }
}
