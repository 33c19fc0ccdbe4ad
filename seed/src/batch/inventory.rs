//! The inventory of sites: CSV, YAML or JSON, read one site at a time.
//!
//! Memory does not grow with the inventory, and a site that is wrong does not hide the ones
//! after it: only what leaves no way to tell where the next one starts ends the reading.

use std::io::{BufRead, Read};

use super::Row;
use crate::create::json_of;
use crate::yaml::tree::{Node, Value};

/// Longest site in YAML or JSON, in bytes.
const MAX_ITEM: usize = 1 << 20;

/// How an inventory is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InventoryFormat {
    /// A header line with the names of the fields, then a line a site. Blank lines before a
    /// row count as its own.
    Csv,
    /// A list of mappings in block style.
    Yaml,
    /// An array of objects, or objects one after the other.
    Json,
}

impl InventoryFormat {
    /// The format that a file's name ends in.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        match name.rsplit_once('.')?.1 {
            "csv" => Some(Self::Csv),
            "yml" | "yaml" => Some(Self::Yaml),
            "json" | "jsonl" | "ndjson" => Some(Self::Json),
            _ => None,
        }
    }
}

/// Why an inventory cannot be read on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {problem}")]
pub struct InventoryError {
    /// The name the caller gave the file.
    pub file: String,
    /// Line, counted from 1.
    pub line: u64,
    /// What is wrong there and what to do.
    pub problem: String,
}

/// A site of an inventory.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// The line that it starts on, counted from 1.
    pub line: u64,
    /// Its fields, or what is wrong with it: the line and the words for it.
    pub row: Result<Row, (u64, String)>,
}

/// An inventory that is read site by site.
pub struct Inventory {
    file: String,
    items: Box<dyn Iterator<Item = Result<Item, (u64, String)>> + Send>,
    is_over: bool,
}

impl std::fmt::Debug for Inventory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inventory").field("file", &self.file).finish_non_exhaustive()
    }
}

impl Inventory {
    /// Starts reading an inventory that errors call `file`.
    ///
    /// # Errors
    /// A CSV without a usable header.
    pub fn new(
        file: &str,
        format: InventoryFormat,
        reader: impl BufRead + Send + 'static,
    ) -> Result<Self, InventoryError> {
        let items: Box<dyn Iterator<Item = _> + Send> =
            match format {
                InventoryFormat::Csv => Box::new(csv(reader).map_err(|problem| {
                    InventoryError { file: file.to_owned(), line: 1, problem }
                })?),
                InventoryFormat::Yaml => Box::new(Chunks::new(reader)),
                InventoryFormat::Json => Box::new(Objects { reader, line: 1 }),
            };
        Ok(Self { file: file.to_owned(), items, is_over: false })
    }
}

impl Iterator for Inventory {
    type Item = Result<Item, InventoryError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let item = self.items.next()?;
        Some(item.map_err(|(line, problem)| {
            self.is_over = true;
            InventoryError { file: self.file.clone(), line, problem }
        }))
    }
}

fn csv(
    reader: impl BufRead + Send + 'static,
) -> Result<impl Iterator<Item = Result<Item, (u64, String)>> + Send, String> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(reader);
    let header = reader.headers().map_err(|error| format!("no header: {}", csv_problem(&error)))?;
    let names: Vec<String> = header.iter().map(str::to_owned).collect();
    for (index, name) in names.iter().enumerate() {
        if name.is_empty() || names.iter().take(index).any(|known| known == name) {
            return Err(format!("the header names the field {name:?} twice, or not at all"));
        }
    }
    if !names.iter().any(|name| name == super::SITE) {
        return Err(format!("the header has no field `{}`, which names the sites", super::SITE));
    }
    let mut last = 1;
    Ok(reader.into_records().map(move |record| match record {
        Ok(record) => {
            last = record.position().map_or(last + 1, csv::Position::line);
            let values = record.iter().map(|text| serde_json::Value::from(text.to_owned()));
            Ok(Item { line: last, row: Ok(names.iter().cloned().zip(values).collect()) })
        }
        Err(error) => {
            last = error.position().map_or(last + 1, csv::Position::line);
            match error.kind() {
                csv::ErrorKind::Io(cause) => Err((last, cause.to_string())),
                _ => Ok(Item { line: last, row: Err((last, csv_problem(&error))) }),
            }
        }
    }))
}

fn csv_problem(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("{len} fields, the header has {expected_len}")
        }
        csv::ErrorKind::Utf8 { .. } => "not UTF-8 text".to_owned(),
        _ => "not CSV".to_owned(),
    }
}

/// The items of a YAML list in block style whose dashes stand in the first column.
struct Chunks<R> {
    lines: std::iter::Enumerate<std::io::Split<R>>,
    /// The first line of the next item, with its number.
    next: Option<(u64, String)>,
}

impl<R: BufRead> Chunks<R> {
    fn new(reader: R) -> Self {
        Self { lines: reader.split(b'\n').enumerate(), next: None }
    }

