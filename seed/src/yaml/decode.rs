//! From a [`Node`] to typed values, strictly: an unknown or mistyped key is an error with
//! its place and, where one is near, a suggestion.
//!
//! Numbers and truths must be written without quotes, text may be written either way.

use std::fmt;

use serde::de::value::StringDeserializer;
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _, MapAccess,
    SeqAccess, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::tree::{Key, Node, Place, Value};

/// How near a known name must be to be suggested (Jaro-Winkler).
const NEAR: f64 = 0.8;

/// Why a document does not have the shape that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeError {
    /// Where, as far as it is known yet.
    pub at: Option<Place>,
    /// What is wrong.
    pub problem: String,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.at {
            Some(at) => write!(f, "{at}: {}", self.problem),
            None => f.write_str(&self.problem),
        }
    }
}

impl std::error::Error for DecodeError {}

impl DecodeError {
    /// An error at a place.
    #[must_use]
    pub fn new(at: &Place, problem: impl Into<String>) -> Self {
        Self { at: Some(at.clone()), problem: problem.into() }
    }

    /// Adds the place, unless a more exact one is known.
    fn or_at(mut self, at: &Place) -> Self {
        self.at.get_or_insert_with(|| at.clone());
        self
    }
}

impl de::Error for DecodeError {
    fn custom<T: fmt::Display>(problem: T) -> Self {
        Self { at: None, problem: problem.to_string() }
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::custom(unknown("key", field, expected))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::custom(unknown("value", variant, expected))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::custom(format_args!("the key `{field}` is missing"))
    }
}

/// The message for a name that is not known.
#[must_use]
pub fn unknown(what: &str, name: &str, known: &[&str]) -> String {
    let score = |candidate: &&&str| strsim::jaro_winkler(name, candidate);
    let nearest = known.iter().max_by(|a, b| score(a).total_cmp(&score(b)));
    match nearest.filter(|candidate| score(candidate) >= NEAR) {
        Some(nearest) => format!("unknown {what} `{name}`; did you mean `{nearest}`?"),
        None => format!("unknown {what} `{name}`; known are {}", known.join(", ")),
    }
}

/// A value with the place it stands at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub at: Place,
}

/// Name by which [`Located`] asks the decoder for its place.
const LOCATED: &str = "$bootwright::Located";

impl<'de, T: de::Deserialize<'de>> de::Deserialize<'de> for Located<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Parts<T>(std::marker::PhantomData<T>);
        impl<'de, T: de::Deserialize<'de>> Visitor<'de> for Parts<T> {
            type Value = Located<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value of a tree with places")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Located<T>, A::Error> {
                let missing = || A::Error::custom("only trees of this crate have places");
                let file: String = parts.next_element()?.ok_or_else(missing)?;
                let line = parts.next_element()?.ok_or_else(missing)?;
                let column = parts.next_element()?.ok_or_else(missing)?;
                let value = parts.next_element()?.ok_or_else(missing)?;
                Ok(Located { value, at: Place { file: file.into(), line, column } })
            }
        }
        deserializer.deserialize_tuple_struct(LOCATED, 4, Parts(std::marker::PhantomData))
    }
}

impl Node {
    /// Decodes the tree into a value.
    ///
    /// # Errors
    /// The first thing that does not fit, with its place.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        T::deserialize(self)
    }

    fn mistyped(&self, expected: &dyn de::Expected) -> DecodeError {
        let found = match &self.value {
            Value::Scalar { text, .. } => format!("`{text}`"),
            other => other.describe().to_owned(),
        };
        DecodeError::new(&self.at, format!("{found}, expected {expected}"))
    }

    /// The text of a plain scalar.
    fn plain(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, plain: true } => Some(text),
            _ => None,
        }
    }

    fn number<T: std::str::FromStr>(&self, expected: &dyn de::Expected) -> Result<T, DecodeError> {
        // A leading zero is octal in YAML 1.1 and decimal in 1.2: nobody means both.
        let number = self.plain().filter(|text| *text == "0" || !text.starts_with('0'));
        number.and_then(|text| text.parse().ok()).ok_or_else(|| self.mistyped(expected))
    }
}

