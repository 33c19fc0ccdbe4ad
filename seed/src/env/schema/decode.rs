//! From YAML to a schema's types.

use std::fmt;
use std::slice;

use serde::Deserialize;
use serde::de::{self, Deserializer, Error, IntoDeserializer, MapAccess, Visitor};

use super::{Format, Key, KeyPath, Kind, Pattern};

/// The keys of a mapping, in the order in which the schema names them.
#[derive(Debug, Clone, Default)]
pub struct Keys(Vec<(String, Key)>);

impl Keys {
    /// What the schema says of a key.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Key> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, key)| key)
    }

    /// The keys with their names, in order.
    pub fn iter(&self) -> slice::Iter<'_, (String, Key)> {
        self.0.iter()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Ordered;
        impl<'de> Visitor<'de> for Ordered {
            type Value = Keys;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping from keys to what they hold")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
                let mut keys = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    keys.push(entry);
                }
                Ok(Keys(keys))
            }
        }
        deserializer.deserialize_map(Ordered)
    }
}

impl<'de> Deserialize<'de> for KeyPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// A key as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default, rename = "type")]
    kind: Option<Kind>,
    #[serde(default)]
    required: bool,
    #[serde(default)]
    secret: Option<bool>,
    #[serde(default)]
    generated: Option<String>,
    #[serde(default)]
    deprecated: Option<String>,
    #[serde(default)]
    pattern: Option<Pattern>,
    #[serde(default)]
    format: Option<Format>,
    #[serde(default)]
    values: Vec<String>,
    #[serde(default)]
    min: Option<i64>,
    #[serde(default)]
    max: Option<i64>,
    #[serde(default)]
    help: Option<String>,
    #[serde(default)]
    example: Option<String>,
    #[serde(default)]
    default: Option<String>,
    #[serde(default)]
    keys: Option<Keys>,
    #[serde(default)]
    others: Option<Box<Key>>,
    #[serde(default)]
    items: Option<Box<Key>>,
}

impl Written {
    fn kind(&self) -> Result<Kind, String> {
        let of_map = self.keys.is_some() || self.others.is_some();
        let implied = match (of_map, self.items.is_some()) {
            (true, true) => return Err("`items` is for a list, `keys` for a mapping".to_owned()),
            (true, false) => Kind::Map,
            (false, true) => Kind::List,
            (false, false) => return Ok(self.kind.unwrap_or_default()),
        };
        match self.kind {
            Some(kind) if kind != implied => {
                let key = if implied == Kind::List {
                    "`items` is for a list"
                } else {
                    "`keys` is for a mapping"
                };
                Err(format!("{key}, but the type is {}", kind.name()))
            }
            _ => Ok(implied),
        }
    }
}

impl TryFrom<Written> for Key {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let kind = written.kind()?;
        let Written { required, secret, generated, deprecated, pattern, format, .. } = written;
        let Written { values, min, max, help, example, default, .. } = written;
        let Written { keys, others, items, .. } = written;
        let keys = keys.unwrap_or_default();
        Ok(Self {
            kind,
            required,
            secret,
            generated,
            deprecated,
            pattern,
            format,
            values,
            min,
            max,
            help,
            example,
            default,
            keys,
            others,
            items,
        })
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a type, or a mapping")
            }

            fn visit_unit<E: de::Error>(self) -> Result<Key, E> {
                Ok(Key::default())
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Key, E> {
                let name: de::value::StrDeserializer<'_, E> = text.into_deserializer();
                Ok(Key { kind: Kind::deserialize(name)?, ..Key::default() })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Key, A::Error> {
                let written = Written::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Key::try_from(written).map_err(A::Error::custom)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl Kind {
    /// Its name in a schema.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Number => "number",
            Self::List => "list",
            Self::Map => "map",
            Self::Any => "any",
        }
    }
}
