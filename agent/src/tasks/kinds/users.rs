//! `users`: accounts with their groups, homes and subordinate numbers.
//!
//! The account files are edited by the agent itself: the tools for it differ between
//! distributions, and a plan for an image has to be made without running them.

mod files;

use bootwright_seed::yaml::tree::Node;
use serde::Deserialize;

use crate::tasks::accounts::{self, is_name};
use crate::tasks::env::{self, EnvError};
use crate::tasks::machine::{Machine, TaskError};
use crate::tasks::plan::{File, Plan};
use files::Files;

/// What agent.yml may say.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// Key of the env with the list.
    key: String,
}

impl Default for Options {
    fn default() -> Self {
        Self { key: "appliance.users".into() }
    }
}

const KEYS: [&str; 11] = [
    "name",
    "uid",
    "group",
    "groups",
    "home",
    "home_mode",
    "shell",
    "comment",
    "system",
    "password_hash",
    "subids",
];

/// An account as it is to be; what is not said stays as it is.
struct Wanted<'a> {
    name: &'a str,
    uid: Option<u32>,
    group: Option<&'a str>,
    groups: Vec<&'a str>,
    home: Option<&'a str>,
    home_mode: u32,
    shell: Option<&'a str>,
    comment: Option<&'a str>,
    system: bool,
    password_hash: Option<&'a str>,
    subids: Option<Subids>,
}

/// Subordinate user and group numbers.
#[derive(Clone, Copy)]
enum Subids {
    /// A range that is free.
    Any,
    /// This range.
    From(u32, u32),
}

/// The changes.
pub fn plan(options: &Options, machine: &Machine<'_>) -> Result<Plan, TaskError> {
    let mut plan = Plan::default();
    let entries = env::list(machine.env, &options.key)?;
    if entries.is_empty() {
        return Ok(plan);
    }
    let wanted: Vec<Wanted<'_>> =
        entries.iter().map(|entry| read(entry, &options.key)).collect::<Result<_, _>>()?;
    let mut files = Files::load(machine)?;
    let mut homes = Vec::new();
    for user in &wanted {
        homes.extend(one(&mut files, user)?);
    }
    files.plan(machine, &mut plan)?;
    for home in homes {
        make_home(machine, &mut plan, &home)?;
    }
    Ok(plan)
}

fn read<'a>(entry: &'a Node, key: &str) -> Result<Wanted<'a>, EnvError> {
    env::only(entry, key, &KEYS)?;
    let bad = |what: &str| env::refuse(entry, key, what);
    let field = |name: &str| -> Result<Option<&'a str>, EnvError> {
        let text = env::text(entry, name)?;
        match text.filter(|text| text.contains(|c: char| c == ':' || c.is_control())) {
            Some(_) => Err(bad(&format!("`{name}` must not hold a colon or a line break"))),
            None => Ok(text),
        }
    };
    let name = field("name")?.filter(|name| is_name(name));
    let group = field("group")?;
    let groups = env::texts(entry, "groups")?;
    if !groups.iter().chain(&group).all(|group| is_name(group)) {
        return Err(bad("a group needs a name of small letters, digits, _ and -"));
    }
    let uid = field("uid")?.map(|text| text.parse::<u32>());
    let uid = uid.transpose().map_err(|_| bad("`uid` has to be a number"))?;
    let path = |name: &str| -> Result<Option<&'a str>, EnvError> {
        match field(name)? {
            Some(path) if !path.starts_with('/') || path.contains("/..") => {
                Err(bad(&format!("`{name}` has to be an absolute path")))
            }
            path => Ok(path),
        }
    };
    let password_hash = field("password_hash")?;
    if password_hash.is_some_and(|hash| !hash.starts_with('$')) {
        return Err(bad("`password_hash` has to be a crypt(5) hash, such as mkpasswd makes"));
    }
    Ok(Wanted {
        name: name.ok_or_else(|| bad("`name` has to be of small letters, digits, _ and -"))?,
        uid,
        group,
        groups,
        home: path("home")?,
        home_mode: env::mode(entry, "home_mode", 0o750)?,
        shell: path("shell")?,
        comment: field("comment")?,
        system: env::flag(entry, "system", false)?,
        password_hash,
        subids: subids(entry).ok_or_else(|| {
            bad("`subids` has to be true, false or {start: NUMBER, count: NUMBER}")
        })?,
    })
}

