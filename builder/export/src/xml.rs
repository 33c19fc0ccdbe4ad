//! XML with the indentation and escapes that quick-xml gives it, written top down.

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

/// An XML document under way.
pub(crate) struct Xml(Writer<Vec<u8>>);

impl Xml {
    /// A document with an XML declaration.
    pub(crate) fn new() -> Self {
        let mut xml = Self::fragment();
        xml.event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)));
        xml
    }

    /// A document without one.
    pub(crate) fn fragment() -> Self {
        Self(Writer::new_with_indent(Vec::new(), b' ', 2))
    }

    fn event(&mut self, event: Event<'_>) {
        // A vector takes every byte.
        let _ = self.0.write_event(event);
    }

    /// An element with what `inside` writes.
    pub(crate) fn element(
        &mut self,
        name: &str,
        attributes: &[(&str, &str)],
        inside: impl FnOnce(&mut Self),
    ) {
        self.event(Event::Start(start(name, attributes)));
        inside(self);
        self.event(Event::End(BytesEnd::new(name)));
    }

    /// An element with nothing in it.
    pub(crate) fn empty(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.event(Event::Empty(start(name, attributes)));
    }

    /// An element with text in it.
    pub(crate) fn text(&mut self, name: &str, attributes: &[(&str, &str)], text: &str) {
        self.event(Event::Start(start(name, attributes)));
        self.event(Event::Text(BytesText::new(text)));
        self.event(Event::End(BytesEnd::new(name)));
    }

    /// A comment.
    pub(crate) fn comment(&mut self, text: &str) {
        self.event(Event::Comment(BytesText::from_escaped(format!(" {text} "))));
    }

    /// The document's text, ending with a newline.
    pub(crate) fn finish(self) -> String {
        String::from_utf8_lossy(&self.0.into_inner()).into_owned() + "\n"
    }
}

fn start<'a>(name: &'a str, attributes: &[(&'a str, &'a str)]) -> BytesStart<'a> {
    BytesStart::new(name).with_attributes(attributes.iter().copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_attributes_are_escaped() {
        let mut xml = Xml::new();
        xml.element("a", &[("k", "\"<&>'")], |xml| {
            xml.text("b", &[], "1 < 2 & 3");
            xml.empty("c", &[]);
        });
        let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
            <a k=\"&quot;&lt;&amp;&gt;&apos;\">\n  <b>1 &lt; 2 &amp; 3</b>\n  <c/>\n</a>\n";
        assert_eq!(xml.finish(), expected);
    }
}
