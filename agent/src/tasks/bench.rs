//! A machine in a temporary folder, for tests: real files, and programs that are scripts.

use std::cell::RefCell;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;

use tempfile::TempDir;

use super::{Entry, Run, Stage, Summary, run};
use crate::root::Root;

/// A machine.
pub struct Bench {
    dir: TempDir,
    tasks: RefCell<Vec<Entry>>,
}

impl Bench {
    /// A machine where `root` is whoever runs the test.
    pub fn new() -> Self {
        let bench = Self { dir: tempfile::tempdir().unwrap(), tasks: RefCell::default() };
        let me = fs::metadata(bench.dir.path()).unwrap();
        let (uid, gid) = (me.uid(), me.gid());
        bench.file("/etc/passwd", &format!("root:x:{uid}:{gid}:root:/root:/bin/bash\n"));
        bench.file("/etc/group", &format!("root:x:{gid}:\n"));
        bench.env("nothing: ~\n");
        bench
    }

    pub fn root(&self) -> Root {
        Root::new(self.dir.path())
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.root().at(path)
    }

    pub fn file(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn text(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    pub fn mode(&self, path: &str) -> u32 {
        fs::symlink_metadata(self.path(path)).unwrap().permissions().mode() & 0o7777
    }

    pub fn env(&self, text: &str) {
        self.file("/run/active-env.yml", &format!("#cloud-config\n{text}"));
    }

    /// Chooses the tasks, as they stand in agent.yml below `tasks:`.
    pub fn tasks(&self, yaml: &str) {
        let node = bootwright_seed::yaml::tree::Node::parse("tasks", yaml).unwrap();
        *self.tasks.borrow_mut() = node.decode().unwrap();
    }

    /// A script that notes its call in `/calls` and then does `body`; `$R` is the root.
    pub fn tool(&self, name: &str, body: &str) {
        let root = self.dir.path().display();
        let path = format!("/usr/bin/{name}");
        self.file(&path, &format!("#!/bin/sh\nR={root}\necho \"{name} $*\" >> $R/calls\n{body}\n"));
        fs::set_permissions(self.path(&path), PermissionsExt::from_mode(0o755)).unwrap();
    }

    /// Makes a real program of this machine one of the bench.
    pub fn real(&self, name: &str) {
        let dirs = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];
        let found = dirs.iter().map(|dir| PathBuf::from(dir).join(name)).find(|p| p.is_file());
        let found = found.unwrap_or_else(|| panic!("{name} is missing; run ci/setup"));
        fs::create_dir_all(self.path("/usr/bin")).unwrap();
        symlink(found, self.path(&format!("/usr/bin/{name}"))).unwrap();
    }

    /// systemd runs this machine.
    pub fn systemd(&self) {
        fs::create_dir_all(self.path("/run/systemd/system")).unwrap();
        self.tool("systemctl", "");
    }

    /// The calls so far, and forgets them.
    pub fn calls(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("/calls")).unwrap_or_default();
        let _ = fs::remove_file(self.path("/calls"));
        text.lines().map(str::to_owned).collect()
    }

    fn go(&self, stage: Stage, dry: bool) -> Summary {
        let (root, tasks) = (self.root(), self.tasks.borrow());
        let env = PathBuf::from("/run/active-env.yml");
        run(&Run { root: &root, tasks: &tasks, env: &env, stage, dry })
    }

    /// What would be done.
    pub fn dry(&self) -> Summary {
        self.go(Stage::Late, true)
    }

    /// Does the tasks once.
    pub fn apply(&self) -> Summary {
        self.go(Stage::Late, false)
    }

    /// Does the tasks, which have to succeed; a second run must find nothing to do.
    pub fn settle(&self) -> Summary {
        let planned = self.dry();
        let summary = self.apply();
        assert_eq!(summary.error, None);
        assert_eq!(planned.text, summary.text, "the dry run did not say what would be done");
        let calls = fs::read(self.path("/calls")).unwrap_or_default();
        let again = self.apply();
        assert_eq!((again.text.as_str(), again.error), ("", None), "not idempotent");
        fs::write(self.path("/calls"), calls).unwrap();
        summary
    }

    /// Does the tasks, which have to fail, and says why.
    pub fn refused(&self) -> String {
        self.apply().error.expect("the tasks were done")
    }
}