fn subids(entry: &Node) -> Option<Option<Subids>> {
    let Some(node) = env::find(entry, "subids") else {
        return Some(None);
    };
    match node.text() {
        Some("true") => Some(Some(Subids::Any)),
        Some("false") => Some(None),
        Some(_) => None,
        None => {
            env::only(node, "subids", &["start", "count"]).ok()?;
            let number = |key| env::text(node, key).ok()?.map(str::parse::<u32>)?.ok();
            Some(Some(Subids::From(number("start")?, number("count")?)))
        }
    }
}

/// A home that has to be there.
struct Home {
    path: String,
    mode: u32,
    owner: String,
}

/// Puts one account into the files.
fn one(files: &mut Files, user: &Wanted<'_>) -> Result<Option<Home>, TaskError> {
    let found = files.find(user.name);
    if let (Some(found), Some(uid)) = (&found, user.uid)
        && found.uid != uid
    {
        return Err(TaskError::Refused(format!(
            "the user `{}` has the number {}, and {uid} is asked for; its files would be left \
             behind, so change it by hand",
            user.name, found.uid
        )));
    }
    let uid = match (&found, user.uid) {
        (Some(found), _) => found.uid,
        (None, Some(uid)) => files.claim(user.name, uid)?,
        (None, None) => files.free_number(user.system)?,
    };
    let gid = match (user.group, &found) {
        (Some(group), _) => files.group(group, user.system, None)?,
        (None, Some(found)) => found.gid,
        (None, None) => files.group(user.name, user.system, Some(uid))?,
    };
    let old = found.as_ref();
    let is_new = old.is_none();
    let given = |new: Option<&str>, old: Option<&String>, default: String| {
        new.map(str::to_owned).or(old.cloned()).unwrap_or(default)
    };
    let home = given(user.home, old.map(|o| &o.home), format!("/home/{}", user.name));
    let nologin = || "/usr/sbin/nologin".to_owned();
    let shell = if user.system { nologin() } else { "/bin/sh".to_owned() };
    files.put(&accounts::User {
        name: user.name.to_owned(),
        uid,
        gid,
        comment: given(user.comment, old.map(|o| &o.comment), String::new()),
        home: home.clone(),
        shell: given(user.shell, old.map(|o| &o.shell), shell),
    });
    files.password(user.name, user.password_hash, is_new);
    for group in &user.groups {
        files.group(group, user.system, None)?;
        files.join(user.name, group);
    }
    if let Some(subids) = user.subids {
        files.subids(user.name, subids)?;
    }
    // A system user has a home only if one is asked for.
    let wanted = user.home.is_some() || (is_new && !user.system);
    let owner = format!("{uid}:{gid}");
    Ok(wanted.then_some(Home { path: home, mode: user.home_mode, owner }))
}

