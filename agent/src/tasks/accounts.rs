//! The machine's users and groups, as its files say.

use super::machine::{Machine, TaskError};

/// A line of /etc/passwd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its name.
    pub name: String,
    /// Its number.
    pub uid: u32,
    /// Its first group.
    pub gid: u32,
    /// The comment.
    pub comment: String,
    /// Where it is at home.
    pub home: String,
    /// Its login shell.
    pub shell: String,
}

/// A line of /etc/group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its number.
    pub gid: u32,
    /// Names of users in it.
    pub members: Vec<String>,
}

/// All users.
pub fn users(machine: &Machine<'_>) -> Result<Vec<User>, TaskError> {
    let text = machine.read("/etc/passwd")?.unwrap_or_default();
    Ok(text.lines().filter_map(user).collect())
}

/// The user in a line of /etc/passwd.
pub fn user(line: &str) -> Option<User> {
    let fields: Vec<&str> = line.split(':').collect();
    let [name, _, uid, gid, comment, home, shell] = fields[..] else {
        return None;
    };
    let (uid, gid) = (uid.parse().ok()?, gid.parse().ok()?);
    let text = str::to_owned;
    Some(User {
        name: text(name),
        uid,
        gid,
        comment: text(comment),
        home: text(home),
        shell: text(shell),
    })
}

/// All groups.
pub fn groups(machine: &Machine<'_>) -> Result<Vec<Group>, TaskError> {
    let text = machine.read("/etc/group")?.unwrap_or_default();
    Ok(text.lines().filter_map(group).collect())
}

fn group(line: &str) -> Option<Group> {
    let fields: Vec<&str> = line.split(':').collect();
    let [name, _, gid, members] = fields[..] else {
        return None;
    };
    let members = members.split(',').filter(|member| !member.is_empty()).map(str::to_owned);
    Some(Group { name: name.to_owned(), gid: gid.parse().ok()?, members: members.collect() })
}

/// Whether a text is a name that every distribution takes for a user or group.
pub fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    let first = chars.next().is_some_and(|c| c.is_ascii_lowercase() || c == '_');
    let rest = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-.".contains(c);
    first && text.len() <= 32 && chars.all(rest)
}
