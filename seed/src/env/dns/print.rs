//! Records as text: a part of a zone file, comments of an env, lines for web forms, JSON.

use serde_json::{Value, json};

use super::{Data, Record, Records};

/// Longest string of a TXT record, in bytes (RFC 1035 3.3).
const STRING: usize = 255;
/// The first and last line of the block in an env.
const BEGIN: &str = "# --- DNS records, by `bootwright env dns`; see its --help ---";
const END: &str = "# --- end of DNS records ---";

impl Data {
    /// The name of the record's type.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::A(_) => "A",
            Self::Aaaa(_) => "AAAA",
            Self::Mx(..) => "MX",
            Self::Txt(_) => "TXT",
            Self::Ptr(_) => "PTR",
        }
    }

    /// The value on one line, text without quotes and in one piece.
    #[must_use]
    pub fn value(&self) -> String {
        match self {
            Self::A(address) => address.to_string(),
            Self::Aaaa(address) => address.to_string(),
            Self::Mx(preference, host) => format!("{preference} {host}."),
            Self::Txt(text) => text.clone(),
            Self::Ptr(host) => format!("{host}."),
        }
    }

    /// The value as zone files have it; a long text takes a line for each of its strings.
    fn master(&self, indent: usize) -> String {
        let Self::Txt(text) = self else {
            return self.value();
        };
        match &strings(text)[..] {
            [one] => quoted(one),
            more => {
                let lines: Vec<String> = more.iter().map(|part| quoted(part)).collect();
                format!("( {} )", lines.join(&format!("\n{:indent$}", "")))
            }
        }
    }
}

/// The strings that a text is cut into.
fn strings(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text;
    while rest.len() > STRING {
        let end = (0..=STRING).rev().find(|&at| rest.is_char_boundary(at)).unwrap_or(STRING);
        let (part, after) = rest.split_at(end);
        parts.push(part);
        rest = after;
    }
    parts.push(rest);
    parts
}

/// A string between quotes, by RFC 1035 5.1.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => quoted.extend(['\\', char::from(byte)]),
            b' '..=b'~' => quoted.push(char::from(byte)),
            _ => quoted += &format!("\\{byte:03}"),
        }
    }
    quoted + "\""
}

impl Records {
    /// A name as it is written in the zone.
    fn relative(&self, name: &str) -> String {
        if name == self.zone {
            return "@".to_owned();
        }
        match name.strip_suffix(&format!(".{}", self.zone)) {
            Some(relative) => relative.to_owned(),
            None => format!("{name}."),
        }
    }

    /// One record as a line of a zone file.
    fn line(&self, record: &Record, width: usize) -> String {
        let ttl = record.ttl.map_or(String::new(), |ttl| format!("{ttl} "));
        let start =
            format!("{:width$} {ttl}IN {:4} ", self.relative(&record.name), record.data.kind());
        let value = record.data.master(start.len() + 2);
        format!("{start}{value}\n")
    }

    fn lines(&self, records: &[Record]) -> String {
        let names = records.iter().map(|record| self.relative(&record.name).len());
        let width = names.max().unwrap_or(0);
        records.iter().map(|record| self.line(record, width)).collect()
    }

    /// The part of the zone's file, for its end or for `$INCLUDE`. The way back from the
    /// addresses is in comments: it belongs into zones of whoever gave them out.
    #[must_use]
    pub fn zone_file(&self) -> String {
        let reverse: String =
            self.lines(&self.reverse).lines().map(|line| format!("; {line}\n")).collect();
        format!(
            "; Records of {} for the zone {}.\n$ORIGIN {}.\n{}\
             ;\n; For the zones of the addresses, which their provider keeps:\n{reverse}",
            self.domain,
            self.zone,
            self.zone,
            self.lines(&self.forward),
        )
    }

    /// The records from addresses to the name, for the file of a reverse zone.
    #[must_use]
    pub fn reverse_file(&self) -> String {
        self.lines(&self.reverse)
    }

    /// A block of YAML comments.
    #[must_use]
    pub fn comment(&self) -> String {
        let body: String = self.zone_file().lines().map(|line| format!("# {line}\n")).collect();
        let dkim = self.forward.iter().filter(|record| record.name.contains("._domainkey."));
        let web: String = dkim
            .map(|record| {
                let name = self.relative(&record.name);
                format!("# On one line, for web forms:\n# {name}: {}\n", record.data.value())
            })
            .collect();
        format!("{BEGIN}\n{body}{web}{END}\n")
    }

    /// An env's text with the block behind its first line, in place of an earlier one.
    #[must_use]
    pub fn into_env(&self, text: &str) -> String {
        let (head, body) = text.split_once('\n').unwrap_or((text, ""));
        let body = match (body.find(BEGIN), body.find(END)) {
            (Some(begin), Some(end)) if begin < end => {
                let after = body[end + END.len()..].trim_start_matches(['\r', '\n']);
                format!("{}{after}", &body[..begin])
            }
            _ => body.to_owned(),
        };
        format!("{head}\n{}{body}", self.comment())
    }

    /// Lines for the forms of web interfaces: name, type and value with tabs between.
    #[must_use]
    pub fn web_form(&self) -> String {
        let line = |record: &Record| {
            let name = self.relative(&record.name);
            format!("{name}\t{}\t{}\n", record.data.kind(), record.data.value())
        };
        self.forward.iter().chain(&self.reverse).map(line).collect()
    }

    /// The records for programs.
    #[must_use]
    pub fn json(&self) -> Value {
        let record = |record: &Record| {
            let mut value = json!({
                "name": format!("{}.", record.name),
                "type": record.data.kind(),
                "ttl": record.ttl,
                "value": record.data.value(),
            });
            if let Data::Txt(text) = &record.data {
                value["strings"] = strings(text).into();
            }
            value
        };
        let all = |records: &[Record]| records.iter().map(record).collect::<Vec<_>>();
        json!({
            "zone": format!("{}.", self.zone),
            "domain": format!("{}.", self.domain),
            "records": all(&self.forward),
            "reverse": all(&self.reverse),
        })
    }
}
