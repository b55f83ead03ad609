//! Which attributes of git make files differ from what is stored.

/// The first attribute of a `.gitattributes` file that changes files on their way out, in a way
/// that only git itself does right.
///
/// `text` and `eol=lf` change nothing where lines end as they do in the store.
pub(super) fn first_filter(text: &[u8]) -> Option<String> {
    for line in text.split(|b| *b == b'\n') {
        let line = String::from_utf8_lossy(line);
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        // A pattern may be quoted and have blanks; more words to look at do no harm.
        let found = line.split_whitespace().skip(1).find(|word| changes_files(word));
        if let Some(word) = found {
            return Some(word.to_owned());
        }
    }
    None
}

fn changes_files(word: &str) -> bool {
    let (name, value) = word.split_once('=').unwrap_or((word, ""));
    match name {
        "filter" | "ident" | "working-tree-encoding" => true,
        "eol" => value != "lf",
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_files() {
        for harmless in [
            "",
            "# *.bin filter=lfs",
            "* text=auto",
            "*.txt text eol=lf",
            "*.png -text -diff -filter !ident",
            "filter diff",
        ] {
            assert_eq!(first_filter(harmless.as_bytes()), None, "{harmless}");
        }
        for (text, word) in [
            ("*.txt text\n*.bin filter=lfs diff=lfs\n", "filter=lfs"),
            ("*.bat\teol=crlf", "eol=crlf"),
            ("* ident\r\n", "ident"),
            ("\"a b\" working-tree-encoding=UTF-16", "working-tree-encoding=UTF-16"),
        ] {
            assert_eq!(first_filter(text.as_bytes()).as_deref(), Some(word), "{text}");
        }
    }
}
