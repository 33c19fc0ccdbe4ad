//! Names, shapes and the errors that upstream's records had.

use std::sync::OnceLock;

use rsa::pkcs1::EncodeRsaPrivateKey;
use rsa::pkcs8::LineEnding;

use super::*;

/// A key made for this run.
fn pem() -> &'static str {
    static PEM: OnceLock<String> = OnceLock::new();
    PEM.get_or_init(|| {
        let key = RsaPrivateKey::new(&mut rand::rngs::OsRng, 2048).unwrap();
        key.to_pkcs1_pem(LineEnding::LF).unwrap().to_string()
    })
}

fn env(domain: &str) -> Env {
    let pem: String = pem().lines().map(|line| format!("      {line}\n")).collect();
    let text = format!(
        "#cloud-config\n# keep\nappliance:\n  domain: {domain}\n  dkim:\n    key: |\n{pem}"
    );
    Env::parse("env.yml", text.as_bytes()).unwrap()
}

fn policy(name: &str) -> Policy {
    Policy::parse(name, Policy::shipped(name).unwrap().as_bytes()).unwrap()
}

fn records(domain: &str, zone: Option<&str>) -> Records {
    let addresses = ["203.0.113.7".parse().unwrap(), "2001:db8::7".parse().unwrap()];
    Records::of(&env(domain), &policy("ecs"), &addresses, zone).unwrap()
}

#[test]
fn a_main_domain_and_a_sub_domain() {
    let main = records("whatever.me", None).zone_file();
    for line in [
        "$ORIGIN whatever.me.\n",
        "\n@                  IN A    203.0.113.7\n",
        "\n@                  IN AAAA 2001:db8::7\n",
        "\n@                  IN MX   10 whatever.me.\n",
        "\n@                  IN TXT  \"v=spf1 a mx -all\"\n",
        "\n_dmarc             IN TXT  \"v=DMARC1; p=quarantine\"\n",
        "\ndefault._domainkey IN TXT  ( \"v=DKIM1; k=rsa; s=email; p=MIIBI",
    ] {
        assert!(main.contains(line), "{line:?} in\n{main}");
    }
    let sub = records("sub.whatever.me", Some("whatever.me."));
    let names: Vec<&str> = sub.forward.iter().map(|record| record.name.as_str()).collect();
    let domain = "sub.whatever.me";
    assert_eq!(names[..4], [domain; 4]);
    assert_eq!(names[4..], ["_dmarc.sub.whatever.me", "default._domainkey.sub.whatever.me"]);
    assert!(sub.zone_file().contains("\nsub                    IN A "), "{}", sub.zone_file());
}

#[test]
fn strings_are_at_most_255_bytes_long() {
    let json = records("whatever.me", None).json();
    let dkim = &json["records"][5];
    let strings: Vec<&str> =
        dkim["strings"].as_array().unwrap().iter().map(|s| s.as_str().unwrap()).collect();
    assert!(strings.iter().all(|s| s.len() <= 255) && strings.len() == 2);
    assert_eq!(strings.concat(), dkim["value"].as_str().unwrap());
    assert_eq!(quoted("a\"b\\é"), "\"a\\\"b\\\\\\195\\169\"");
    let umlauts = "ä".repeat(200);
    assert!(strings_of(&umlauts).iter().all(|s| s.len() <= 255));
}

fn strings_of(text: &str) -> Vec<String> {
    let data = Data::Txt(text.to_owned());
    let json = Records {
        zone: "a.b".to_owned(),
        domain: "a.b".to_owned(),
        forward: vec![Record { name: "a.b".to_owned(), ttl: None, data }],
        reverse: Vec::new(),
    }
    .json();
    let strings = json["records"][0]["strings"].as_array().unwrap();
    strings.iter().map(|s| s.as_str().unwrap().to_owned()).collect()
}

/// `"`-free copy of the printer's own quoting, which is private to it.
fn quoted(text: &str) -> String {
    let record = Record { name: "a.b".to_owned(), ttl: None, data: Data::Txt(text.to_owned()) };
    let records = Records {
        zone: "a.b".to_owned(),
        domain: "a.b".to_owned(),
        forward: Vec::new(),
        reverse: vec![record],
    };
    records.reverse_file().trim_start_matches("@ IN TXT  ").trim_end().to_owned()
}

