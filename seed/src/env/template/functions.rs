//! The functions and filters of templates.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use minijinja::value::{Kwargs, Value as Jinja, ValueKind};
use minijinja::{Environment, Error, ErrorKind, context};

use super::super::generate::{self, ALPHANUMERIC, Call, Made, Secret};
use super::super::key_path::KeyPath;
use super::{Inputs, State, marker};
use crate::yaml::emit;
use crate::yaml::tree::{Node, Value};

/// Longest string of a DNS TXT record, in bytes.
const TXT: usize = 255;

/// The variables.
pub(super) fn context(inputs: &Inputs) -> Jinja {
    let extra =
        inputs.extra.as_ref().map_or_else(|| Jinja::from(BTreeMap::<String, Jinja>::new()), value);
    context! { domain => inputs.domain.as_str(), extra => extra }
}

/// A tree as a template sees it.
fn value(node: &Node) -> Jinja {
    match &node.value {
        Value::Null => Jinja::from(()),
        Value::List(items) => items.iter().map(value).collect(),
        Value::Map(entries) => {
            let entries = entries.iter().map(|(key, node)| (key.name.clone(), value(node)));
            Jinja::from(entries.collect::<BTreeMap<_, _>>())
        }
        Value::Scalar { text, plain: true } => match text.as_str() {
            "true" => Jinja::from(true),
            "false" => Jinja::from(false),
            _ => text.parse::<i64>().map_or_else(|_| Jinja::from(text.as_str()), Jinja::from),
        },
        Value::Scalar { text, .. } => Jinja::from(text.as_str()),
    }
}

fn invalid(problem: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, problem.into())
}

/// Asks the state for a secret. Line breaks at its end are left to the template.
fn ask(state: &Mutex<State>, call: Call) -> Result<Jinja, Error> {
    let made = state.lock().unwrap_or_else(PoisonError::into_inner).ask(call);
    let text = |text: String| Jinja::from(text.trim_end_matches('\n'));
    Ok(match made.map_err(|error| invalid(error.to_string()))? {
        Made::Text(made) => text(made),
        Made::Parts(parts) => {
            let parts = parts.into_iter().map(|(name, part)| (name, text(part)));
            Jinja::from(parts.collect::<BTreeMap<_, _>>())
        }
    })
}

/// An argument by name, or what it is without.
fn named<T>(kwargs: &Kwargs, name: &str, default: T) -> Result<T, Error>
where
    T: for<'a> minijinja::value::ArgType<'a, Output = T>,
{
    if kwargs.has(name) { kwargs.get(name) } else { Ok(default) }
}

/// Adds everything to an environment.
pub(super) fn add(environment: &mut Environment<'_>, state: &Arc<Mutex<State>>, inputs: &Inputs) {
    texts(environment, state);
    keys(environment, state);
    let extra = inputs.extra.clone();
    environment.add_function("given", move |path: &str, default: Option<Jinja>| {
        let path: KeyPath = path.parse().map_err(|error| invalid(format!("{error}")))?;
        let found = extra.as_ref().and_then(|extra| path.of(extra));
        Ok::<_, Error>(found.map(value).or(default).unwrap_or_else(|| Jinja::from(())))
    });
    environment.add_function("rsa_public", |pem: &str| {
        if marker::first(pem).is_some() {
            return Ok(pem.to_owned());
        }
        generate::public_base64(pem).map_err(|problem| invalid(format!("rsa_public: {problem}")))
    });
    environment.add_filter("yaml", |value: &Jinja| yaml(value));
    environment.add_filter("txt", txt);
}

fn texts(environment: &mut Environment<'_>, state: &Arc<Mutex<State>>) {
    let with = |make: fn(usize) -> Call| {
        let state = Arc::clone(state);
        move |bytes: usize| ask(&state, make(bytes))
    };
    environment.add_function("base64", with(|bytes| Call::Base64 { bytes }));
    environment.add_function("hex", with(|bytes| Call::Hex { bytes }));
    let to = Arc::clone(state);
    environment.add_function("uuid", move || ask(&to, Call::Uuid));
    let to = Arc::clone(state);
    environment.add_function("password", move |length: usize, alphabet: Option<String>| {
        let alphabet = alphabet.unwrap_or_else(|| ALPHANUMERIC.to_owned());
        ask(&to, Call::Password { length, alphabet })
    });
    let to = Arc::clone(state);
    environment.add_function("crypt", move |password: String| {
        ask(&to, Call::Crypt { password: Secret(password) })
    });
}

fn keys(environment: &mut Environment<'_>, state: &Arc<Mutex<State>>) {
    let to = Arc::clone(state);
    environment.add_function("rsa_pem", move |bits: Option<usize>| {
        ask(&to, Call::RsaPem { bits: bits.unwrap_or(2048) })
    });
    let to = Arc::clone(state);
    environment.add_function("dkim", move |bits: Option<usize>| {
        ask(&to, Call::Dkim { bits: bits.unwrap_or(2048) })
    });
    let to = Arc::clone(state);
    environment.add_function("openpgp", move |uid: String, kwargs: Kwargs| {
        let kind = named(&kwargs, "kind", "rsa3072".to_owned())?;
        kwargs.assert_all_used()?;
        ask(&to, Call::Openpgp { uid, kind })
    });
    let to = Arc::clone(state);
    environment.add_function("ssh_keypair", move |kind: Option<String>, kwargs: Kwargs| {
        let comment = named(&kwargs, "comment", String::new())?;
        kwargs.assert_all_used()?;
        ask(&to, Call::Ssh { kind: kind.unwrap_or_else(|| "ed25519".to_owned()), comment })
    });
    let to = Arc::clone(state);
    environment.add_function(
        "tls_selfsigned",
        move |subject: String, sans: Vec<String>, kwargs: Kwargs| {
            let days = named(&kwargs, "days", 3650u32)?;
            let kind = named(&kwargs, "kind", "p256".to_owned())?;
            kwargs.assert_all_used()?;
            ask(&to, Call::Tls { subject, sans, days, kind })
        },
    );
}

/// A value as YAML on one line, so that no text can turn into something else.
fn yaml(value: &Jinja) -> Result<String, Error> {
    match value.kind() {
        ValueKind::Undefined => Err(Error::from(ErrorKind::UndefinedError)),
        ValueKind::None => Ok("~".to_owned()),
        ValueKind::Bool | ValueKind::Number => Ok(value.to_string()),
        ValueKind::String => Ok(emit::scalar(value.as_str().unwrap_or_default())),
        ValueKind::Seq | ValueKind::Iterable => {
            let items = value.try_iter()?.map(|item| yaml(&item)).collect::<Result<Vec<_>, _>>()?;
            Ok(format!("[{}]", items.join(", ")))
        }
        ValueKind::Map => {
            let mut entries = Vec::new();
            for key in value.try_iter()? {
                entries.push(format!("{}: {}", yaml(&key)?, yaml(&value.get_item(&key)?)?));
            }
            Ok(format!("{{{}}}", entries.join(", ")))
        }
        other => Err(invalid(format!("yaml: expected a value, found {other}"))),
    }
}

/// A text as the quoted strings of a DNS TXT record, each at most 255 bytes long.
fn txt(text: &str) -> Result<String, Error> {
    if !text.is_ascii() || text.contains(['"', '\\']) {
        return Err(invalid("txt: expected ASCII without quotes and backslashes"));
    }
    let chunks = text.as_bytes().chunks(TXT);
    let chunks: Vec<String> =
        chunks.map(|chunk| format!("\"{}\"", String::from_utf8_lossy(chunk))).collect();
    Ok(chunks.join(" "))
}
