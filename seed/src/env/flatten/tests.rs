//! The 25 worked examples of flatyaml, and what the strict rules make of the same.

use super::compat::{self, Style};
use super::*;

fn tree(yaml: &str) -> Node {
    Node::parse("e.yml", yaml).unwrap()
}

/// flatyaml's lines for KEYS of a document.
fn old(yaml: &str, keys: &[&str]) -> String {
    compat::flatten(&tree(yaml), keys, &Style::default()).unwrap().text
}

/// flatyaml's lines for what stands below `appliance`.
fn old_appliance(yaml: &str) -> String {
    let indented: Vec<String> = yaml.lines().map(|line| format!("  {line}\n")).collect();
    old(&format!("appliance:\n{}", indented.concat()), &["appliance"])
}

/// The strict variables, as `NAME=VALUE` lines with the value in Rust's quotes.
fn new(yaml: &str, keys: &[&str]) -> Result<String, String> {
    let variables = flatten(&tree(yaml), keys, "").map_err(|error| error.to_string())?;
    Ok(variables.iter().map(|v| format!("{}={:?}\n", v.name, v.value)).collect())
}

fn new_appliance(yaml: &str) -> String {
    let indented: Vec<String> = yaml.lines().map(|line| format!("  {line}\n")).collect();
    new(&format!("appliance:\n{}", indented.concat()), &["appliance"]).unwrap()
}

#[test]
fn examples_1_to_9_single_values() {
    for (yaml, expected) in [
        ("domain: whatever.me", "APPLIANCE_DOMAIN=whatever.me\n"),
        ("standby: true", "APPLIANCE_STANDBY=true\n"),
        ("empty:", "APPLIANCE_EMPTY=\n"),
        ("estr: \"\"", "APPLIANCE_ESTR=''\n"),
        ("spaces: \"  padded value  \"", "APPLIANCE_SPACES='padded value'\n"),
        ("quote: \"it's here\"", "APPLIANCE_QUOTE='it'\"'\"'s here'\n"),
        (
            "num: 42\nflt: 1.50\nver: \"1.0\"",
            "APPLIANCE_FLT=1.5\nAPPLIANCE_NUM=42\nAPPLIANCE_VER=1.0\n",
        ),
        ("oct: 0600\nocts: \"0600\"", "APPLIANCE_OCT=384\nAPPLIANCE_OCTS=0600\n"),
        ("cal: \"Sun *-*-* 06:30:00\"", "APPLIANCE_CAL='Sun *-*-* 06:30:00'\n"),
    ] {
        assert_eq!(old_appliance(yaml), expected, "{yaml}");
    }
}

#[test]
fn examples_10_to_18_structures_and_other_text() {
    for (yaml, expected) in [
        (
            "multi: |+\n  line one\n    indented\n  line three\n\n",
            "APPLIANCE_MULTI='line one\n  indented\nline three'\n",
        ),
        (
            "extra: {packages: [qrcode, curl]}",
            "APPLIANCE_EXTRA_PACKAGES_0=qrcode\nAPPLIANCE_EXTRA_PACKAGES_1=curl\n\
             APPLIANCE_EXTRA_PACKAGES_LEN=2\n",
        ),
        (
            "extra: {files: [{path: /etc/x, owner: root:root, permissions: \"0600\"}]}",
            "APPLIANCE_EXTRA_FILES_0_OWNER=root:root\nAPPLIANCE_EXTRA_FILES_0_PATH=/etc/x\n\
             APPLIANCE_EXTRA_FILES_0_PERMISSIONS=0600\nAPPLIANCE_EXTRA_FILES_LEN=1\n",
        ),
        ("nolist: []\nnomap: {}", "APPLIANCE_NOLIST_LEN=0\n"),
        (
            "lol: [[1,2],[3]]",
            "APPLIANCE_LOL_0_0=1\nAPPLIANCE_LOL_0_1=2\nAPPLIANCE_LOL_0_LEN=2\n\
             APPLIANCE_LOL_1_0=3\nAPPLIANCE_LOL_1_LEN=1\nAPPLIANCE_LOL_LEN=2\n",
        ),
        ("mixed-Key: v", "APPLIANCE_MIXED-KEY=v\n"),
        ("dt: 2017-01-30 06:30:00", "APPLIANCE_DT=2017-01-30 06:30:00\n"),
        ("umlaut: Österreich", "APPLIANCE_UMLAUT='Österreich'\n"),
    ] {
        assert_eq!(old_appliance(yaml), expected, "{yaml}");
    }
    let eleven = old_appliance("l: [a, b, c, d, e, f, g, h, i, j, k]");
    let order: Vec<&str> = eleven
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name.trim_start_matches("APPLIANCE_L_"))
        .collect();
    assert_eq!(order, ["0", "1", "10", "2", "3", "4", "5", "6", "7", "8", "9", "LEN"]);
    assert!(eleven.ends_with("APPLIANCE_L_LEN=11\n"));
}

