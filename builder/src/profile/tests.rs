//! Profiles from files: merging, variables, and what is wrong with bad ones.

use std::collections::BTreeMap;

use super::outputs::{Compression, Qcow2Output};
use super::schema::Generalise;
use super::*;

fn write(dir: &Path, name: &str, text: &str) -> PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn load_text(text: &str, vars: &[(&str, &str)]) -> Result<Loaded, String> {
    let dir = tempfile::tempdir().unwrap();
    let path = write(dir.path(), "p.yml", text);
    let given = vars.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let prefix = format!("{}/", dir.path().display());
    load(&path, &given).map_err(|error| {
        let text = error.chain().map(ToString::to_string).collect::<Vec<_>>().join(": ");
        text.replace(&prefix, "")
    })
}

const SMALL: &str = "name: a\nversion: 2.10\nbase: file:b.img\noutputs: {raw: }\n";

#[test]
fn the_smallest_profile() {
    let profile = load_text(SMALL, &[]).unwrap().profile;
    assert_eq!((profile.name.value.as_str(), profile.version.value.as_str()), ("a", "2.10"));
    assert!(profile.outputs.raw.is_some() && profile.outputs.qcow2.is_none());
    assert!(profile.agent.install);
    assert_eq!(profile.generalise, Generalise::default());
}

#[test]
fn mistakes_are_named_with_their_place() {
    let cases = [
        ("nmae: a\n", "p.yml:1:1: unknown key `nmae`; did you mean `name`?"),
        ("name: a\n", "p.yml:1:1: the key `version` is missing"),
        ("name: [\n", "p.yml:1:7: unclosed bracket"),
        ("- a\n", "p.yml:1:1: a list, expected a mapping: this is no profile"),
        (
            &format!("{SMALL}disk: {{size: 20GB}}\n"),
            "p.yml:5:14: `20GB` is no size; write it as 20GiB",
        ),
        (
            &format!("{SMALL}units: {{enabel: [a]}}\n"),
            "p.yml:5:9: unknown key `enabel`; did you mean `enable`?",
        ),
        (
            &format!("{SMALL}generalise: {{keep: [log]}}\n"),
            "p.yml:5:21: unknown value `log`; did you mean `logs`?",
        ),
        (&format!("{SMALL}generalise: nothing\n"), "p.yml:5:13: unknown value `nothing`"),
        (&format!("{SMALL}kernel_cmdline: quiet\n"), "p.yml:5:17: `quiet`, expected a list"),
        (&SMALL.replace("a\n", "a/b\n"), "p.yml:1:7: `a/b` makes no file name"),
        (
            &SMALL.replace("{raw: }", "{vmkd: }"),
            "p.yml:4:11: unknown key `vmkd`; did you mean `vmdk`?",
        ),
        (
            &format!("{SMALL}extends: [none]\n"),
            "p.yml:5:11: it extends none, but there is no none.yml",
        ),
        (
            &format!("{SMALL}description: '{{{{ x }}}}'\n"),
            "p.yml:5:14: the template fails in line 1: undefined value",
        ),
    ];
    for (text, expected) in cases {
        let error = load_text(text, &[]).unwrap_err();
        assert!(error.starts_with(expected), "{error}\n  for {text}");
    }
}

#[test]
fn variables_are_declared_and_given() {
    let text = format!(
        "{SMALL}vars: {{domain: example.org, key: }}\ndescription: '{{{{ domain }}}} {{{{ key }}}}'\n"
    );
    let missing = load_text(&text, &[]).unwrap_err();
    assert_eq!(missing, "the profile needs a value for `key`: give --var key=…");
    let unknown = load_text(&text, &[("key", "k"), ("domian", "x")]).unwrap_err();
    assert_eq!(unknown, "--var domian: unknown variable `domian`; did you mean `domain`?");
    let loaded = load_text(&text, &[("key", "k")]).unwrap();
    assert_eq!(loaded.profile.description.as_deref(), Some("example.org k"));
}

#[test]
fn profiles_extend_each_other() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("sub")).unwrap();
    write(
        dir.path(),
        "base.yml",
        "name: base\nversion: 1\nbase: file:b.img\noverlay: [common]\n\
         units: {enable: [a.service], mask: [m.timer]}\nkernel_cmdline: [quiet]\n\
         outputs: {raw: , qcow2: {compression: zstd}}\n",
    );
    let path = write(
        &dir.path().join("sub"),
        "p.yml",
        "extends: [../base.yml]\nname: p\n+overlay: [own]\nunits: {+enable: [b.service]}\n\
         kernel_cmdline: [splash]\noutputs: {raw: ~, qcow2: {level: 9}}\n",
    );
    let profile = load(&path, &BTreeMap::new()).unwrap().profile;
    assert_eq!((profile.name.value.as_str(), profile.version.value.as_str()), ("p", "1"));
    assert_eq!(profile.units.enable, ["a.service", "b.service"]);
    assert_eq!(profile.units.mask, ["m.timer"]);
    assert_eq!(profile.kernel_cmdline, ["splash"]);
    assert!(profile.outputs.raw.is_none());
    let qcow2 = Qcow2Output { compression: Compression::Zstd, level: Some(9) };
    assert_eq!(profile.outputs.qcow2, Some(qcow2));
    let folders: Vec<PathBuf> = profile.overlay.iter().map(resolve).collect();
    assert_eq!(folders, [dir.path().join("sub/../common"), dir.path().join("sub/own")]);
    let looping = write(dir.path(), "loop.yml", "extends: [loop]\n");
    let error = load(&looping, &BTreeMap::new()).unwrap_err().to_string();
    assert!(error.contains("more than 16 deep; a loop?"), "{error}");
}
