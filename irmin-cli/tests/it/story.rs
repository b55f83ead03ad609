//! JSON.md: its blocks are run, and every line is compared.
//!
//! With `IRMIN_BLESS=1` the document is written anew; look at the difference before keeping it.

use std::fmt::Write as _;
use std::fs;

use crate::support::{IRMIN, Place, package, words};

/// The document with the output of its commands as it is now.
fn perform(place: &Place, text: &str) -> String {
    let mut now = String::new();
    let mut in_block = false;
    for line in text.lines() {
        if line.starts_with("```") {
            in_block = line == "```console";
            let _ = writeln!(now, "{line}");
        } else if let Some(command) = line.strip_prefix("$ ").filter(|_| in_block) {
            let _ = writeln!(now, "{line}");
            now.push_str(&run(place, command));
        } else if !in_block {
            let _ = writeln!(now, "{line}");
        }
    }
    now
}

fn run(place: &Place, line: &str) -> String {
    let words = words(line);
    let program = words[0].as_str();
    let mut command = match program {
        "irmin" => place.irmin(),
        program => place.command(program),
    };
    let rest = words[1..].iter().map(|word| if word == "irmin" { IRMIN } else { word });
    let output = command.env("IRMIN_ROOT", "store.git").args(rest).output().unwrap();
    let code = output.status.code().unwrap_or(-1);
    let mut text = String::from_utf8(output.stdout).unwrap();
    text += &String::from_utf8(output.stderr).unwrap();
    if code != 0 {
        let _ = writeln!(text, "[exit {code}]");
    }
    text
}

#[test]
fn json_is_what_is_documented() {
    if !irmin_tests::needs("timeout") {
        return;
    }
    let place = Place::new();
    place.write("raw", b"\xff\0");
    place.write(
        "ops.jsonl",
        "{\"op\":\"set\",\"path\":\"a/c\",\"value\":\"2\"}\n\
         {\"op\":\"test\",\"path\":\"a/b\",\"value\":\"1\"}\n",
    );
    place.write("dir/f", "text");
    let file = package().join("JSON.md");
    let documented = fs::read_to_string(&file).unwrap();
    let now = perform(&place, &documented);
    if std::env::var_os("IRMIN_BLESS").is_some() {
        fs::write(&file, &now).unwrap();
    }
    snapbox::assert_data_eq!(now, snapbox::Data::text(documented).raw());
}

/// Every line of every block is JSON, but for the exit codes.
#[test]
fn every_line_is_json() {
    let documented = fs::read_to_string(package().join("JSON.md")).unwrap();
    let blocks = documented.split("```console\n").skip(1).map(|b| b.split("```").next().unwrap());
    let lines = blocks.flat_map(str::lines);
    let printed: Vec<_> =
        lines.filter(|line| !line.starts_with("$ ") && !line.starts_with("[exit ")).collect();
    assert!(printed.len() > 30, "{}", printed.len());
    for line in printed {
        let value: serde_json::Value = serde_json::from_str(line).expect(line);
        assert_eq!(value.to_string(), line);
    }
}