/// Makes a home with what /etc/skel has; one that is there stays as it is.
fn make_home(machine: &Machine<'_>, plan: &mut Plan, home: &Home) -> Result<(), TaskError> {
    if machine.exists(&home.path) {
        return Ok(());
    }
    plan.folder(machine, &home.path, Some(home.mode), Some(&home.owner))?;
    let Ok(entries) = std::fs::read_dir(machine.root.at("/etc/skel")) else {
        return Ok(());
    };
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok())
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    for name in names {
        let content = machine.read(&format!("/etc/skel/{name}"))?.unwrap_or_default();
        let file = File::new(format!("{}/{name}", home.path), content);
        plan.shared_file(machine, file.owner(&home.owner).hidden())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use crate::tasks::bench::Bench;

    /// A bench with the account files of a small Debian, and users all numbered as the one who
    /// runs the test, since nobody but root may give files away.
    fn bench() -> Bench {
        let bench = Bench::new();
        bench.tasks("- users\n");
        let root = bench.text("/etc/passwd");
        bench.file(
            "/etc/passwd",
            &format!("{root}www-data:x:33:33:www:/var/www:/usr/sbin/nologin\n"),
        );
        bench.file("/etc/group", "root:x:0:\nadm:x:4:\nwww-data:x:33:\n");
        bench.file("/etc/shadow", "root:*:19000:0:99999:7:::\nwww-data:*:19000:0:99999:7:::\n");
        bench.file("/etc/gshadow", "root:*::\nadm:*::\nwww-data:*::\n");
        bench
    }

    fn judge(bench: &Bench) {
        for (tool, files) in [("pwck", ["passwd", "shadow"]), ("grpck", ["group", "gshadow"])] {
            let files = files.map(|file| bench.path("/etc").join(file));
            let tool = format!("/usr/sbin/{tool}");
            let output = Command::new(&tool).args(["-r", "-q"]).args(files).output();
            let output = output.unwrap_or_else(|e| panic!("{tool}: {e}; install passwd"));
            let said = String::from_utf8_lossy(&output.stdout);
            // Homes, shells and members are looked for on the host; the rest counts.
            let faults: Vec<&str> = said
                .lines()
                .filter(|l| {
                    !["does not exist", "no user", "delete member", "no changes"]
                        .iter()
                        .any(|w| l.contains(w))
                })
                .collect();
            assert!(faults.is_empty(), "{said}");
        }
    }

    #[test]
    fn accounts_judged_by_pwck() {
        let bench = bench();
        bench.env("appliance: {users: [{name: certs, system: true}, {name: app, groups: [adm, tlscert], shell: /bin/bash, comment: The app, home: '', password_hash: '$6$hunter2'}]}\n");
        bench.file("/home/app/.keep", "");
        let summary = bench.settle();
        assert!(!format!("{summary:?}").contains("hunter2"));
        let passwd = bench.text("/etc/passwd");
        assert!(passwd.ends_with("certs:x:999:999::/home/certs:/usr/sbin/nologin\napp:x:1000:1000:The app:/home/app:/bin/bash\n"), "{passwd}");
        let group = bench.text("/etc/group");
        assert!(
            group.contains("\nadm:x:4:app\n") && group.contains("\ntlscert:x:1001:app\n"),
            "{group}"
        );
        let shadow = bench.text("/etc/shadow");
        assert!(
            shadow.ends_with("certs:!::0:99999:7:::\napp:$6$hunter2::0:99999:7:::\n"),
            "{shadow}"
        );
        judge(&bench);
        bench.env("appliance: {users: [{name: app, shell: /bin/sh, groups: [www-data]}]}\n");
        bench.settle();
        assert!(bench.text("/etc/passwd").contains("app:x:1000:1000:The app:/home/app:/bin/sh\n"));
        assert!(bench.text("/etc/group").contains("adm:x:4:app\n"));
        judge(&bench);
    }

    /// F238: ranges for user namespaces, chosen or free ones.
    #[test]
    fn subordinate_numbers() {
        let bench = bench();
        bench.file("/etc/subuid", "other:100000:65536\n");
        bench.env("appliance: {users: [{name: dremap, system: true, subids: {start: 5000, count: 65536}}, {name: b, system: true, subids: true}]}\n");
        bench.settle();
        let text = "dremap:5000:65536\nb:165536:65536\n";
        assert_eq!(bench.text("/etc/subuid"), format!("other:100000:65536\n{text}"));
        assert_eq!(bench.text("/etc/subgid"), text);
    }

    #[test]
    fn a_home_with_skel_and_the_modes_of_the_files() {
        let bench = Bench::new();
        bench.tasks("- users\n");
        let line = bench.text("/etc/passwd");
        let numbers: Vec<&str> = line.split(':').skip(2).take(2).collect();
        // The only number that everybody may give a file to is their own.
        bench.file("/etc/passwd", "");
        bench.file("/etc/group", &format!("own:x:{}:\n", numbers[1]));
        bench.file("/etc/skel/.profile", "PATH=x\n");
        bench.env(&format!("appliance: {{users: [{{name: app, uid: {}, group: own, home: /app, home_mode: '0700'}}]}}\n", numbers[0]));
        bench.settle();
        assert_eq!((bench.mode("/app"), bench.text("/app/.profile")), (0o700, "PATH=x\n".into()));
        assert_eq!((bench.mode("/etc/shadow"), bench.mode("/etc/passwd")), (0o640, 0o644));
    }

    #[test]
    fn what_would_do_harm_is_refused() {
        let bench = bench();
        for (bad, why) in [
            ("{name: www-data, uid: 5}", "has the number 33, and 5 is asked for"),
            ("{name: x, uid: 33}", "the number 33 belongs to `www-data`"),
            ("{name: 'a:b'}", "must not hold a colon"),
            ("{name: Root}", "`name` has to be of small letters"),
            ("{name: x, password_hash: hunter2}", "has to be a crypt(5) hash"),
            ("{name: x, shell: bash}", "`shell` has to be an absolute path"),
            ("{name: x, subids: 5}", "`subids` has to be true"),
            ("{name: x, pasword: y}", "unknown key `pasword`"),
        ] {
            bench.env(&format!("appliance: {{users: [{bad}]}}\n"));
            let error = bench.refused();
            assert!(error.contains(why) && !error.contains("hunter2"), "{bad}: {error}");
        }
    }
}
