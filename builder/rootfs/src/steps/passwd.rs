//! The account files as text: passwd(5), shadow(5), group(5) and gshadow(5).

/// Users and groups of an image, with their files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Accounts {
    users: Vec<(String, u32)>,
    groups: Vec<(String, u32)>,
}

/// Name and third field, the id, of every line.
fn ids(text: &str) -> Vec<(String, u32)> {
    let fields = text.lines().map(|line| line.split(':').collect::<Vec<_>>());
    fields
        .filter_map(|fields| Some(((*fields.first()?).to_owned(), fields.get(2)?.parse().ok()?)))
        .collect()
}

impl Accounts {
    pub(super) fn parse(passwd: &str, group: &str) -> Self {
        Self { users: ids(passwd), groups: ids(group) }
    }

    pub(super) fn uid(&self, name: &str) -> Option<u32> {
        self.users.iter().find(|(user, _)| user == name).map(|&(_, id)| id)
    }

    pub(super) fn gid(&self, name: &str) -> Option<u32> {
        self.groups.iter().find(|(group, _)| group == name).map(|&(_, id)| id)
    }

    /// The lowest id of a range that neither a user nor a group has.
    pub(super) fn free_id(&self, range: std::ops::RangeInclusive<u32>) -> Option<u32> {
        let taken = |id: &u32| self.users.iter().chain(&self.groups).any(|(_, other)| other == id);
        range.into_iter().find(|id| !taken(id))
    }

    pub(super) fn has_uid(&self, id: u32) -> bool {
        self.users.iter().any(|&(_, other)| other == id)
    }

    pub(super) fn has_gid(&self, id: u32) -> bool {
        self.groups.iter().any(|&(_, other)| other == id)
    }
}

/// Replaces the line of `name`, or adds it at the end.
pub(super) fn set_line(text: &str, name: &str, line: &str) -> String {
    let prefix = format!("{name}:");
    let mut lines: Vec<&str> = text.lines().collect();
    match lines.iter_mut().find(|line| line.starts_with(&prefix)) {
        Some(old) => *old = line,
        None => lines.push(line),
    }
    lines.join("\n") + "\n"
}

/// The fields of the line of `name`.
pub(super) fn line_of<'a>(text: &'a str, name: &str) -> Option<Vec<&'a str>> {
    text.lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|fields| fields.first() == Some(&name))
}

/// Adds a member to the last field of a line of group or gshadow.
pub(super) fn add_member(text: &str, group: &str, member: &str) -> String {
    let Some(mut fields) = line_of(text, group) else {
        return text.to_owned();
    };
    let Some(members) = fields.pop() else {
        return text.to_owned();
    };
    let mut all: Vec<&str> = members.split(',').filter(|name| !name.is_empty()).collect();
    if !all.contains(&member) {
        all.push(member);
    }
    set_line(text, group, &format!("{}:{}", fields.join(":"), all.join(",")))
}

/// Locks the password of `name` in shadow, if it has one or an empty one.
pub(super) fn lock(shadow: &str, name: &str) -> String {
    match line_of(shadow, name) {
        Some(mut fields) if fields.len() > 1 && !fields[1].starts_with(['!', '*']) => {
            fields[1] = "*";
            set_line(shadow, name, &fields.join(":"))
        }
        _ => shadow.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUP: &str = "root:x:0:\nsudo:x:27:ann\napp:x:1000:\n";

    #[test]
    fn members_are_added_once() {
        let text = add_member(GROUP, "sudo", "bob");
        assert_eq!(text, "root:x:0:\nsudo:x:27:ann,bob\napp:x:1000:\n");
        assert_eq!(add_member(&text, "sudo", "bob"), text);
        assert_eq!(add_member(GROUP, "app", "bob"), GROUP.replace("1000:", "1000:bob"));
        assert_eq!(add_member(GROUP, "none", "bob"), GROUP);
    }

    #[test]
    fn ids_are_free_in_both_files() {
        let accounts = Accounts::parse("root:x:0:0::/:\nx:x:1001:1::/:\n", GROUP);
        assert_eq!(accounts.free_id(1000..=60000), Some(1002));
        assert_eq!(accounts.free_id(1000..=1001), None);
        assert_eq!((accounts.uid("x"), accounts.gid("sudo")), (Some(1001), Some(27)));
    }

    #[test]
    fn only_open_passwords_are_locked() {
        assert_eq!(lock("root:$6$x$y:1:0:::::\n", "root"), "root:*:1:0:::::\n");
        assert_eq!(lock("root::1:0:::::\n", "root"), "root:*:1:0:::::\n");
        assert_eq!(lock("root:!:1:0:::::\n", "root"), "root:!:1:0:::::\n");
        assert_eq!(lock("ann:x:1\n", "root"), "ann:x:1\n");
    }
}
