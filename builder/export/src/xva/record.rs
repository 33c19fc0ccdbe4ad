//! Values of xapi's database as XML-RPC (xmlrpc.com/spec).

use crate::xml::Xml;

/// A value.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// Text, and numbers, which xapi writes as text too.
    Text(String),
    Bool(bool),
    /// The epoch: where a time has to be and none is meant.
    NoTime,
    List(Vec<Value>),
    Struct(Vec<(&'static str, Value)>),
}

/// A value that is the same for every machine.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fixed {
    Text(&'static str),
    Bool(bool),
    NoTime,
    NoList,
    NoStruct,
}

impl From<Fixed> for Value {
    fn from(fixed: Fixed) -> Self {
        match fixed {
            Fixed::Text(text) => text.into(),
            Fixed::Bool(value) => Self::Bool(value),
            Fixed::NoTime => Self::NoTime,
            Fixed::NoList => Self::List(Vec::new()),
            Fixed::NoStruct => Self::Struct(Vec::new()),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Text(number.to_string())
    }
}

impl Value {
    /// Writes the value.
    pub(super) fn write(&self, xml: &mut Xml) {
        match self {
            Self::Text(text) => xml.text("value", &[], text),
            Self::Bool(value) => wrapped(xml, "boolean", if *value { "1" } else { "0" }),
            Self::NoTime => wrapped(xml, "dateTime.iso8601", "19700101T00:00:00Z"),
            Self::List(items) => xml.element("value", &[], |xml| {
                xml.element("array", &[], |xml| {
                    xml.element("data", &[], |xml| items.iter().for_each(|item| item.write(xml)));
                });
            }),
            Self::Struct(members) => xml.element("value", &[], |xml| {
                xml.element("struct", &[], |xml| {
                    for (name, value) in members {
                        xml.element("member", &[], |xml| {
                            xml.text("name", &[], name);
                            value.write(xml);
                        });
                    }
                });
            }),
        }
    }
}

fn wrapped(xml: &mut Xml, kind: &str, text: &str) {
    xml.element("value", &[], |xml| xml.text(kind, &[], text));
}
