//! All three formats, and what is wrong in them.

use serde_json::json;

use super::*;

fn read(format: InventoryFormat, text: &str) -> Vec<Result<Item, InventoryError>> {
    let reader = std::io::Cursor::new(text.as_bytes().to_vec());
    match Inventory::new("sites", format, reader) {
        Ok(inventory) => inventory.collect(),
        Err(error) => vec![Err(error)],
    }
}

/// Lines with their site, or with the line of the problem and its words.
fn told(format: InventoryFormat, text: &str) -> Vec<String> {
    read(format, text)
        .into_iter()
        .map(|item| match item {
            Ok(Item { line, row: Ok(row) }) => format!("{line} {}", json!(row)),
            Ok(Item { line, row: Err((at, problem)) }) => format!("{line} at {at} {problem}"),
            Err(error) => error.to_string(),
        })
        .collect()
}

#[test]
fn csv_rows_and_bad_ones() {
    let text = "site, city\na,Wien\nb\nc,\"x\ny\"\nd,\"a \"\"b\"\"\"\n";
    assert_eq!(
        told(InventoryFormat::Csv, text),
        [
            r#"2 {"city":"Wien","site":"a"}"#,
            "3 at 3 1 fields, the header has 2",
            r#"4 {"city":"x\ny","site":"c"}"#,
            r#"6 {"city":"a \"b\"","site":"d"}"#,
        ]
    );
    assert!(told(InventoryFormat::Csv, "name\na\n")[0].contains("no field `site`"));
    assert!(told(InventoryFormat::Csv, "site,site\n")[0].contains("twice"));
}

#[test]
fn yaml_items_and_bad_ones() {
    let text = "---\n# sites\n- site: a\n  n: 1\n  net: {mac: x}\n\n- site: b\n  t: |\n    x\n    y\n- site: c\n  site: d\n-\n  site: e\n- f\n- [g\n- site: h\n  v: 0600\n";
    assert_eq!(
        told(InventoryFormat::Yaml, text),
        [
            r#"3 {"n":1,"net":{"mac":"x"},"site":"a"}"#,
            r#"7 {"site":"b","t":"x\ny\n"}"#,
            "11 at 12 the key `site` stands twice in one mapping",
            r#"13 {"site":"e"}"#,
            "15 at 15 a single value, expected a mapping",
            told(InventoryFormat::Yaml, text)[5].as_str(),
            r#"17 {"site":"h","v":"0600"}"#,
        ]
    );
    assert!(told(InventoryFormat::Yaml, text)[5].starts_with("16 at "));
    assert_eq!(
        told(InventoryFormat::Yaml, "sites:\n- site: a\n"),
        ["sites:1: expected a list of sites, each with its dash in the first column"]
    );
}

#[test]
fn json_arrays_and_sequences() {
    let array =
        "[\n {\"site\": \"a\", \"x\": \"}\\\"{\"},\n {\"site\": [}, 1]},\n {\"site\": \"b\"}\n]\n";
    let told_of_array = told(InventoryFormat::Json, array);
    assert_eq!(told_of_array[0], r#"2 {"site":"a","x":"}\"{"}"#);
    let lines = "{\"site\":\"a\"}\n{\"site\":\"b\"}\n";
    assert_eq!(told(InventoryFormat::Json, lines), [r#"1 {"site":"a"}"#, r#"2 {"site":"b"}"#]);
    let bad = "[{\"site\": \"a\",}, {\"site\": \"b\"}]";
    assert_eq!(told(InventoryFormat::Json, bad), ["1 at 1 not a JSON object", r#"1 {"site":"b"}"#]);
    assert_eq!(told(InventoryFormat::Json, "[1]"), ["sites:1: expected an array of objects"]);
    assert_eq!(
        told(InventoryFormat::Json, "[\n{\"a\": 1"),
        ["sites:2: the object that starts here does not end"]
    );
}
