//! The account files as text: passwd(5), shadow(5), group(5) and gshadow(5).

use std::collections::BTreeSet;

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

/// Homes of root and of those who have the ids of users.
pub(super) fn homes_of(passwd: &str) -> BTreeSet<String> {
    let lines = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let homes = lines.filter_map(|fields| {
        let uid: u32 = fields.get(2)?.parse().ok()?;
        let home = fields.get(5)?.trim_end_matches('/');
        let is_person = uid == 0 || (1000..=60_000).contains(&uid);
        (is_person && home.starts_with('/')).then(|| home.to_owned())
    });
    homes.collect()
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

/// The settings of login.defs(5).
#[derive(Debug, Clone, Copy)]
pub(super) struct Defs<'a>(pub(super) &'a str);

impl<'a> Defs<'a> {
    /// A setting as it stands there.
    pub(super) fn text(self, key: &str) -> Option<&'a str> {
        self.0.lines().find_map(|line| {
            let mut words = line.split_whitespace();
            (words.next() == Some(key)).then(|| words.next()).flatten()
        })
    }

    /// A number, or what it is where nothing is set.
    pub(super) fn number(self, key: &str, default: i64) -> i64 {
        self.text(key).and_then(|text| text.parse().ok()).unwrap_or(default)
    }

    /// A number written in octal.
    pub(super) fn octal(self, key: &str) -> Option<u32> {
        self.text(key).and_then(|text| u32::from_str_radix(text, 8).ok())
    }
}

/// Adds the lowest free range of subordinate ids (subuid(5)) for a user who has none.
/// `key` is `SUB_UID` or `SUB_GID`, by which login.defs says how many there are.
pub(super) fn add_sub_ids(text: &str, name: &str, defs: Defs<'_>, key: &str) -> String {
    let setting = |what: &str, default| defs.number(&format!("{key}_{what}"), default);
    let (min, max) = (setting("MIN", 100_000), setting("MAX", 600_100_000));
    let count = setting("COUNT", 65_536);
    if line_of(text, name).is_some() || count <= 0 {
        return text.to_owned();
    }
    let mut ranges: Vec<(i64, i64)> = text
        .lines()
        .filter_map(|line| {
            let (start, len) = line.split_once(':')?.1.split_once(':')?;
            Some((start.parse().ok()?, len.parse().ok()?))
        })
        .collect();
    ranges.sort_unstable();
    let mut low = min;
    for (start, len) in ranges {
        if start.saturating_sub(low) >= count {
            break;
        }
        low = low.max(start.saturating_add(len));
    }
    match low.saturating_add(count) <= max.saturating_add(1) {
        true => set_line(text, name, &format!("{name}:{low}:{count}")),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subordinate_ids_fill_the_first_gap() {
        let defs = Defs("SUB_UID_MIN\t1000\nSUB_UID_COUNT 10\nSUB_UID_MAX 1039\n#SUB_UID_MIN 1\n");
        let add = |text: &str| add_sub_ids(text, "new", defs, "SUB_UID");
        assert_eq!(add(""), "new:1000:10\n");
        assert_eq!(add("a:1000:10\nb:1020:10\n"), "a:1000:10\nb:1020:10\nnew:1010:10\n");
        assert_eq!(add("b:1025:15\na:1000:10\n"), "b:1025:15\na:1000:10\nnew:1010:10\n");
        assert_eq!(add("new:5:1\n"), "new:5:1\n");
        assert_eq!(add("a:1000:40\n"), "a:1000:40\n");
        assert_eq!(add_sub_ids("", "new", Defs("SUB_GID_COUNT 0"), "SUB_GID"), "");
        assert_eq!(add_sub_ids("", "new", Defs(""), "SUB_GID"), "new:100000:65536\n");
    }

    #[test]
    fn homes_are_those_of_people() {
        let passwd = "root:x:0:0::/root:/b\nd:x:1:1::/usr/sbin:/b\napp:x:1001:1::/app/:/b\n\
                      none:x:1002:1::/:/b\nnobody:x:65534:1::/nonexistent:/b\nbroken:x:0\n";
        let homes: Vec<_> = homes_of(passwd).into_iter().collect();
        assert_eq!(homes, ["/app", "/root"]);
    }

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
