//! A template with the fields of a site in it: minijinja, strict.

use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior, Value};

use super::Row;

/// A template that was parsed once and is rendered for each site.
#[derive(Debug)]
pub struct Template {
    environment: Environment<'static>,
    file: String,
    /// minijinja drops a line end at the end.
    end: &'static str,
}

/// What the environment calls the one template; no ending, so that nothing is escaped.
const NAME: &str = "template";

impl Template {
    /// Parses a template that errors call `file`.
    ///
    /// # Errors
    /// Where it is no template, and why.
    pub fn parse(file: &str, text: String) -> Result<Self, String> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        let end = if text.ends_with('\n') { "\n" } else { "" };
        environment.add_template_owned(NAME, text).map_err(|error| describe(file, &error))?;
        Ok(Self { environment, file: file.to_owned(), end })
    }

    /// Renders it for a site.
    ///
    /// # Errors
    /// Where it fails, and why; never with a value of the row.
    pub fn render(&self, row: &Row) -> Result<String, String> {
        let fields = Value::from(Serde(row));
        let rendered = self.environment.get_template(NAME).and_then(|it| it.render(fields));
        rendered.map(|text| text + self.end).map_err(|error| {
            let names: Vec<&str> = row.keys().map(String::as_str).collect();
            format!("{}; the row has {}", describe(&self.file, &error), names.join(", "))
        })
    }
}

fn describe(file: &str, error: &minijinja::Error) -> String {
    let line = error.line().map(|line| format!(":{line}")).unwrap_or_default();
    let detail = match error.kind() {
        // The detail of others may quote a value.
        minijinja::ErrorKind::SyntaxError | minijinja::ErrorKind::UnknownFilter => {
            error.detail().map(|detail| format!(" ({detail})"))
        }
        _ => None,
    };
    format!("{file}{line}: {}{}", error.kind(), detail.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Row {
        let serde_json::Value::Object(row) =
            serde_json::json!({"site": "a", "n": 3, "odd": "x: \"y\" # z", "list": [1, 2]})
        else {
            panic!()
        };
        row
    }

    #[test]
    fn fields_fill_in() {
        let text = "#cloud-config\nsite: {{ site }}\nodd: {{ odd | tojson }}\n{% for i in list %}i{{ i }}: {{ n }}\n{% endfor %}";
        let template = Template::parse("t.yml", text.to_owned()).unwrap();
        assert_eq!(
            template.render(&row()).unwrap(),
            "#cloud-config\nsite: a\nodd: \"x: \\\"y\\\" # z\"\ni1: 3\ni2: 3\n"
        );
    }

    #[test]
    fn mistakes_have_a_place() {
        let template = Template::parse("t.yml", "a\n{{ sit }}\n".to_owned()).unwrap();
        assert_eq!(
            template.render(&row()).unwrap_err(),
            "t.yml:2: undefined value; the row has list, n, odd, site"
        );
        let error = Template::parse("t.yml", "a\nb {{ x\n".to_owned()).unwrap_err();
        assert!(error.starts_with("t.yml:"), "{error}");
    }
}
