//! The environment document of an OVF package, on a medium or as Azure writes it.
//!
//! Sources: DMTF DSP0243 (chapter 11: the OVF environment, ovf-env.xml on an ISO medium),
//! cloud-init's DataSourceOVF (label, properties `user-data` in base64 and `instance-id`),
//! Azure's ovf-env.xml (`CustomData` in base64).

use std::fs::File;

use bootwright_seed::medium::read;
use bootwright_seed::userdata::MAX_SIZE;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::{Looked, Offer, encoded};
use crate::boot::chain;
use crate::config::SourceKind;

/// The document's name on a medium.
const FILE: &str = "ovf-env.xml";

/// Whether a volume of this label carries the document: VMware's and VirtualBox's, Azure's.
pub fn is_label(label: &str) -> bool {
    let label = label.to_ascii_lowercase();
    label == "ovf env" || label == "ovf_env" || label == "ovfenv" || label.starts_with("rd_rdfe_")
}

/// Reads the medium in a device.
pub fn read(node: &str, device: File) -> Looked {
    let xml = match read::file(device, FILE, MAX_SIZE) {
        Ok(Some(xml)) => xml,
        Ok(None) => return Looked::Broken(format!("{FILE} is missing on {node}; make it anew")),
        Err(error) => return Looked::Broken(format!("{FILE} on {node}: {}", chain(&error))),
    };
    match parse(&xml) {
        Err(reason) => Looked::Broken(format!("{FILE} on {node} cannot be used: {reason}")),
        Ok(Environment { user_data: None, .. }) => {
            Looked::Nothing(format!("{FILE} on {node} has neither user-data nor CustomData"))
        }
        Ok(Environment { user_data: Some(user_data), instance_id }) => {
            let mut offer = Offer::plain(SourceKind::Ovf, node, user_data);
            offer.file = FILE.to_owned();
            offer.filesystem = Some("iso9660".to_owned());
            offer.instance_id = instance_id;
            Looked::offers(offer)
        }
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Environment {
    user_data: Option<Vec<u8>>,
    instance_id: Option<String>,
}

/// What a document holds.
fn parse(xml: &[u8]) -> Result<Environment, String> {
    let text = std::str::from_utf8(xml).map_err(|_| "it is not UTF-8".to_owned())?;
    let mut reader = Reader::from_str(text);
    let mut environment = Environment::default();
    loop {
        let at = reader.buffer_position();
        let bad = |error: quick_xml::Error| format!("no XML at byte {at}: {error}");
        match reader.read_event().map_err(bad)? {
            Event::Start(element) if is(&element, "CustomData") => {
                let text = reader.read_text(element.name()).map_err(bad)?;
                environment.user_data = Some(encoded::base64(text.as_bytes())?);
            }
            Event::Start(element) | Event::Empty(element) if is(&element, "Property") => {
                property(&element, &mut environment)?;
            }
            Event::Eof => return Ok(environment),
            _ => {}
        }
    }
}

fn property(element: &BytesStart<'_>, environment: &mut Environment) -> Result<(), String> {
    let (mut key, mut value) = (String::new(), String::new());
    for attribute in element.attributes() {
        let attribute = attribute.map_err(|error| format!("a property is no XML: {error}"))?;
        let text = attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0);
        let text = text.map_err(|error| format!("a property is no XML: {error}"))?;
        match attribute.key.local_name().as_ref() {
            "key" => key = text.into_owned(),
            "value" => value = text.into_owned(),
            _ => {}
        }
    }
    match key.as_str() {
        "user-data" if !value.is_empty() => {
            environment.user_data = Some(encoded::base64(value.as_bytes())?);
        }
        "instance-id" if !value.is_empty() => environment.instance_id = Some(value),
        _ => {}
    }
    Ok(())
}

fn is(element: &BytesStart<'_>, name: &str) -> bool {
    element.local_name().as_ref() == name
}

#[cfg(test)]
mod tests {
    use proptest::prelude::proptest;

    use super::*;

    #[test]
    fn properties_and_custom_data() {
        let vmware = r#"<?xml version="1.0"?>
<Environment xmlns="http://schemas.dmtf.org/ovf/environment/1" xmlns:oe="http://schemas.dmtf.org/ovf/environment/1">
  <PropertySection>
    <Property oe:key="hostname" oe:value="a&amp;b"/>
    <Property oe:key="user-data" oe:value="YTogMQo="/>
    <Property oe:key="instance-id" oe:value="i-1"></Property>
  </PropertySection>
</Environment>"#;
        let parsed = parse(vmware.as_bytes()).unwrap();
        assert_eq!(parsed.user_data.as_deref(), Some(&b"a: 1\n"[..]));
        assert_eq!(parsed.instance_id.as_deref(), Some("i-1"));
        let azure = "<ns0:Environment xmlns:ns0=\"x\" xmlns:ns1=\"y\"><ns1:LinuxProvisioningConfigurationSet>\
            <ns1:CustomData>\nYTogMQo=\n</ns1:CustomData></ns1:LinuxProvisioningConfigurationSet></ns0:Environment>";
        assert_eq!(parse(azure.as_bytes()).unwrap().user_data.as_deref(), Some(&b"a: 1\n"[..]));
        assert_eq!(parse(b"<a/>").unwrap(), Environment::default());
        assert!(parse(b"<a><b></a>").unwrap_err().starts_with("no XML at byte "));
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "[<>/\"a-zA-Z:= &;!\\[\\]-]{0,200}") {
            let _ = parse(text.as_bytes());
            let _ = parse(format!("<Property oe:key=\"user-data\" oe:value=\"{text}").as_bytes());
        }
    }
}
