//! The account files as lines, edited in memory.

use super::Subids;
use crate::tasks::accounts::{self, User};
use crate::tasks::machine::{Machine, TaskError};
use crate::tasks::plan::{File, Plan};

/// File and mode it is made with.
const FILES: [(&str, u32); 6] = [
    ("/etc/passwd", 0o644),
    ("/etc/group", 0o644),
    ("/etc/shadow", 0o640),
    ("/etc/gshadow", 0o640),
    ("/etc/subuid", 0o644),
    ("/etc/subgid", 0o644),
];
const PASSWD: usize = 0;
const GROUP: usize = 1;
const SHADOW: usize = 2;
const GSHADOW: usize = 3;
const SUBUID: usize = 4;
const SUBGID: usize = 5;

/// Numbers of people, of system users, and the first of subordinate ranges (login.defs(5)).
const PEOPLE: std::ops::Range<u32> = 1000..60_000;
const SYSTEM: std::ops::Range<u32> = 100..1000;
const FIRST_SUBID: u64 = 100_000;
const SUBIDS: u64 = 65_536;

/// All account files.
pub struct Files {
    lines: [Vec<String>; 6],
    /// Where groups have no shadow file, none is made.
    has_gshadow: bool,
}

fn fields(line: &str) -> Vec<&str> {
    line.split(':').collect()
}

impl Files {
    /// Reads them; a missing one is empty.
    pub fn load(machine: &Machine<'_>) -> Result<Self, TaskError> {
        let mut lines: [Vec<String>; 6] = Default::default();
        for (lines, (path, _)) in lines.iter_mut().zip(FILES) {
            let text = machine.read(path)?.unwrap_or_default();
            *lines = text.lines().map(str::to_owned).collect();
        }
        Ok(Self { lines, has_gshadow: machine.exists("/etc/gshadow") })
    }

    /// The files as they are to be.
    pub fn plan(&self, machine: &Machine<'_>, plan: &mut Plan) -> Result<(), TaskError> {
        for (index, (lines, (path, mode))) in self.lines.iter().zip(FILES).enumerate() {
            let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
            let old = machine.read(path)?;
            let unasked = (index == GSHADOW && !self.has_gshadow) || text.is_empty();
            if (unasked && old.is_none()) || old.as_deref() == Some(&text) {
                continue;
            }
            let file = File::like(machine, path, text, mode);
            let secret = index == SHADOW || index == GSHADOW;
            plan.shared_file(machine, if secret { file.hidden() } else { file })?;
        }
        Ok(())
    }

    /// The line of a name in a file.
    fn line(&mut self, file: usize, name: &str) -> Option<&mut String> {
        self.lines[file].iter_mut().find(|line| fields(line).first() == Some(&name))
    }

    /// Sets the line of a name, or adds it.
    fn set(&mut self, file: usize, name: &str, new: String) {
        match self.line(file, name) {
            Some(line) => *line = new,
            None => self.lines[file].push(new),
        }
    }

    fn numbers(&self, file: usize) -> impl Iterator<Item = (&str, u32)> {
        self.lines[file].iter().filter_map(|line| {
            let fields = fields(line);
            Some((*fields.first()?, fields.get(2)?.parse().ok()?))
        })
    }

    /// A user by name.
    pub fn find(&self, name: &str) -> Option<User> {
        self.lines[PASSWD].iter().filter_map(|line| accounts::user(line)).find(|u| u.name == name)
    }

    /// A number that is asked for, if nobody has it.
    pub fn claim(&self, name: &str, uid: u32) -> Result<u32, TaskError> {
        match self.numbers(PASSWD).find(|(_, number)| *number == uid) {
            Some((other, _)) => Err(TaskError::Refused(format!(
                "`{name}` cannot have the number {uid}: the number {uid} belongs to `{other}`"
            ))),
            None => Ok(uid),
        }
    }

