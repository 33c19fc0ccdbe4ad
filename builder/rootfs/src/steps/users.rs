//! Users and groups that a profile declares.
//!
//! A user that is there is adjusted, one that is not is added, with a password that nothing
//! matches. Ids are the lowest free ones of useradd's ranges unless given.

use super::passwd::{Accounts, add_member, line_of, set_line};
use super::{names, read_text, refuse};
use crate::content::Content;
use crate::edit::{Edit, Meta};
use crate::node::Kind;
use crate::tree::Tree;
use crate::{Error, Result};

const SECONDS_PER_DAY: i64 = 86_400;

/// A user as a profile declares one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct User {
    /// Login name.
    pub name: String,
    /// Number; the lowest free one by default.
    pub uid: Option<u32>,
    /// Primary group; one with the user's name by default, made if it is not there.
    pub group: Option<String>,
    /// Further groups, made if they are not there.
    pub groups: Vec<String>,
    /// Home directory, `/home/NAME` by default (`/nonexistent` for system users).
    pub home: Option<String>,
    /// Login shell, `/bin/bash` by default (`/usr/sbin/nologin` for system users).
    pub shell: Option<String>,
    /// The comment field.
    pub comment: Option<String>,
    /// A user for services: an id below 1000, no home directory is made.
    pub system: bool,
    /// OpenSSH public keys that open the account.
    pub ssh_keys: Vec<String>,
}

/// The four account files while users are added.
struct Files {
    passwd: String,
    shadow: String,
    group: String,
    gshadow: String,
}

impl Files {
    fn read(tree: &mut Tree) -> Result<Self> {
        Ok(Self {
            passwd: read_text(tree, "/etc/passwd")?,
            shadow: read_text(tree, "/etc/shadow")?,
            group: read_text(tree, "/etc/group")?,
            gshadow: read_text(tree, "/etc/gshadow")?,
        })
    }

    fn accounts(&self) -> Accounts {
        Accounts::parse(&self.passwd, &self.group)
    }

    /// The number of a group, which is made if it is not there.
    fn group(&mut self, name: &str, wanted: Option<u32>, system: bool) -> Result<u32> {
        check_name(name)?;
        let accounts = self.accounts();
        if let Some(gid) = accounts.gid(name) {
            return Ok(gid);
        }
        let gid = match wanted.filter(|&gid| !accounts.has_gid(gid)) {
            Some(gid) => gid,
            None => free_id(&accounts, name, system)?,
        };
        self.group = set_line(&self.group, name, &format!("{name}:x:{gid}:"));
        self.gshadow = set_line(&self.gshadow, name, &format!("{name}:!::"));
        Ok(gid)
    }

    /// Adds or adjusts a user; gives the numbers and home.
    fn user(&mut self, user: &User, day: i64) -> Result<(u32, u32, String)> {
        check_name(&user.name)?;
        let old = line_of(&self.passwd, &user.name)
            .map(|fields| fields.into_iter().map(str::to_owned).collect::<Vec<_>>());
        let field = |index: usize| old.as_ref().and_then(|fields| fields.get(index)).cloned();
        let uid = match (user.uid, field(2).and_then(|id| id.parse().ok())) {
            (Some(wanted), Some(have)) if wanted != have => {
                return refuse("/etc/passwd", format!("{} has the uid {have} already", user.name));
            }
            (_, Some(have)) => have,
            (Some(wanted), None) if self.accounts().has_uid(wanted) => {
                return refuse("/etc/passwd", format!("the uid {wanted} is taken"));
            }
            (Some(wanted), None) => wanted,
            (None, None) => free_id(&self.accounts(), &user.name, user.system)?,
        };
        let gid = match (&user.group, field(3).and_then(|id| id.parse().ok())) {
            (Some(group), _) => self.group(group, None, user.system)?,
            (None, Some(have)) => have,
            (None, None) => self.group(&user.name, Some(uid), user.system)?,
        };
        let (default_home, default_shell) = match user.system {
            true => ("/nonexistent".to_owned(), "/usr/sbin/nologin"),
            false => (format!("/home/{}", user.name), "/bin/bash"),
        };
        let home = user.home.clone().or(field(5)).unwrap_or(default_home);
        let shell = user.shell.clone().or(field(6)).unwrap_or(default_shell.to_owned());
        let comment = user.comment.clone().or(field(4)).unwrap_or_default();
        check_field(&user.name, &[&home, &shell, &comment])?;
        let name = &user.name;
        let line = format!("{name}:x:{uid}:{gid}:{comment}:{home}:{shell}");
        self.passwd = set_line(&self.passwd, name, &line);
        if line_of(&self.shadow, name).is_none() {
            self.shadow = set_line(&self.shadow, name, &format!("{name}:!:{day}:0:99999:7:::"));
        }
        for group in &user.groups {
            self.group(group, None, user.system)?;
            self.group = add_member(&self.group, group, name);
            self.gshadow = add_member(&self.gshadow, group, name);
        }
        Ok((uid, gid, home))
    }

