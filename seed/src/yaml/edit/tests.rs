//! Edits change what they mean to and nothing else.

use super::*;

fn editor(text: &str) -> Editor {
    Editor::new("t.yml", text, &Node::parse("t.yml", text).unwrap())
}

fn value(text: &str) -> Node {
    Node::parse("v.yml", text).unwrap()
}

fn set(text: &str, path: &str, new: &str) -> String {
    let mut editor = editor(text);
    editor.set(&path.parse().unwrap(), &value(new)).unwrap();
    editor.text().to_owned()
}

#[test]
fn single_values_keep_their_comment() {
    assert_eq!(set("a: 1 # one\nb: 2\n", "a", "\"x y\""), "a: \"x y\" # one\nb: 2\n");
    assert_eq!(set("a:\n  b: 'it''s' # c\n  # d\n", "a.b", "q"), "a:\n  b: q # c\n  # d\n");
    assert_eq!(
        set("a: {b: 1, c: [x, \"y}\"]} # d\n", "a.b", "2"),
        "a: {b: 2, c: [x, \"y}\"]} # d\n"
    );
    assert_eq!(set("a: [x, y] # d\n", "a[1]", "z"), "a: [x, z] # d\n");
    assert_eq!(set("l:\n- a # c\n- b\n", "l[0]", "x"), "l:\n- x # c\n- b\n");
    assert_eq!(set("\"a b\": 1 # c\n", "\"a b\"", "2"), "\"a b\": 2 # c\n");
}

#[test]
fn blocks_are_replaced_as_a_whole() {
    let text = "a:\n  k: |\n    one\n\n    # no comment\n    two\n\n  # comment\n  b: 1\n";
    let new = "\"x\\ny\\n\"";
    assert_eq!(set(text, "a.k", new), "a:\n  k: |\n    x\n    y\n\n  # comment\n  b: 1\n");
    assert_eq!(set("k: !vault |\n  $A\n  1\nb: 1\n", "k", "x"), "k: x\nb: 1\n");
    assert_eq!(set("k: plain\n  goes on\n# c\nb: 1\n", "k", "x"), "k: x\n# c\nb: 1\n");
    assert_eq!(set("k: x\n# c\n", "k", "[a, {b: c}]"), "k:\n  - a\n  - b: c\n# c\n");
    assert_eq!(set("k: x", "k", "y"), "k: y");
    assert_eq!(set("k: \"a\n  b\" # c\nl: 1\n", "k", "y"), "k: y\nl: 1\n");
}

#[test]
fn keys_are_added_behind_their_siblings() {
    assert_eq!(
        set("a:\n    # first\n    b: 1 # c\n\n# next\nd: 2\n", "a.x.w", "z"),
        "a:\n    # first\n    b: 1 # c\n    x:\n      w: z\n\n# next\nd: 2\n"
    );
    assert_eq!(
        set("a:\n  # commented: 1\nb: 2\n", "a.x", "z"),
        "a:\n  x: z\n  # commented: 1\nb: 2\n"
    );
    assert_eq!(set("a: {b: 1} # c\n", "a.x", "0600"), "a: {b: 1, x: 0600} # c\n");
    assert_eq!(set("a: {}\n", "a.x", "[1, {w: 2}]"), "a: {x: [1, {w: 2}]}\n");
    // YAML 1.1 takes a bare y for a truth.
    assert_eq!(set("a: {}\n", "a.x", "{y: 2}"), "a: {x: {\"y\": 2}}\n");
    assert_eq!(set("a: 1", "b", "2"), "a: 1\nb: 2\n");
    assert_eq!(set("a: 1\r\n", "b", "2"), "a: 1\r\nb: 2\r\n");
    assert_eq!(
        set("l:\n  - a: 1\n    b: |\n      x\n  - c: 2\n", "l[0].z", "3"),
        "l:\n  - a: 1\n    b: |\n      x\n    z: 3\n  - c: 2\n"
    );
    assert_eq!(set("# only\n", "a", "1"), "# only\na: 1\n");
}

#[test]
fn blocks_of_another_text_come_with_their_comments() {
    let template = "#cloud-config\nt:\n    # what it is\n    # default: 1\n    key: |\n        line\n          deeper\n    z: 1\n";
    let tree = value(template);
    let block = Block::of_text(template, &tree, &"t.key".parse().unwrap()).unwrap();
    let mut editor = editor("t:\n  a: 1\nu: 2\n");
    editor.insert(&"t.key".parse().unwrap(), &block).unwrap();
    assert_eq!(
        editor.text(),
        "t:\n  a: 1\n  # what it is\n  # default: 1\n  key: |\n      line\n        deeper\nu: 2\n"
    );
}

#[test]
fn what_is_not_understood_is_refused_and_left_alone() {
    let text = "a: &x {k: 1}\nb: *x\nc: text\n";
    let mut editor = editor(text);
    let error = editor.set(&"a.k".parse().unwrap(), &value("2")).unwrap_err().to_string();
    assert!(error.starts_with("t.yml:1: `a.k` cannot be changed here automatically: "), "{error}");
    let error = editor.set(&"c.d".parse().unwrap(), &value("2")).unwrap_err().to_string();
    assert!(error.contains("what it belongs to is no mapping"), "{error}");
    assert!(editor.set(&"a[3]".parse().unwrap(), &value("2")).is_err());
    assert_eq!(editor.text(), text);
}