#[test]
fn examples_19_to_25_keys() {
    let keys = "ssh_authorized_keys: [ssh-rsa AAAA a@b]\n";
    assert_eq!(
        old(keys, &["ssh_authorized_keys"]),
        "SSH_AUTHORIZED_KEYS_0='ssh-rsa AAAA a@b'\nSSH_AUTHORIZED_KEYS__LEN=1\n"
    );
    assert_eq!(
        old(keys, &["."]),
        "SSH_AUTHORIZED_KEYS_0='ssh-rsa AAAA a@b'\nSSH_AUTHORIZED_KEYS_LEN=1\n"
    );
    assert_eq!(old("disable_root: false\n", &["disable_root"]), "DISABLE_ROOT_=false\n");
    assert_eq!(old("{a: {b: 1}, a_b: 2}", &["."]), "A_B=2\n");
    let style = Style {
        prefix: "export ".to_owned(),
        postfix: ";".to_owned(),
        combine: ".".to_owned(),
        assign: " := ".to_owned(),
    };
    let styled = compat::flatten(&tree("ecs: {a: 1}"), &["ecs"], &style).unwrap();
    assert_eq!(styled.text, "export ECS.A := 1;\n");
    let lines = compat::flatten(&tree("ecs: {a: 1}"), &["ecs", "missing"], &Style::default());
    let lines = lines.unwrap();
    assert_eq!(
        (lines.text.as_str(), &lines.missing[..]),
        ("ECS_A=1\n", &["missing".to_owned()][..])
    );
    let refused = |yaml: &str| compat::flatten(&tree(yaml), &["a"], &Style::default()).unwrap_err();
    assert!(matches!(refused("a: {1: x}"), FlattenError::KeyNotText { .. }));
    assert!(matches!(refused(""), FlattenError::NoMapping { .. }));
    assert_eq!(old("", &["."]), "=\n");
}

/// Each of the oddities that B13 names, and what is strict about it.
#[test]
fn b13_what_flatyaml_gets_wrong_is_right_without_compat() {
    // Missing keys end in an error.
    let missing = new("appliance: {}\n", &["aplliance"]).unwrap_err();
    assert_eq!(missing, "e.yml:1:1: unknown key `aplliance`; did you mean `appliance`?");
    // Keys that are no text are text.
    assert_eq!(new_appliance("1: x\nyes: y"), "APPLIANCE_1=\"x\"\nAPPLIANCE_YES=\"y\"\n");
    // Names are names.
    assert_eq!(new_appliance("mixed-Key.x: v"), "APPLIANCE_MIXED_KEY_X=\"v\"\n");
    // Types do not change a text, and dates are quoted like everything else.
    assert_eq!(
        new_appliance("o: 0600\nf: 1.50\nd: 2017-01-30 06:30:00\nt: 6:30\nb: True\ny: yes"),
        "APPLIANCE_O=\"0600\"\nAPPLIANCE_F=\"1.50\"\nAPPLIANCE_D=\"2017-01-30 06:30:00\"\n\
         APPLIANCE_T=\"6:30\"\nAPPLIANCE_B=\"true\"\nAPPLIANCE_Y=\"yes\"\n"
    );
    // No doubled or trailing separators.
    assert_eq!(new("l: [x]\n", &["l"]).unwrap(), "L_0=\"x\"\nL_LEN=\"1\"\n");
    assert_eq!(new("s: x\n", &["s"]).unwrap(), "S=\"x\"\n");
    // Nothing wins silently.
    assert_eq!(
        new("a:\n  b: 1\na_b: 2\n", &["."]).unwrap_err(),
        "e.yml:3:1 and e.yml:2:3 both become A_B; rename one of the keys"
    );
    // Values stay as they are.
    assert_eq!(
        new_appliance("s: \"  padded  \"\nm: |\n  one\n  two"),
        "APPLIANCE_S=\"  padded  \"\nAPPLIANCE_M=\"one\\ntwo\\n\"\n"
    );
}

#[test]
fn names_that_shells_use_are_refused() {
    for (yaml, name) in [("path: x", "PATH"), ("ld: {preload: x}", "LD_PRELOAD"), ("uid: 1", "UID")]
    {
        let error = new(yaml, &["."]).unwrap_err();
        assert!(error.contains(name) && error.contains("--prefix"), "{error}");
    }
    assert!(new("1: x", &["."]).unwrap_err().contains("starts with a letter"));
    let prefixed = flatten(&tree("path: x"), &["."], "SITE_").unwrap();
    assert_eq!(prefixed[0].name, "SITE_PATH");
    assert_eq!(format!("{:?}", prefixed[0]), "Variable { name: \"SITE_PATH\", at: e.yml:1:1 }");
    assert!(new("- x", &["."]).unwrap_err().contains("a list, expected a mapping"));
    assert_eq!(new("a: 1\n", &["a", "a"]).unwrap(), "A=\"1\"\n");
}

#[test]
fn what_an_output_cannot_hold_is_named_without_the_value() {
    let render = |yaml: &str, output: Output| {
        output.render(&flatten(&tree(yaml), &["."], "").unwrap()).map_err(|error| error.to_string())
    };
    let error = render("a: \"hunter2\\nx\"", Output::Docker).unwrap_err();
    assert!(error.starts_with("e.yml:1:1: the value of A has more than one line"), "{error}");
    assert!(!error.contains("hunter2"));
    assert!(render("a: \"x\\r\"", Output::Docker).is_err());
    assert!(render(&format!("a: {}", "x".repeat(64 << 10)), Output::Docker).is_err());
    for output in [Output::Sh, Output::Systemd, Output::Docker] {
        assert!(render("a: \"x\\0\"", output).unwrap_err().contains("NUL"));
    }
    assert_eq!(render("a: \"it's $1\"", Output::Sh).unwrap(), "export A='it'\\''s $1'\n");
    assert_eq!(render("a: 'a \"b\" $c'", Output::Systemd).unwrap(), "A=\"a \\\"b\\\" \\$c\"\n");
}