    fn line(&mut self) -> Option<Result<(u64, String), (u64, String)>> {
        let (index, line) = self.lines.next()?;
        let number = index as u64 + 1;
        let decode = |bytes| String::from_utf8(bytes).map_err(|_| "not UTF-8 text".to_owned());
        let text = line.map_err(|error| error.to_string()).and_then(decode);
        Some(text.map(|text| (number, text)).map_err(|problem| (number, problem)))
    }
}

impl<R: BufRead> Iterator for Chunks<R> {
    type Item = Result<Item, (u64, String)>;

    fn next(&mut self) -> Option<Self::Item> {
        let is_blank = |line: &str| {
            let line = line.trim();
            line.is_empty() || line.starts_with('#') || line == "---"
        };
        let (first, mut text) = loop {
            match self.next.take() {
                Some(start) => break start,
                None => match self.line()? {
                    Ok((_, line)) if is_blank(&line) => {}
                    Ok(start) => self.next = Some(start),
                    Err(error) => return Some(Err(error)),
                },
            }
        };
        if !text.starts_with("- ") && text.trim_end() != "-" {
            let problem = "expected a list of sites, each with its dash in the first column";
            return Some(Err((first, problem.to_owned())));
        }
        while let Some(line) = self.line() {
            match line {
                Ok((number, line)) if line.starts_with(['-']) && !line.starts_with("---") => {
                    self.next = Some((number, line));
                    break;
                }
                // A key in the first column ends the list.
                Ok((number, line)) if !is_blank(&line) && !line.starts_with([' ', '\t', '\r']) => {
                    self.next = Some((number, line));
                    break;
                }
                Ok((_, line)) => {
                    text.push('\n');
                    text.push_str(&line);
                }
                Err(error) => return Some(Err(error)),
            }
            if text.len() > MAX_ITEM {
                return Some(Err((first, format!("a site of more than {MAX_ITEM} bytes"))));
            }
        }
        Some(Ok(Item { line: first, row: yaml_row(first, &text) }))
    }
}

fn yaml_row(first: u64, text: &str) -> Result<Row, (u64, String)> {
    let node = Node::parse("", text)
        .map_err(|(_, error)| (first + error.line.saturating_sub(1), error.reason))?;
    match &node.value {
        Value::List(items) if items.len() == 1 => match json_of(&items[0]) {
            serde_json::Value::Object(row) => Ok(row),
            _ => Err((first, format!("{}, expected a mapping", items[0].value.describe()))),
        },
        _ => Err((first, "expected one site".to_owned())),
    }
}

/// The objects of a JSON array, or of a sequence.
struct Objects<R> {
    reader: R,
    line: u64,
}

impl<R: Read> Objects<R> {
    fn byte(&mut self) -> Option<Result<u8, (u64, String)>> {
        let mut byte = [0];
        match self.reader.read(&mut byte) {
            Ok(0) => None,
            Ok(_) => {
                let [byte] = byte;
                self.line += u64::from(byte == b'\n');
                Some(Ok(byte))
            }
            Err(error) => Some(Err((self.line, error.to_string()))),
        }
    }

    /// The rest of an object whose brace was read.
    fn object(&mut self) -> Result<Vec<u8>, (u64, String)> {
        let first = self.line;
        let mut text = vec![b'{'];
        let (mut depth, mut in_string, mut is_escaped) = (1_usize, false, false);
        while depth > 0 {
            let Some(byte) = self.byte() else {
                return Err((first, "the object that starts here does not end".to_owned()));
            };
            let byte = byte?;
            text.push(byte);
            match byte {
                _ if is_escaped => is_escaped = false,
                b'\\' if in_string => is_escaped = true,
                b'"' => in_string = !in_string,
                b'{' | b'[' if !in_string => depth += 1,
                b'}' | b']' if !in_string => depth -= 1,
                _ => {}
            }
            if text.len() > MAX_ITEM {
                return Err((first, format!("a site of more than {MAX_ITEM} bytes")));
            }
        }
        Ok(text)
    }
}

impl<R: Read> Iterator for Objects<R> {
    type Item = Result<Item, (u64, String)>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.byte()? {
                Ok(b'{') => break,
                Ok(byte) if byte.is_ascii_whitespace() || b"[],".contains(&byte) => {}
                Ok(_) => {
                    let problem = "expected an array of objects".to_owned();
                    return Some(Err((self.line, problem)));
                }
                Err(error) => return Some(Err(error)),
            }
        }
        let line = self.line;
        let text = match self.object() {
            Ok(text) => text,
            Err(error) => return Some(Err(error)),
        };
        let row = serde_json::from_slice(&text).map_err(|error| {
            // The library's message may quote a value.
            (line + error.line().saturating_sub(1) as u64, "not a JSON object".to_owned())
        });
        Some(Ok(Item { line, row }))
    }
}

#[cfg(test)]
mod tests;
