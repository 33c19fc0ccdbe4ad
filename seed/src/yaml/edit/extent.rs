//! How far a value reaches in the text, in lines.

use super::super::emit;
use super::super::tree::{Node, Value};
use super::index;

/// A text by its lines, each with its line break.
pub(super) struct Lines<'a>(Vec<&'a str>);

impl<'a> Lines<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self(text.split_inclusive('\n').collect())
    }

    pub(super) fn get(&self, line: usize) -> &'a str {
        self.0.get(line).copied().unwrap_or_default()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing but blanks, or the dash of a list's entry, stands before a column.
    pub(super) fn starts_line(&self, line: usize, column: usize) -> bool {
        self.get(line).chars().take(column).all(|c| matches!(c, ' ' | '-'))
    }

    /// The byte offset of a column in a line.
    fn offset(&self, line: usize, column: usize) -> usize {
        self.get(line).chars().take(column).map(char::len_utf8).sum()
    }

    /// Blanks that a line starts with; none for one that is blank.
    pub(super) fn indent(&self, line: usize) -> Option<usize> {
        let text = self.get(line).trim_end();
        (!text.is_empty()).then(|| text.len() - text.trim_start_matches(' ').len())
    }

    pub(super) fn is_comment(&self, line: usize) -> bool {
        self.get(line).trim_start().starts_with('#')
    }

    /// The last line of an entry of a block mapping.
    pub(super) fn last_of_entry(&self, key_line: usize, key_column: usize, node: &Node) -> usize {
        match &node.value {
            Value::Null => key_line,
            Value::Scalar { .. } => self.last_of_scalar(key_line, key_column, node),
            Value::Map(_) | Value::List(_) if self.is_flow(node) => self.end_of_flow(node),
            Value::Map(entries) => entries.iter().fold(key_line, |last, (key, node)| {
                last.max(self.last_of_entry(index(key.at.line), index(key.at.column), node))
            }),
            Value::List(items) => items.iter().fold(key_line, |last, item| {
                // The column of the dash, which is what an entry has to be deeper than.
                let line = index(item.at.line);
                last.max(self.last_of_entry(line, key_column, item))
            }),
        }
    }

    /// Whether a mapping or list is written in braces.
    pub(super) fn is_flow(&self, node: &Node) -> bool {
        let (line, column) = (index(node.at.line), index(node.at.column));
        let rest = self.get(line).get(self.offset(line, column)..).unwrap_or_default();
        rest.starts_with(['{', '['])
    }

    fn last_of_scalar(&self, key_line: usize, key_column: usize, node: &Node) -> usize {
        let (line, column) = (index(node.at.line), index(node.at.column));
        let block = line > key_line || self.after_colon_is_block(key_line);
        let quoted = {
            let rest = self.get(line).get(self.offset(line, column)..).unwrap_or_default();
            rest.starts_with(['"', '\''])
        };
        if quoted {
            return self.end_of_flow(node);
        }
        let mut last = line.max(key_line);
        for next in last + 1..self.len() {
            match self.indent(next) {
                Some(indent) if indent > key_column && (block || !self.is_comment(next)) => {
                    last = next
                }
                None => {}
                Some(_) => break,
            }
        }
        last
    }

    fn after_colon_is_block(&self, line: usize) -> bool {
        let text = self.get(line).trim_end();
        text.trim_end_matches(['-', '+', '1', '2', '3', '4', '5', '6', '7', '8', '9'])
            .ends_with(['|', '>'])
    }

    /// The line on which a value in braces or quotes ends.
    fn end_of_flow(&self, node: &Node) -> usize {
        self.end_inline(node).map_or(index(node.at.line), |(line, _)| line)
    }

    /// Line and byte offset behind a value that starts with a brace, bracket or quote, or
    /// behind a plain one on a line.
    pub(super) fn end_inline(&self, node: &Node) -> Option<(usize, usize)> {
        let (start, column) = (index(node.at.line), index(node.at.column));
        let from = self.offset(start, column);
        let first = self.get(start).get(from..)?;
        if !first.starts_with(['{', '[', '"', '\'']) {
            return Some((start, from + plain_end(first)));
        }
        let (mut depth, mut quote) = (0usize, None);
        for line in start..self.len() {
            let text = self.get(line);
            let skip = if line == start { from } else { 0 };
            let mut escaped = false;
            let mut before = ' ';
            for (at, c) in text.char_indices().filter(|(at, _)| *at >= skip) {
                match quote {
                    Some('"') if escaped => escaped = false,
                    Some('"') if c == '\\' => escaped = true,
                    Some(open) if c == open => quote = None,
                    Some(_) => {}
                    None if c == '#' && before.is_whitespace() => break,
                    None if matches!(c, '"' | '\'') && !before.is_alphanumeric() => quote = Some(c),
                    None if matches!(c, '{' | '[') => depth += 1,
                    None if matches!(c, '}' | ']') => depth = depth.saturating_sub(1),
                    None => {}
                }
                before = c;
                // A doubled single quote closes and opens again.
                let doubled =
                    c == '\'' && text.get(at + 1..).is_some_and(|rest| rest.starts_with('\''));
                if quote.is_none() && depth == 0 && !doubled {
                    return Some((line, at + c.len_utf8()));
                }
            }
        }
        None
    }

    /// The text with the entry of a block mapping given another value.
    pub(super) fn replace_entry(
        &self,
        line: usize,
        column: usize,
        old: &Node,
        value: &Node,
    ) -> Option<String> {
        let head = self.get(line);
        let from = self.offset(line, column);
        let colon = from + key_end(head.get(from..)?)?;
        let last = self.last_of_entry(line, column, old);
        let mut new = emit::value(value, column);
        let single = last == line && new.trim_end_matches('\n').matches('\n').count() == 0;
        if let (true, Some((_, end))) = (single && old.text().is_some(), self.end_inline(old)) {
            // What follows on the line is a comment.
            new = format!("{}{}", new.trim_end_matches('\n'), head.get(end..)?);
        }
        let before: String = self.0.iter().take(line).copied().collect();
        let after: String = self.0.iter().skip(last + 1).copied().collect();
        Some(format!("{before}{}{new}{after}", head.get(..=colon)?))
    }

    /// The text with a value on one line replaced.
    pub(super) fn replace_inline(&self, old: &Node, new: &str) -> Option<String> {
        let (line, column) = (index(old.at.line), index(old.at.column));
        let (end_line, end) = self.end_inline(old)?;
        if end_line != line {
            return None;
        }
        let head = self.get(line);
        let before: String = self.0.iter().take(line).copied().collect();
        let after: String = self.0.iter().skip(line + 1).copied().collect();
        let (start, rest) = (head.get(..self.offset(line, column))?, head.get(end..)?);
        Some(format!("{before}{start}{new}{rest}{after}"))
    }
}

/// Where a plain scalar ends that starts a text: before a comment, a bracket or the line's end.
fn plain_end(text: &str) -> usize {
    let comment = text.find(" #").unwrap_or(text.len());
    let closing = text.find([',', '}', ']']).unwrap_or(text.len());
    let text = text.get(..comment.min(closing)).unwrap_or(text);
    text.trim_end().len()
}

/// The offset of the colon behind a key that starts a text.
fn key_end(text: &str) -> Option<usize> {
    match text.chars().next()? {
        quote @ ('"' | '\'') => {
            let close = text.get(1..)?.find(quote)? + 2;
            Some(close + text.get(close..)?.find(':')?)
        }
        _ => text.match_indices(':').map(|(at, _)| at).find(|at| {
            text.get(at + 1..)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\n', '\r']))
        }),
    }
}
