//! What the check finds, and what it leaves alone.

use super::*;

const SCHEMA: &str = "
domain: appliance.domain
cloud_init: true
placeholders: ['TODO.*']
keys:
  appliance:
    required: true
    keys:
      domain: {format: domain, required: true}
      standby: bool
      ssl:
        keys:
          key: {format: private-key}
          letsencrypt: {keys: {enabled: bool}}
      extra:
        keys:
          packages: {items: text, max: 2}
          files:
            items:
              keys:
                path: {format: path, required: true}
                contents: text
                content: {deprecated: use `contents`}
                permissions: {format: mode}
      metric: {keys: {level: {values: [low, high]}, port: {type: int, min: 1, max: 65535}}}
      dkim: {keys: {key: {generated: rsa_pem(2048), required: true}}}
      more: {type: map}
      labels: {others: text}
";

fn findings(body: &str) -> Vec<String> {
    let schema = Schema::parse("s.yml", SCHEMA.as_bytes()).unwrap();
    let env = Env::parse("e.yml", format!("#cloud-config\n{body}").as_bytes()).unwrap();
    check(&env, Some(&schema)).iter().map(ToString::to_string).collect()
}

/// The one finding of an `appliance` that is fine but for `body`.
fn finding(body: &str) -> String {
    let found = findings(&format!("appliance:\n  domain: x.test\n{body}"));
    assert_eq!(found.len(), 1, "{found:?}");
    found.into_iter().next().unwrap()
}