    /// A number that no user and no group has.
    pub fn free_number(&self, system: bool) -> Result<u32, TaskError> {
        let taken: Vec<u32> =
            self.numbers(PASSWD).chain(self.numbers(GROUP)).map(|(_, number)| number).collect();
        let free = |number: &u32| !taken.contains(number);
        let found = if system { SYSTEM.rev().find(free) } else { PEOPLE.clone().find(free) };
        found.ok_or_else(|| TaskError::Refused("no number for a new user or group is free".into()))
    }

    /// The number of a group; one that is missing is made, with `number` if that is free.
    pub fn group(
        &mut self,
        name: &str,
        system: bool,
        number: Option<u32>,
    ) -> Result<u32, TaskError> {
        if let Some((_, gid)) = self.numbers(GROUP).find(|(group, _)| *group == name) {
            return Ok(gid);
        }
        let is_free = |number: &u32| !self.numbers(GROUP).any(|(_, taken)| taken == *number);
        let gid = match number.filter(is_free) {
            Some(number) => number,
            None => self.free_number(system)?,
        };
        self.lines[GROUP].push(format!("{name}:x:{gid}:"));
        if self.has_gshadow {
            self.set(GSHADOW, name, format!("{name}:!::"));
        }
        Ok(gid)
    }

    /// Sets the line of a user.
    pub fn put(&mut self, user: &User) {
        let User { name, uid, gid, comment, home, shell } = user;
        self.set(PASSWD, name, format!("{name}:x:{uid}:{gid}:{comment}:{home}:{shell}"));
    }

    /// Sets a password; a new user without one is locked, an old one keeps what it has.
    pub fn password(&mut self, name: &str, hash: Option<&str>, is_new: bool) {
        let old = self.line(SHADOW, name).map(|line| line.clone());
        let hash = match (hash, &old) {
            (Some(hash), _) => hash,
            (None, None) if is_new => "!",
            _ => return,
        };
        let line = match &old {
            Some(old) => {
                let mut all = fields(old);
                if let Some(field) = all.get_mut(1) {
                    *field = hash;
                }
                all.join(":")
            }
            // No day of the last change: a clock that is wrong at the first boot does not
            // make the password old.
            None => format!("{name}:{hash}::0:99999:7:::"),
        };
        self.set(SHADOW, name, line);
    }

    /// Makes a user a member of a group.
    pub fn join(&mut self, user: &str, group: &str) {
        for (file, members_at) in [(GROUP, 3), (GSHADOW, 3)] {
            let Some(line) = self.line(file, group) else {
                continue;
            };
            let mut all: Vec<String> = line.split(':').map(str::to_owned).collect();
            let Some(members) = all.get_mut(members_at) else {
                continue;
            };
            if !members.split(',').any(|member| member == user) {
                if !members.is_empty() {
                    members.push(',');
                }
                *members += user;
                *line = all.join(":");
            }
        }
    }

    /// Gives a user subordinate numbers. A range it has stays, unless another one is named.
    pub fn subids(&mut self, name: &str, wanted: Subids) -> Result<(), TaskError> {
        let (start, count) = match wanted {
            Subids::From(start, count) => (u64::from(start), u64::from(count)),
            Subids::Any if self.line(SUBUID, name).is_some() => return Ok(()),
            Subids::Any => (self.subid_end(), SUBIDS),
        };
        if count == 0 || start + count > u64::from(u32::MAX) {
            return Err(TaskError::Refused(format!(
                "`{name}` cannot have {count} subordinate numbers from {start}"
            )));
        }
        for file in [SUBUID, SUBGID] {
            self.set(file, name, format!("{name}:{start}:{count}"));
        }
        Ok(())
    }

    /// The first number after all ranges.
    fn subid_end(&self) -> u64 {
        let ranges = self.lines[SUBUID].iter().chain(&self.lines[SUBGID]);
        let ends = ranges.filter_map(|line| {
            let fields = fields(line);
            let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
            Some(number(1)? + number(2)?)
        });
        ends.max().unwrap_or_default().max(FIRST_SUBID)
    }
}