/// Deserializes integers by parsing the scalar's text.
macro_rules! numbers {
    ($($method:ident $visit:ident $type:ty),* $(,)?) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
            let number: $type = self.number(&visitor)?;
            visitor.$visit::<DecodeError>(number).map_err(|error| error.or_at(&self.at))
        })*
    };
}

impl<'de> Deserializer<'de> for &Node {
    type Error = DecodeError;

    /// For what takes any shape: the shape written.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match &self.value {
            Value::Null => visitor.visit_unit(),
            Value::List(items) => visitor.visit_seq(Items(items.iter())),
            Value::Map(entries) => visitor.visit_map(Entries { left: entries.iter(), at: None }),
            Value::Scalar { text, .. } => match self.plain() {
                Some("true") => visitor.visit_bool(true),
                Some("false") => visitor.visit_bool(false),
                Some(_) => match self.number::<i64>(&visitor) {
                    Ok(number) => visitor.visit_i64(number),
                    Err(_) => visitor.visit_str(text),
                },
                None => visitor.visit_str(text),
            },
        }
        .map_err(|error: DecodeError| error.or_at(&self.at))
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.plain() {
            Some("true") => visitor.visit_bool(true),
            Some("false") => visitor.visit_bool(false),
            _ => Err(self.mistyped(&"true or false")),
        }
    }

    numbers! {
        deserialize_i8 visit_i8 i8, deserialize_i16 visit_i16 i16,
        deserialize_i32 visit_i32 i32, deserialize_i64 visit_i64 i64,
        deserialize_u8 visit_u8 u8, deserialize_u16 visit_u16 u16,
        deserialize_u32 visit_u32 u32, deserialize_u64 visit_u64 u64,
        deserialize_f32 visit_f32 f32, deserialize_f64 visit_f64 f64,
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match &self.value {
            Value::Scalar { text, .. } => {
                visitor.visit_str(text).map_err(|error: DecodeError| error.or_at(&self.at))
            }
            _ => Err(self.mistyped(&visitor)),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match &self.value {
            Value::List(items) => visitor
                .visit_seq(Items(items.iter()))
                .map_err(|error: DecodeError| error.or_at(&self.at)),
            _ => Err(self.mistyped(&"a list")),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match &self.value {
            Value::Map(entries) => visitor
                .visit_map(Entries { left: entries.iter(), at: None })
                .map_err(|error: DecodeError| error.or_at(&self.at)),
            // A key without a value stands for one whose mapping is empty.
            Value::Null => visitor.visit_map(Entries { left: [].iter(), at: None }),
            _ => Err(self.mistyped(&"a mapping")),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.deserialize_map(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        match name {
            LOCATED => visitor.visit_seq(WithPlace { node: self, part: 0 }),
            _ => self.deserialize_seq(visitor),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        visitor.visit_newtype_struct(self).map_err(|error: DecodeError| error.or_at(&self.at))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        match &self.value {
            Value::Scalar { .. } => {
                visitor.visit_enum(self).map_err(|error: DecodeError| error.or_at(&self.at))
            }
            _ => Err(self.mistyped(&visitor)),
        }
    }

    forward_to_deserialize_any! {
        i128 u128 char bytes byte_buf unit unit_struct tuple identifier ignored_any
    }
}

/// A value out of a fixed set of names.
impl<'de> EnumAccess<'de> for &Node {
    type Error = DecodeError;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Self), DecodeError> {
        let name = self.plain().map(str::to_owned).or_else(|| match &self.value {
            Value::Scalar { text, .. } => Some(text.clone()),
            _ => None,
        });
        let name: StringDeserializer<DecodeError> =
            de::IntoDeserializer::into_deserializer(name.unwrap_or_default());
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de> VariantAccess<'de> for &Node {
    type Error = DecodeError;

    fn unit_variant(self) -> Result<(), DecodeError> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _: T) -> Result<T::Value, DecodeError> {
        Err(self.mistyped(&"a name without a value"))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, DecodeError> {
        Err(self.mistyped(&"a name without a value"))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, DecodeError> {
        Err(self.mistyped(&"a name without a value"))
    }
}

/// The parts of a [`Located`], in order: file, line, column, value.
struct WithPlace<'a> {
    node: &'a Node,
    part: u8,
}

impl<'de> SeqAccess<'de> for WithPlace<'_> {
    type Error = DecodeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, DecodeError> {
        let at = &self.node.at;
        self.part += 1;
        match self.part {
            1 => seed.deserialize(StringDeserializer::new(at.file.to_string())),
            2 => seed.deserialize(de::value::U64Deserializer::new(at.line)),
            3 => seed.deserialize(de::value::U64Deserializer::new(at.column)),
            _ => seed.deserialize(self.node),
        }
        .map(Some)
    }
}

struct Items<'a>(std::slice::Iter<'a, Node>);

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = DecodeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, DecodeError> {
        let next = self.0.next();
        next.map(|node| seed.deserialize(node).map_err(|error| error.or_at(&node.at))).transpose()
    }
}

struct Entries<'a> {
    left: std::slice::Iter<'a, (Key, Node)>,
    at: Option<&'a Node>,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = DecodeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, DecodeError> {
        let Some((key, node)) = self.left.next() else {
            return Ok(None);
        };
        self.at = Some(node);
        let name = StringDeserializer::new(key.name.clone());
        seed.deserialize(name).map(Some).map_err(|error: DecodeError| error.or_at(&key.at))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, DecodeError> {
        let node = self.at.take().ok_or_else(|| DecodeError::custom("a value before its key"))?;
        seed.deserialize(node).map_err(|error| error.or_at(&node.at))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Shape {
        name: String,
        #[serde(default)]
        size: u32,
        #[serde(default)]
        flag: Option<bool>,
        #[serde(default)]
        kind: Option<Kind>,
        #[serde(default)]
        paths: Vec<Located<String>>,
        #[serde(default)]
        outputs: BTreeMap<String, Inner>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "kebab-case")]
    enum Kind {
        First,
        SecondOne,
    }

    #[derive(Debug, Deserialize, PartialEq, Default)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[serde(default)]
        level: Option<u8>,
    }

    fn decode(text: &str) -> Result<Shape, String> {
        Node::parse("p.yml", text).unwrap().decode().map_err(|error: DecodeError| error.to_string())
    }

    #[test]
    fn takes_what_fits() {
        let shape = decode(
            "name: 2.10\nsize: 7\nflag: true\nkind: second-one\npaths:\n - a\noutputs: {raw: , q: {level: 3}}\n",
        )
        .unwrap();
        assert_eq!((shape.name.as_str(), shape.size, shape.flag), ("2.10", 7, Some(true)));
        assert_eq!(shape.kind, Some(Kind::SecondOne));
        assert_eq!(shape.paths[0].at.to_string(), "p.yml:6:4");
        assert_eq!(shape.outputs["raw"], Inner::default());
        assert_eq!(shape.outputs["q"].level, Some(3));
    }

    #[test]
    fn says_where_and_what() {
        let cases = [
            ("name: x\nsiez: 1\n", "p.yml:2:1: unknown key `siez`; did you mean `size`?"),
            (
                "name: x\nzzz: 1\n",
                "p.yml:2:1: unknown key `zzz`; known are name, size, flag, kind, paths, outputs",
            ),
            ("size: 1\n", "p.yml:1:1: the key `name` is missing"),
            ("name: x\nsize: big\n", "p.yml:2:7: `big`, expected u32"),
            ("name: x\nsize: '7'\n", "p.yml:2:7: `7`, expected u32"),
            ("name: x\nsize: 010\n", "p.yml:2:7: `010`, expected u32"),
            ("name: x\nsize: -1\n", "p.yml:2:7: `-1`, expected u32"),
            ("name: x\nflag: yes\n", "p.yml:2:7: `yes`, expected true or false"),
            ("name: [x]\n", "p.yml:1:7: a list, expected a string"),
            ("name: x\npaths: a\n", "p.yml:2:8: `a`, expected a list"),
            ("name: x\nkind: frist\n", "p.yml:2:7: unknown value `frist`; did you mean `first`?"),
            (
                "name: x\noutputs: {q: {levle: 1}}\n",
                "p.yml:2:15: unknown key `levle`; did you mean `level`?",
            ),
            ("name: x\noutputs: {q: {level: 300}}\n", "p.yml:2:22: `300`, expected u8"),
            ("- a\n", "p.yml:1:1: a list, expected a mapping"),
        ];
        for (text, expected) in cases {
            assert_eq!(decode(text).unwrap_err(), expected);
        }
    }
}
