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