    fn edits(self) -> Vec<Edit> {
        let rewrite = |path: &str, text: String| Edit::Rewrite {
            path: path.as_bytes().to_vec(),
            content: Content::Bytes(text.into_bytes()),
        };
        vec![
            rewrite("/etc/passwd", self.passwd),
            rewrite("/etc/shadow", self.shadow),
            rewrite("/etc/group", self.group),
            rewrite("/etc/gshadow", self.gshadow),
        ]
    }
}

fn free_id(accounts: &Accounts, name: &str, system: bool) -> Result<u32> {
    // SYS_UID_MIN and UID_MIN of login.defs; ids of services are searched upwards here too.
    let range = if system { 100..=999 } else { 1000..=59_999 };
    accounts.free_id(range).ok_or_else(|| Error::Edit {
        path: "/etc/passwd".to_owned(),
        problem: format!("no number is left for {name}"),
    })
}

fn check_name(name: &str) -> Result<()> {
    let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
    let starts = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    if starts && name.len() <= 32 && name.chars().all(valid) {
        return Ok(());
    }
    refuse(
        "/etc/passwd",
        format!(
            "{name:?} is no name for a user or group: up to 32 of a-z, 0-9, _ and -, \
             starting with a letter or _"
        ),
    )
}

fn check_field(name: &str, values: &[&str]) -> Result<()> {
    match values.iter().find(|value| value.contains([':', '\n'])) {
        None => Ok(()),
        Some(value) => {
            refuse("/etc/passwd", format!("{value:?} of {name} holds a colon or newline"))
        }
    }
}

/// The edits that make users and their homes. `now` is the time of the build.
///
/// # Errors
/// Names and numbers that cannot be had, and what reading the image says.
pub fn edits(tree: &mut Tree, users: &[User], now: i64) -> Result<Vec<Edit>> {
    if users.is_empty() {
        return Ok(Vec::new());
    }
    let mut files = Files::read(tree)?;
    let mut homes = Vec::new();
    for user in users {
        let (uid, gid, home) = files.user(user, now.div_euclid(SECONDS_PER_DAY))?;
        let owner = Meta { uid: Some(uid), gid: Some(gid), ..Meta::default() };
        if !user.system || !user.ssh_keys.is_empty() {
            homes.extend(home_edits(tree, &home, &owner)?);
        }
        homes.extend(key_edits(&home, &user.ssh_keys, &owner));
    }
    let mut edits = files.edits();
    edits.extend(homes);
    Ok(edits)
}

/// Makes a home directory with the files of /etc/skel. One that is there is left alone.
fn home_edits(tree: &mut Tree, home: &str, owner: &Meta) -> Result<Vec<Edit>> {
    if !home.starts_with('/') {
        return refuse(home, "a home directory is an absolute path");
    }
    if tree.exists(home.as_bytes())? {
        return Ok(Vec::new());
    }
    let mode = home_mode(&read_text(tree, "/etc/login.defs")?);
    let meta = Meta { mode: Some(mode), ..owner.clone() };
    let mut edits = vec![Edit::Dir { path: home.as_bytes().to_vec(), meta }];
    for name in names(tree, "/etc/skel")? {
        let source = format!("/etc/skel/{name}");
        let path = format!("{home}/{name}").into_bytes();
        let Some(attr) = tree.attr(source.as_bytes())?.filter(|attr| attr.kind == Kind::File)
        else {
            continue;
        };
        if let Some(bytes) = tree.read(source.as_bytes())? {
            let meta = Meta { mode: Some(attr.mode), ..owner.clone() };
            edits.push(Edit::File { path, content: Content::Bytes(bytes), meta });
        }
    }
    Ok(edits)
}

