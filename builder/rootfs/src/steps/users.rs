//! Users and groups that a profile declares.
//!
//! A user that is there is adjusted, one that is not is added, with a password that nothing
//! matches. Ids are the lowest free ones of useradd's ranges unless given.

mod home;

use super::passwd::{Accounts, Defs, add_member, add_sub_ids, line_of, set_line};
use super::{read_text, refuse};
use crate::content::Content;
use crate::edit::{Edit, Meta};
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

/// No home: what services have.
const NO_HOME: &str = "/nonexistent";
/// The id that stands for none.
const NO_ID: u32 = u32::MAX;

/// The account files while users are added.
struct Files {
    passwd: String,
    shadow: String,
    group: String,
    /// These three are kept only where the image has them.
    gshadow: Option<String>,
    subuid: Option<String>,
    subgid: Option<String>,
    login_defs: String,
}

impl Files {
    fn read(tree: &mut Tree) -> Result<Self> {
        for path in ["/etc/passwd", "/etc/shadow", "/etc/group"] {
            if !tree.exists(path.as_bytes())? {
                return refuse(path, "the image has none, so users cannot be added");
            }
        }
        let mut optional = |path: &str| {
            let exists = tree.exists(path.as_bytes())?;
            Ok(if exists { Some(read_text(tree, path)?) } else { None })
        };
        let (gshadow, subuid) = (optional("/etc/gshadow")?, optional("/etc/subuid")?);
        let subgid: Option<String> = optional("/etc/subgid")?;
        Ok(Self {
            passwd: read_text(tree, "/etc/passwd")?,
            shadow: read_text(tree, "/etc/shadow")?,
            group: read_text(tree, "/etc/group")?,
            gshadow,
            subuid,
            subgid,
            login_defs: read_text(tree, "/etc/login.defs")?,
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
        if let Some(gshadow) = &mut self.gshadow {
            *gshadow = set_line(gshadow, name, &format!("{name}:!::"));
        }
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
            (Some(wanted), None) if wanted == NO_ID || self.accounts().has_uid(wanted) => {
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
            true => (NO_HOME.to_owned(), "/usr/sbin/nologin"),
            false => (format!("/home/{}", user.name), "/bin/bash"),
        };
        let home = user.home.clone().or(field(5)).unwrap_or(default_home);
        let shell = user.shell.clone().or(field(6)).unwrap_or(default_shell.to_owned());
        let comment = user.comment.clone().or(field(4)).unwrap_or_default();
        check_field(&user.name, &[&home, &shell, &comment])?;
        let name = &user.name;
        let line = format!("{name}:x:{uid}:{gid}:{comment}:{home}:{shell}");
        self.passwd = set_line(&self.passwd, name, &line);
        if old.is_none() {
            self.add_secrets(user, day);
        }
        for group in &user.groups {
            self.group(group, None, user.system)?;
            self.group = add_member(&self.group, group, name);
            if let Some(gshadow) = &mut self.gshadow {
                *gshadow = add_member(gshadow, group, name);
            }
        }
        Ok((uid, gid, home))
    }

    /// What a new user has besides a line in passwd: a password that nothing matches, and
    /// ids for containers.
    fn add_secrets(&mut self, user: &User, day: i64) {
        let (name, defs) = (&user.name, Defs(&self.login_defs));
        if user.system {
            self.shadow = set_line(&self.shadow, name, &format!("{name}:!:{day}::::::"));
            return;
        }
        // Negative numbers stand for no limit.
        let days = |key, default| match defs.number(key, default) {
            days if days < 0 => String::new(),
            days => days.to_string(),
        };
        let (min, max) = (days("PASS_MIN_DAYS", 0), days("PASS_MAX_DAYS", 99_999));
        let line = format!("{name}:!:{day}:{min}:{max}:{}:::", days("PASS_WARN_AGE", 7));
        self.shadow = set_line(&self.shadow, name, &line);
        if let Some(subuid) = &mut self.subuid {
            *subuid = add_sub_ids(subuid, name, defs, "SUB_UID");
        }
        if let Some(subgid) = &mut self.subgid {
            *subgid = add_sub_ids(subgid, name, defs, "SUB_GID");
        }
    }

    fn edits(self) -> Vec<Edit> {
        let files = [
            ("/etc/passwd", Some(self.passwd)),
            ("/etc/shadow", Some(self.shadow)),
            ("/etc/group", Some(self.group)),
            ("/etc/gshadow", self.gshadow),
            ("/etc/subuid", self.subuid),
            ("/etc/subgid", self.subgid),
        ];
        let present = files.into_iter().filter_map(|(path, text)| Some((path, text?)));
        present
            .map(|(path, text)| Edit::Rewrite {
                path: path.as_bytes().to_vec(),
                content: Content::Bytes(text.into_bytes()),
            })
            .collect()
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
/// Names, numbers and homes that cannot be had, and what reading the image says.
pub fn edits(tree: &mut Tree, users: &[User], now: i64) -> Result<Vec<Edit>> {
    if users.is_empty() {
        return Ok(Vec::new());
    }
    let mut files = Files::read(tree)?;
    let mode = home::mode(Defs(&files.login_defs));
    let mut homes = Vec::new();
    for user in users {
        let (uid, gid, home) = files.user(user, now.div_euclid(SECONDS_PER_DAY))?;
        let owner = Meta { uid: Some(uid), gid: Some(gid), ..Meta::default() };
        let has_keys = !user.ssh_keys.is_empty();
        if has_keys && home == NO_HOME {
            return refuse(
                NO_HOME,
                format!("{} has no home directory for ssh keys; give it one", user.name),
            );
        }
        if !user.system || has_keys {
            homes.extend(home::edits(tree, &home, &owner, mode)?);
        }
        homes.extend(home::key_edits(&home, &user.ssh_keys, &owner)?);
    }
    let mut edits = files.edits();
    edits.extend(homes);
    Ok(edits)
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
            gshadow: Some("root:*::\nsudo:*::\nold:!::\n".into()),
            subuid: Some("old:100000:65536\n".into()),
            subgid: None,
            login_defs: "PASS_MAX_DAYS\t90\nPASS_WARN_AGE -1\n".into(),
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
        assert!(files.shadow.ends_with("app:!:19000:0:90::::\n"), "{}", files.shadow);
        assert!(files.subuid.as_ref().unwrap().ends_with("app:165536:65536\n"));
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
}
