//! Completions in a real shell, and manual pages in a real formatter.

use std::fs;

use crate::support::Place;

/// What bash offers at the end of a command line.
fn offered(place: &Place, line: &str) -> Vec<String> {
    let script = format!(
        "source ./irmin.bash\n\
         COMP_WORDS=({line})\n\
         COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))\n\
         function=$(complete -p irmin | sed 's/.*-F \\([^ ]*\\).*/\\1/')\n\
         $function irmin \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD - 1]}}\"\n\
         printf '%s\\n' \"${{COMPREPLY[@]}}\"\n"
    );
    let mut bash = place.command("bash");
    let output = bash.args(["--norc", "-c", &script]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes() {
    if !irmin_tests::needs("bash") || !irmin_tests::needs("sed") {
        return;
    }
    let place = Place::new();
    let script = place.run(["completions", "bash"]).ok();
    place.write("irmin.bash", &script);
    assert_eq!(place.other("bash", &["-n", "irmin.bash"]).ok(), "");
    assert_eq!(offered(&place, "irmin bra"), ["branches", "branch"]);
    assert_eq!(offered(&place, "irmin branch ren"), ["rename"]);
    assert_eq!(offered(&place, "irmin set --if-a"), ["--if-absent"]);
    assert_eq!(offered(&place, "irmin completions z"), ["zsh"]);
}

#[test]
fn every_shell_has_a_script() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        // Help must be there when the settings are not.
        place.write("irmin.yml", "nonsense");
        let script = place.run(["completions", shell]).ok();
        assert!(script.contains("irmin") && script.contains("snapshot"), "{shell}");
    }
    place.run(["completions", "tcsh"]).fails(2);
}

/// The commands with the options that their help shows, as its short form lists them.
fn commands(place: &Place) -> Vec<(Vec<String>, Vec<String>)> {
    let (mut found, mut todo) = (Vec::new(), vec![Vec::<String>::new()]);
    while let Some(words) = todo.pop() {
        let help = words.iter().map(String::as_str).chain(["--help"]);
        let text = place.run(help).ok();
        let mut options = Vec::new();
        let mut below = false;
        for line in text.lines() {
            below = line == "Commands:" || below && line.starts_with("  ");
            let word = line.trim_start().split(' ').next().unwrap_or_default();
            // What a command is called stands two blanks in; its text may go on further right.
            if below && line.starts_with("  ") && !line.starts_with("   ") {
                todo.push([&words[..], &[word.to_owned()]].concat());
            }
            let named = line.trim_start().split([' ', ',', '=', '.']);
            if line.trim_start().starts_with('-') && line.len() - line.trim_start().len() <= 6 {
                options.extend(named.filter(|w| w.starts_with("--")).map(str::to_owned).take(1));
            }
        }
        assert!(options.contains(&"--help".to_owned()), "{words:?}: {options:?}");
        found.push((words, options));
    }
    found
}

/// What the help tells of, the pages and the scripts tell of.
#[test]
fn pages_and_scripts_have_every_command_and_option() {
    let place = Place::new();
    place.run(["man", "man1"]).ok();
    let shells = ["bash", "zsh", "fish", "powershell", "elvish"];
    let scripts: Vec<String> =
        shells.iter().map(|shell| place.run(["completions", shell]).ok()).collect();
    let commands = commands(&place);
    let options: usize = commands.iter().map(|(_, options)| options.len()).sum();
    assert!(commands.len() > 40 && options > 600, "{} {options}", commands.len());
    for (words, options) in &commands {
        let name = [&["irmin".to_owned()], &words[..]].concat().join("-");
        let page = fs::read_to_string(place.path(&format!("man1/{name}.1"))).unwrap();
        for option in options {
            assert!(page.contains(&option.replace('-', "\\-")), "{name}: {option}");
            // In the script of fish options have no dashes.
            let bare = option.trim_start_matches('-');
            for (shell, script) in shells.iter().zip(&scripts) {
                let told = if *shell == "fish" { format!("-l {bare}") } else { option.clone() };
                assert!(script.contains(&told), "{shell}: {name} {option}");
            }
        }
        // The family of a command has a page, and so has each that it names.
        let also = page.split(".SH \"SEE ALSO\"\n").nth(1).unwrap().replace("\\-", "-");
        for other in also.split([' ', ',', '\n']).filter_map(|word| word.strip_suffix("(1)")) {
            let there = place.path(&format!("man1/{other}.1")).exists();
            assert!(there || other == "git", "{name}: {other}");
        }
        let family = [&["irmin".to_owned()], &words[..words.len().saturating_sub(1)]].concat();
        let family = format!("{}(1)", family.join("-"));
        assert_eq!(also.contains(&family), !words.is_empty(), "{name}: {also}");
        for (shell, script) in shells.iter().zip(&scripts) {
            let last = words.last().map_or("irmin", String::as_str);
            assert!(script.contains(last), "{shell}: {name}");
        }
    }
    // Bash knows the options of a command by the command, not in a heap.
    let script = &scripts[0];
    for (words, options) in &commands {
        let case = [&["irmin".to_owned()], &words[..]].concat().join("-");
        let case = case.replace('-', "__subcmd__");
        let at = script.split(&format!("\n        {case})\n")).nth(1);
        let at = at.unwrap_or_else(|| panic!("bash does not know {words:?} as {case}"));
        let offered = at.split('"').nth(1).unwrap_or_default();
        for option in options {
            assert!(offered.split(' ').any(|word| word == option), "{words:?} {option}: {offered}");
        }
    }
}

#[test]
fn manual_pages() {
    let place = Place::new();
    place.run(["man", "man/man1"]).ok();
    let names: Vec<_> = fs::read_dir(place.path("man/man1")).unwrap().collect();
    let commands = place.run(["help", "topics"]).ok().lines().count() - 3;
    assert!(names.len() > commands, "{} pages of {commands} commands", names.len());
    assert_eq!(
        place.run(["man"]).ok(),
        fs::read_to_string(place.path("man/man1/irmin.1")).unwrap()
    );
    let page = fs::read_to_string(place.path("man/man1/irmin-set.1")).unwrap();
    assert!(page.contains(".SH EXAMPLES\n"), "{page}");
    // Made again they are the same.
    place.run(["man", "again"]).ok();
    assert_eq!(fs::read_to_string(place.path("again/irmin-set.1")).unwrap(), page);
    place.write("file", "in the way");
    place.run(["man", "file"]).fails(1);

    if !irmin_tests::needs("groff") {
        return;
    }
    for name in names {
        let path = name.unwrap().path();
        let run = place.other("groff", &["-man", "-ww", "-z", "-Tutf8", path.to_str().unwrap()]);
        assert_eq!((run.code, run.err.as_str()), (0, ""), "{}", path.display());
    }
    let path = place.path("man/man1/irmin-set.1");
    let text = place.other("groff", &["-man", "-Tascii", "-P-cbou", path.to_str().unwrap()]).ok();
    let example = "irmin set --root notes.git photo.jpg @photo.jpg";
    assert!(text.contains(example), "{text}");
}
