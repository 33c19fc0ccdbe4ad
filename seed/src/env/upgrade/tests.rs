//! Upgrades keep what is there; rotations change what they are told to.

use super::super::vault::Password;
use super::*;

const TEMPLATE: &str = "#cloud-config
# keep the line above
a:
  domain: {{ domain }}
  # the database's password
  pw: {{ password(20) }}
  url: postgres://app:{{ pw_of_app }}@db/x
  # new in this version
  # default: none
  later: |
    {{ hex(8) }}
  settings: |
    DEBUG = False
    SECRET_KEY = '{{ base64(39) }}'
    OTHER = '{{ base64(12) }}' # other
";

const SCHEMA: &str = "domain: a.domain\nkeys: {a: {keys: {domain: {format: domain}, pw: {generated: password(9)}, url: text, later: text, settings: text, own: {generated: hex(4)}}}}";

fn template() -> String {
    TEMPLATE.replace(
        "  pw: {{ password(20) }}",
        "{% set pw_of_app = password(20) %}\n  pw: {{ pw_of_app }}",
    )
}

struct Site {
    inputs: Inputs,
    schema: Schema,
    template: String,
}

impl Site {
    fn new(domain: &str, extra: &str) -> Self {
        let extra = (!extra.is_empty()).then(|| Node::parse("x.yml", extra).unwrap());
        let schema = Schema::parse("s.yml", SCHEMA.as_bytes()).unwrap();
        Self { inputs: Inputs { domain: domain.into(), extra }, schema, template: template() }
    }

    fn maker(&self) -> Maker<'_> {
        Maker {
            file: "t.yml",
            template: &self.template,
            inputs: &self.inputs,
            schema: Some(&self.schema),
        }
    }

    fn upgrade(&self, old: &str, rotate: &[&str]) -> Result<Upgraded, String> {
        let rotate: Vec<KeyPath> = rotate.iter().map(|path| path.parse().unwrap()).collect();
        let old = env(old);
        let upgraded = self.maker().upgrade(&old, true, &rotate, &Keyring::default());
        upgraded.map_err(|error| error.to_string())
    }
}

fn env(text: &str) -> Env {
    Env::parse("env.yml", text.as_bytes()).unwrap()
}

fn value(text: &str, path: &str) -> String {
    env(text).get(&path.parse().unwrap()).and_then(Node::text).unwrap().to_owned()
}

#[test]
fn a_new_env_is_complete_and_keeps_the_comments() {
    let text = Site::new("x.test", "").maker().create().unwrap();
    assert!(text.starts_with("#cloud-config\n# keep the line above\na:\n  domain: x.test\n"));
    assert!(text.contains("  # new in this version\n"));
    let pw = value(&text, "a.pw");
    assert_eq!(value(&text, "a.url"), format!("postgres://app:{pw}@db/x"));
    assert!(!text.contains("bwsecret"), "{text}");
}

const OLD: &str = "#cloud-config
# mine
a:
  domain: x.test   # my domain
  pw: kept-password
  # my comment
  settings: |
    # my settings
    SECRET_KEY = 'kept-key' # mine
    OTHER = 'kept-other'
";

#[test]
fn b11_an_upgrade_keeps_every_secret_and_every_comment() {
    let upgraded = Site::new("x.test", "").upgrade(OLD, &[]).unwrap();
    assert!(upgraded.text.starts_with(OLD), "{}", upgraded.text);
    let added: Vec<String> = upgraded.added.iter().map(ToString::to_string).collect();
    assert_eq!(added, ["a.url", "a.later"]);
    // The password at another key is the one that is kept.
    assert_eq!(value(&upgraded.text, "a.url"), "postgres://app:kept-password@db/x");
    assert!(upgraded.text.contains("  # new in this version\n  # default: none\n  later: |\n    "));
    let again = Site::new("x.test", "").upgrade(&upgraded.text, &[]).unwrap();
    assert_eq!((again.text, again.added), (upgraded.text, vec![]));
}

#[test]
fn an_env_of_another_domain_is_refused() {
    let error = Site::new("y.test", "").upgrade(OLD, &[]).err().unwrap();
    assert!(
        error.starts_with("env.yml:4:11: this env belongs to the domain `x.test`, not to `y.test`"),
        "{error}"
    );
}

#[test]
fn rotations_change_a_secret_everywhere_and_nothing_else() {
    let old = Site::new("x.test", "").upgrade(OLD, &[]).unwrap().text;
    let new = Site::new("x.test", "").upgrade(&old, &["a.pw"]).unwrap();
    let pw = value(&new.text, "a.pw");
    assert!(pw != "kept-password" && pw.len() == 20);
    assert_eq!(value(&new.text, "a.url"), format!("postgres://app:{pw}@db/x"));
    assert_eq!(value(&new.text, "a.later"), value(&old, "a.later"));
    assert_eq!(value(&new.text, "a.settings"), value(&old, "a.settings"));

    let new = Site::new("x.test", "").upgrade(&old, &["a.settings"]).unwrap().text;
    assert!(
        new.contains("    # my settings\n    SECRET_KEY = '") && new.contains("' # mine\n"),
        "{new}"
    );
    assert!(
        !new.contains("kept-key") && !new.contains("kept-other") && new.contains("kept-password")
    );

    let with_own = format!("{OLD}  own: abcd\n");
    let new = Site::new("x.test", "").upgrade(&with_own, &["a.own"]).unwrap().text;
    assert_eq!(value(&new, "a.own").len(), 8);
    let error = Site::new("x.test", "").upgrade(OLD, &["a.domain"]).err().unwrap();
    assert!(error.starts_with("`a.domain` cannot be rotated"), "{error}");
}

#[test]
fn b67_a_secret_that_is_not_found_for_sure_is_not_touched() {
    let odd = OLD.replace("OTHER", "SECRET_KEY = 'x'\n    OTHER");
    let error = Site::new("x.test", "").upgrade(&odd, &["a.settings"]).err().unwrap();
    assert!(error.starts_with("env.yml:8:5: `a.settings` differs too much"), "{error}");
}

#[test]
fn b12_extras_keep_their_type_and_none_is_dropped() {
    let extra = "a:\n  domain: x.test\n  url: \"0600\"\n  own: |\n    one\\nline\n    ä\n";
    let text = Site::new("x.test", extra).maker().create().unwrap();
    assert!(text.contains("  url: \"0600\"\n"), "{text}");
    assert_eq!(value(&text, "a.own"), "one\\nline\nä\n");
    assert!(text.contains("# new in this version"));
}

#[test]
fn secrets_in_a_vault_are_opened_kept_and_closed_again() {
    let ring = Keyring::new(vec![Password::of_file(Some("prod".into()), b"pw\n")]);
    let closed = ring.close("kept-password").unwrap();
    let block = closed.lines().map(|line| format!("    {line}\n")).collect::<String>();
    let old = OLD.replace(" kept-password\n", &format!(" !vault |\n{block}"));
    let site = Site::new("x.test", "");
    let new = site.maker().upgrade(&env(&old), true, &[], &ring).unwrap().text;
    assert!(new.starts_with(&old));
    assert_eq!(value(&new, "a.url"), "postgres://app:kept-password@db/x");
    let path: KeyPath = "a.pw".parse().unwrap();
    let new =
        site.maker().upgrade(&env(&old), false, std::slice::from_ref(&path), &ring).unwrap().text;
    assert!(new.contains("pw: !vault |\n    $ANSIBLE_VAULT;1.2;AES256;prod\n"), "{new}");
    assert_eq!(ring.open(&value(&new, "a.pw")).unwrap().len(), 20);
}