#[test]
fn b09_the_line_for_web_forms_has_its_underscore() {
    let records = records("whatever.me", None);
    let web = records.web_form();
    assert!(web.contains("\ndefault._domainkey\tTXT\tv=DKIM1; k=rsa; s=email; p=MIIB"), "{web}");
    assert!(web.lines().all(|line| line.split('\t').count() == 3));
    assert!(records.comment().contains("# default._domainkey: v=DKIM1"));
}

#[test]
fn b10_targets_end_in_a_dot_and_ptr_stays_out_of_the_forward_zone() {
    let records = records("sub.whatever.me", Some("whatever.me"));
    let zone = records.zone_file();
    assert!(zone.contains("MX   10 sub.whatever.me.\n"));
    let ptr: Vec<&str> = zone.lines().filter(|line| line.contains("PTR")).collect();
    assert_eq!(ptr.len(), 2);
    assert!(ptr.iter().all(|line| line.starts_with("; ") && line.ends_with(" sub.whatever.me.")));
    assert!(records.reverse_file().starts_with("7.113.0.203.in-addr.arpa. "));
    let nibbles = "7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa.";
    assert!(records.reverse_file().contains(nibbles), "{}", records.reverse_file());
    assert!(!zone.contains("ptr ") && zone.contains("-all"));
    assert!(zone.contains("AAAA"));
}

#[test]
fn policies_differ() {
    let pem: String = pem().lines().map(|line| format!("  {line}\n")).collect();
    let text = format!(
        "#cloud-config\nserver_domain: lists.test\nserver_name: mx1.lists.test\ndkim_private_key: |\n{pem}"
    );
    let env = Env::parse("env.yml", text.as_bytes()).unwrap();
    let addresses = ["192.0.2.9".parse().unwrap()];
    let records = Records::of(&env, &policy("listserv"), &addresses, None).unwrap();
    let zone = records.zone_file();
    for line in [
        "\nmx1             300 IN A    192.0.2.9\n",
        "\n@               300 IN MX   10 mx1.lists.test.\n",
        "\n@               3600 IN TXT  \"v=spf1 mx -all\"\n",
        "\nmail._domainkey 3600 IN TXT  ( \"v=DKIM1; k=rsa; p=MIIBI",
    ] {
        assert!(zone.contains(line), "{line:?} in\n{zone}");
    }
    assert!(!zone.contains("DMARC"));
    let bad = |text: &str| Policy::parse("p.yml", text.as_bytes()).unwrap_err().to_string();
    assert_eq!(bad("domain: a\nspff: x\n"), "p.yml:2:1: unknown key `spff`; did you mean `spf`?");
    assert!(bad("domain: a\ndkim: {key: a, selector: a_b}\n").contains("no selector"));
}

#[test]
fn what_is_missing_or_wrong_is_named() {
    let of = |env: &Env, address: &str, zone: Option<&str>| {
        let addresses = [address.parse().unwrap()];
        Records::of(env, &policy("ecs"), &addresses, zone).unwrap_err().to_string()
    };
    assert!(of(&env("localhost"), "192.0.2.1", None).starts_with("`localhost` is no domain name"));
    assert_eq!(
        of(&env("a.test"), "192.0.2.1", Some("b.test")),
        "a.test does not lie in the zone b.test"
    );
    assert!(of(&env("a.test"), "127.0.0.1", None).contains("no address of a machine"));
    let bare = Env::parse("e.yml", b"#cloud-config\nappliance: {domain: a.test}\n").unwrap();
    assert!(of(&bare, "192.0.2.1", None).starts_with("e.yml has no text at appliance.dkim.key"));
    let text = "#cloud-config\nappliance: {domain: a.test, dkim: {key: hunter2}}\n";
    let wrong = of(&Env::parse("e.yml", text.as_bytes()).unwrap(), "192.0.2.1", None);
    assert!(wrong.starts_with("e.yml:2:") && !wrong.contains("hunter2"), "{wrong}");
}

#[test]
fn the_block_in_an_env_is_replaced_and_changes_nothing_else() {
    let env = env("whatever.me");
    let records = records("whatever.me", None);
    let once = records.into_env(&env.text);
    assert!(once.starts_with("#cloud-config\n# --- DNS records"));
    assert_eq!(records.into_env(&once), once);
    let mut moved = records.clone();
    moved.forward.remove(1);
    let twice = moved.into_env(&once);
    assert!(!twice.contains("AAAA") && twice.ends_with(&env.text["#cloud-config\n".len()..]));
    assert_eq!(
        Env::parse("e", twice.as_bytes())
            .unwrap()
            .get(&"appliance.domain".parse().unwrap())
            .unwrap()
            .text(),
        Some("whatever.me")
    );
}