/// Mode of new home directories, as useradd finds it.
fn home_mode(login_defs: &str) -> u32 {
    let value = |key: &str| {
        login_defs.lines().find_map(|line| {
            let mut words = line.split_whitespace();
            (words.next() == Some(key)).then(|| words.next()).flatten()
        })
    };
    let octal = |text: &str| u32::from_str_radix(text, 8).ok();
    let from_umask = || value("UMASK").and_then(octal).map(|umask| 0o777 & !umask);
    value("HOME_MODE").and_then(octal).or_else(from_umask).unwrap_or(0o750)
}

fn key_edits(home: &str, keys: &[String], owner: &Meta) -> Vec<Edit> {
    if keys.is_empty() {
        return Vec::new();
    }
    let dir = format!("{home}/.ssh");
    let file = format!("{dir}/authorized_keys").into_bytes();
    let text = keys.iter().map(|key| format!("{}\n", key.trim())).collect::<String>();
    let with_mode = |mode| Meta { mode: Some(mode), ..owner.clone() };
    vec![
        Edit::Dir { path: dir.into_bytes(), meta: with_mode(0o700) },
        Edit::File {
            path: file,
            content: Content::Bytes(text.into_bytes()),
            meta: with_mode(0o600),
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> Files {
        Files {
            passwd: "root:x:0:0:root:/root:/bin/bash\nold:x:1000:1000:Old:/home/old:/bin/sh\n"
                .into(),
            shadow: "root:*:1:0:99999:7:::\nold:!:1:0:99999:7:::\n".into(),
            group: "root:x:0:\nsudo:x:27:\nold:x:1000:\n".into(),
            gshadow: "root:*::\nsudo:*::\nold:!::\n".into(),
        }
    }

    fn user(name: &str) -> User {
        User { name: name.into(), ..User::default() }
    }

    #[test]
    fn new_users_get_free_ids_and_a_locked_password() {
        let mut files = files();
        let app = User { groups: vec!["sudo".into(), "docker".into()], ..user("app") };
        assert_eq!(files.user(&app, 19000).unwrap(), (1001, 1001, "/home/app".into()));
        assert!(files.passwd.ends_with("app:x:1001:1001::/home/app:/bin/bash\n"));
        assert!(files.shadow.ends_with("app:!:19000:0:99999:7:::\n"));
        assert!(files.group.contains("sudo:x:27:app\n"));
        assert!(files.group.ends_with("app:x:1001:\ndocker:x:1002:app\n"), "{}", files.group);
        let service = User { system: true, ..user("svc") };
        assert_eq!(files.user(&service, 0).unwrap(), (100, 100, "/nonexistent".into()));
    }

    #[test]
    fn existing_users_are_adjusted() {
        let mut files = files();
        let old = User { shell: Some("/bin/zsh".into()), ..user("old") };
        files.user(&old, 0).unwrap();
        assert!(files.passwd.contains("old:x:1000:1000:Old:/home/old:/bin/zsh\n"));
        assert_eq!(files.shadow, self::files().shadow);
        let moved = User { uid: Some(5), ..user("old") };
        assert!(files.user(&moved, 0).unwrap_err().to_string().contains("uid 1000 already"));
        let taken = User { uid: Some(1000), ..user("new") };
        assert!(files.user(&taken, 0).unwrap_err().to_string().contains("1000 is taken"));
    }

    #[test]
    fn lines_cannot_be_broken_into() {
        assert!(files().user(&user("a:b"), 0).is_err());
        assert!(files().user(&user("Root"), 0).is_err());
        let home = User { home: Some("/x:0:0".into()), ..user("app") };
        assert!(files().user(&home, 0).unwrap_err().to_string().contains("colon or newline"));
    }

    #[test]
    fn home_modes_follow_login_defs() {
        assert_eq!(home_mode("UMASK\t022\n#HOME_MODE 0700\n"), 0o755);
        assert_eq!(home_mode("UMASK 022\nHOME_MODE\t0700\n"), 0o700);
        assert_eq!(home_mode(""), 0o750);
    }
}
