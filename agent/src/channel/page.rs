//! The status page: HTML that loads itself again, and the same as JSON.

use std::path::Path;

use bootwright_seed::report::{Report, State};

use super::words::prose;
use crate::boot::chain;
use crate::config::{Config, StatusPage};
use crate::owner::Owner;
use crate::root::Root;
use crate::{atomic, flags};

/// Writes, or removes, the page. Returns what did not work.
pub fn write(root: &Root, config: &Config, report: &Report) -> Vec<String> {
    let page = &config.status_page;
    let message = Message::of(report);
    let files = [
        (page.html.as_deref(), html(&message, page.refresh_seconds)),
        (page.json.as_deref(), json(&message)),
    ];
    let hidden = page.remove_when_active && report.state == State::Active;
    let put = |(path, text): (Option<&Path>, String)| match (path?, hidden) {
        (path, true) => flags::lower(root, path).err(),
        (path, false) => place(root, page, path, &text).err(),
    };
    files.into_iter().filter_map(put).collect()
}

fn place(root: &Root, page: &StatusPage, path: &Path, text: &str) -> Result<(), String> {
    let owner = page.owner.as_deref().map(|owner| Owner::find(root, owner)).transpose()?;
    let mode = page.mode().unwrap_or(0o644);
    atomic::write_owned(&root.at(path), text.as_bytes(), mode, owner).map_err(|error| chain(&error))
}

/// What people read.
struct Message {
    title: String,
    text: String,
    state: &'static str,
}

impl Message {
    fn of(report: &Report) -> Self {
        let name = report.profile.as_ref().map_or("Appliance", |profile| &profile.name);
        let (what, text) = match report.state {
            State::Active => ("is configured", "Its services are starting or running."),
            State::Standby => ("is in standby", "Its configuration tells it to wait."),
            State::Unconfigured => {
                ("is not configured", "It waits for a seed medium or a configuration file.")
            }
            State::WaitingForRestore => {
                ("waits for a restore", "It is configured; its data has to be restored first.")
            }
            State::Failed => ("has failed", ""),
        };
        // The error holds no value of the env; it is what an administrator needs to see.
        let text = report.error.as_deref().filter(|_| text.is_empty()).unwrap_or(text);
        Self {
            title: prose(&format!("{name} {what}")),
            text: prose(text),
            state: report.state.name(),
        }
    }
}

fn html(message: &Message, refresh: u32) -> String {
    let (title, text) = (escape(&message.title), escape(&message.text));
    let state = message.state;
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"refresh\" content=\"{refresh}\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n\
         <style>body{{font-family:sans-serif;max-width:40em;margin:4em auto;padding:0 1em}}</style>\n\
         </head>\n<body data-state=\"{state}\">\n<h1>{title}</h1>\n<p>{text}</p>\n</body>\n</html>\n"
    )
}

fn json(message: &Message) -> String {
    let value = serde_json::json!({
        "state": message.state, "title": message.title, "text": message.text,
    });
    format!("{value}\n")
}

fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Upstream pasted the text into sed and into HTML as it was (domain.md B37).
    #[test]
    fn b37_any_text_is_shown_as_it_is() {
        let text = "a/b & <script>\"c\" \\1 '{{ title }}'";
        let message = Message { title: "t".to_owned(), text: text.to_owned(), state: "failed" };
        let html = html(&message, 30);
        assert!(
            html.contains("<p>a/b &amp; &lt;script&gt;&quot;c&quot; \\1 &#39;{{ title }}&#39;</p>")
        );
        let parsed: serde_json::Value = serde_json::from_str(&json(&message)).unwrap();
        assert_eq!(parsed["text"], text);
    }
}