#[test]
fn a_good_env_has_no_findings() {
    let found = findings(
        "ssh_authorized_keys:\nusers: [default]\nappliance:\n  domain: x.test\n  standby: false\n\
         \x20 ssl: {letsencrypt: {enabled: true}}\n  extra:\n    files:\n      - path: /etc/x\n\
         \x20       permissions: \"0600\"\n        contents: |\n          ä\n          0600\n\
         \x20 metric: {level: low, port: 9100}\n  more: {a: {b: 1}}\n  labels: {any: thing}\n\
         USERDATA_TYPE: cidata\n",
    );
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn unknown_keys_get_a_suggestion() {
    assert_eq!(
        finding("  domian: y.test\n"),
        "e.yml:4:3: error: appliance: unknown key `domian`; did you mean `domain`? [unknown-key]"
    );
    let found = findings("apliance:\n  domain: x.test\n");
    assert_eq!(
        found,
        [
            "e.yml:2:1: error: unknown key `apliance`; did you mean `appliance`? [unknown-key]",
            "e.yml:2:1: error: appliance: the key is missing [missing-key]"
        ]
    );
    assert!(finding("usres: []\n").contains("did you mean `users`?"));
    assert_eq!(finding("zzz: 1\n"), "e.yml:4:1: error: unknown key `zzz` [unknown-key]");
}

/// The sample in the manual lacks the line `ssl:` and writes `kev` for `key`.
#[test]
fn b18_the_damaged_sample_of_the_manual_is_explained() {
    assert_eq!(
        finding("  letsencrypt: {enabled: true}\n"),
        "e.yml:4:3: error: appliance: `letsencrypt` belongs under `appliance.ssl`, not here [unknown-key]"
    );
    assert!(finding("  ssl: {kev: filename-kev.pem}\n").contains("did you mean `key`?"));
}

/// A key that nothing reads and a file name where the text of a key belongs.
#[test]
fn b17_keys_that_nothing_reads_are_unknown_and_contents_are_no_file_names() {
    assert!(finding("  allowed_hosts: x.test\n").contains("unknown key `allowed_hosts`"));
    assert_eq!(
        finding("  ssl: {key: filename-key.pem}\n"),
        "e.yml:4:14: error: appliance.ssl.key: expected a private key in PEM without a passphrase, from -----BEGIN to its -----END line [wrong-value]"
    );
}

#[test]
fn b12_unquoted_permissions_are_found() {
    let found = finding("  extra: {files: [{path: /x, permissions: 0600}]}\n");
    assert!(found.starts_with("e.yml:4:43: error: appliance.extra.files[0].permissions: an unquoted number with a leading zero"), "{found}");
    assert!(
        finding("  extra: {files: [{path: /x, permissions: 384}]}\n")
            .contains("is a number; quote it")
    );
}

#[test]
fn b65_truths_are_no_texts_and_texts_no_lists() {
    assert!(finding("  standby: 'false'\n").contains("not a truth value, expected true or false"));
    assert!(finding("  standby: yes\n").contains("[ambiguous-yaml]"));
    assert!(
        finding("  extra: {packages: \"['auth2']\"}\n").contains("a single value, expected a list")
    );
}

#[test]
fn b20_a_text_where_a_mapping_belongs_is_no_silent_no_op() {
    assert!(finding("  ssl: |\n    letsencrypt: x\n").contains("expected a mapping [wrong-type]"));
}

#[test]
fn b61_missing_keys_are_found() {
    assert!(
        finding("  extra: {files: [{contents: x}]}\n")
            .contains("files[0].path: the key is missing")
    );
    assert_eq!(
        finding("  dkim: {}\n"),
        "e.yml:4:9: error: appliance.dkim.key: the key is missing; `env create --upgrade` makes one [missing-key]"
    );
    assert!(finding("  dkim: {key: }\n").contains("the key has no value"));
    assert!(finding("  dkim: {key: ''}\n").contains("the text is empty"));
}

#[test]
fn values_have_to_be_allowed() {
    assert!(finding("  metric: {level: mid}\n").contains("expected one of low, high"));
    assert!(finding("  metric: {port: 0}\n").contains("expected 1 to 65535"));
    assert!(finding("  metric: {port: '1'}\n").contains("quoted, this is text"));
    assert!(finding("  metric: {port: 1.5}\n").contains("expected a whole number"));
    assert!(
        finding("  extra: {packages: [a, b, c]}\n")
            .contains("3 entries, expected at most 2 entries")
    );
    assert!(
        finding("  labels: {a: 1.50}\n")
            .contains("unquoted, this is a number; quote it, expected text")
    );
    assert!(finding("  extra: {files: [{path: x}]}\n").contains("expected an absolute path"));
}

#[test]
fn deprecated_keys_are_warned_of() {
    assert_eq!(
        finding("  extra: {files: [{path: /x, content: y}]}\n"),
        "e.yml:4:30: warning: appliance.extra.files[0].content: deprecated: use `contents` [deprecated-key]"
    );
}

#[test]
fn placeholders_are_found_at_any_depth_with_or_without_a_schema() {
    assert!(
        finding("  more: {a: [{b: <PASSWORD>}]}\n")
            .starts_with("e.yml:4:18: error: appliance.more.a[0].b: ")
    );
    assert!(finding("  labels: {a: TODO later}\n").contains("[placeholder]"));
    let env = Env::parse("e.yml", b"#cloud-config\na: {b: <LOGIN>, c: 06:30}\n").unwrap();
    let rules: Vec<Rule> = check(&env, None).iter().map(|finding| finding.rule).collect();
    assert_eq!(rules, [Rule::Placeholder, Rule::AmbiguousYaml]);
}

#[test]
fn values_in_a_vault_are_taken_on_trust() {
    let body = "  dkim:\n    key: !vault |\n      $ANSIBLE_VAULT;1.1;AES256\n      6162\n  standby: !vault |\n    $ANSIBLE_VAULT;1.1;AES256\n    6162\n";
    let found = findings(&format!("appliance:\n  domain: x.test\n{body}"));
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn no_finding_quotes_a_value() {
    let body = "  standby: hunter2\n  ssl: {key: hunter2}\n  dkim: {key: [hunter2]}\n  metric: {level: hunter2, port: hunter2}\n";
    let found = findings(&format!("appliance:\n  domain: hunter2 hunter2\n{body}")).concat();
    assert!(!found.contains("hunter2"), "{found}");
}
