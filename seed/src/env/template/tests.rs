//! Templates are strict, keep their comments, and show nobody their secrets.

use super::*;

fn inputs(extra: &str) -> Inputs {
    let extra = (!extra.is_empty()).then(|| Node::parse("x.yml", extra).unwrap());
    Inputs { domain: "x.test".into(), extra }
}

fn render(text: &str, extra: &str) -> Result<String, String> {
    let inputs = inputs(extra);
    let session = Session::new("t.yml", text, &inputs);
    session.dry().and_then(|_| session.real()).map_err(|error| error.to_string())
}

#[test]
fn comments_and_line_breaks_stay() {
    let text = "#cloud-config\n# about {{ domain }}\na: {{ uuid() }}\n{% if given(\"b\") %}\nb: {{ given(\"b\") | yaml }}\n{% endif %}\n# end\n";
    let out = render(text, "b: \"0600\"\n").unwrap();
    assert!(out.starts_with("#cloud-config\n# about x.test\na: "), "{out}");
    assert!(out.ends_with("\nb: \"0600\"\n# end\n"), "{out}");
    assert!(render(text, "").unwrap().ends_with("\n# end\n"));
}

#[test]
fn mistakes_are_named_with_their_line() {
    for (text, expected) in [
        ("#\n{{ domian }}\n", "t.yml:2: undefined value"),
        ("{{ extra.a.b }}\n", "t.yml:1: undefined value"),
        ("#\n\n{{ base64() }}\n", "t.yml:3: missing argument"),
        ("{{ base64(0) }}\n", "t.yml:1: invalid operation: base64: 0 bytes, expected 1 to 4096"),
        ("{{ rsa_pem(512) }}\n", "t.yml:1: invalid operation: rsa_pem: 512 bits"),
        ("{{ openpgp('ecs_backup', knid='x') }}\n", "t.yml:1: too many arguments"),
        ("{{ given('a..b') }}\n", "is no key"),
        ("{% if %}\n", "t.yml:1: syntax error"),
    ] {
        let error = render(text, "").unwrap_err();
        assert!(error.contains(expected), "{text}: {error}");
    }
}

#[test]
fn a_secret_that_is_used_twice_is_made_once() {
    let out =
        render("{% set pw = password(32) %}{{ pw }} {{ pw }} {{ password(32) }}", "").unwrap();
    let words: Vec<&str> = out.split(' ').collect();
    assert!(words[0] == words[1] && words[0] != words[2] && words[0].len() == 32, "{out}");
}

#[test]
fn parts_have_names() {
    let out = render(
        "{% set k = ssh_keypair('ed25519', comment='me@x') %}{{ k.public }}\n{{ k.private }}",
        "",
    )
    .unwrap();
    assert!(
        out.starts_with("ssh-ed25519 AAAA") && out.contains(" me@x\n-----BEGIN OPENSSH"),
        "{out}"
    );
    assert!(render("{{ ssh_keypair().pubilc }}", "").is_err());
}

#[test]
fn txt_records_are_cut() {
    let out = render("{{ ('x' * 300) | txt }}", "")
        .unwrap_or_else(|_| render("{{ '%s' | txt }}", "").unwrap());
    assert!(out.split(' ').all(|part| part.len() <= 257), "{out}");
    assert!(render("{{ 'a\"b' | txt }}", "").is_err());
}

#[test]
fn a_session_shows_no_secret() {
    let inputs = inputs("password: hunter2\n");
    let session = Session::new("t.yml", "{{ crypt('hunter2') }}", &inputs);
    session.dry().unwrap();
    assert!(!format!("{session:?} {:?}", session.call(0)).contains("hunter2"));
    assert_eq!(session.evaluate("password(7)").unwrap().len(), 7);
    assert!(session.evaluate("ssh_keypair()").is_err());
}
