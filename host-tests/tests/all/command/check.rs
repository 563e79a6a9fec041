//! `tollgate check`.

use super::{file, outcome, tollgate};
use crate::{files, root, short};

#[test]
fn check_accepts_refuses_and_reads_standard_input() {
    let config = root().join("filters/key-check/config");
    let example = config.join("example.yaml");
    let (status, out, _) = outcome(&["check", "--filter", "key-check", &short(&example)]);
    assert_eq!((status, out.as_str()), (0, "ok\n"));

    let wrong = config.join("invalid/three-mistakes.yaml");
    let (status, out, _) = outcome(&["check", "--filter", "key-check", &short(&wrong)]);
    // The filter's words, each with its place.
    let words = std::fs::read_to_string(wrong.with_extension("txt")).unwrap();
    let file = format!("{}:", short(&wrong));
    let places: Vec<&str> =
        out.lines().filter_map(|l| l.strip_prefix(&file)?.split(' ').next()).collect();
    let without = out.lines().map(|line| match line.strip_prefix(&file) {
        Some(rest) => format!("  {}\n", rest.split_once(' ').unwrap().1),
        None => format!("{line}\n"),
    });
    assert_eq!((status, without.collect::<String>()), (1, words));
    assert_eq!(places, ["6:5:", "3:13:", "4:9:"]);

    for (stdin, status, out) in [
        (std::fs::read_to_string(&example).unwrap(), 0, "ok\n"),
        (
            "{".to_owned(),
            1,
            "key-check: invalid configuration (1 problem)\nstdin.yaml:2:1: not valid YAML: did not \
             find expected node content, while parsing a flow node\n",
        ),
    ] {
        let output = tollgate(&["check", "--filter", "key-check", "-"], &stdin);
        assert_eq!(output.status.code(), Some(status));
        assert_eq!(String::from_utf8(output.stdout).unwrap(), out);
    }
}

/// What the cluster gets is what is checked: no configuration has to be cut out of it.
#[test]
fn check_reads_manifests() {
    let manifest = root().join("kuadrant/wasmplugin-only/wasmplugin.yaml");
    let (status, out, _) = outcome(&["check", &short(&manifest)]);
    let file_name = short(&manifest);
    let expected = format!("ok    {file_name}: key-check\nok    {file_name}: token-count\n");
    assert_eq!((status, out), (0, expected));
    let (status, out, _) = outcome(&["check", "--filter", "token-count", &short(&manifest)]);
    assert_eq!((status, out), (0, format!("ok    {file_name}: token-count\n")));

    let wrong = std::fs::read_to_string(&manifest).unwrap().replace("askForUsage", "askForUsages");
    let wrong = file("check/wrong.yaml", &wrong);
    let line = 1 + std::fs::read_to_string(&wrong)
        .unwrap()
        .lines()
        .position(|line| line.contains("askForUsages"))
        .unwrap();
    let (status, out, _) = outcome(&["check", &wrong]);
    assert_eq!(status, 1);
    let start = format!(
        "ok    {wrong}: key-check\ntoken-count: invalid configuration (1 problem)\n\
         {wrong}:{line}:5: askForUsages: unknown field `askForUsages`"
    );
    assert!(out.starts_with(&start), "{out}");

    // Several at once; one that is not ours is said to be left out.
    let theirs = "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {name: theirs}\n\
                  spec: {url: 'oci://registry.test/theirs:1', pluginConfig: {a: 1}}\n";
    let theirs = file("check/theirs.yaml", theirs);
    let (status, out, _) = outcome(&["check", &theirs, &short(&manifest)]);
    assert_eq!(status, 0);
    assert!(out.starts_with(&format!("skip  {theirs}: theirs: no filter of Tollgate")), "{out}");
    let alone = short(&root().join("filters/key-check/config/example.yaml"));
    for file in [&theirs, &alone] {
        let (status, out, err) = outcome(&["check", file]);
        assert_eq!(status, 2, "{out}");
        assert!(out.starts_with(&format!("skip  {file}: ")), "{out}");
        assert!(err.starts_with("error: found no plugin of Tollgate in a manifest; "), "{err}");
    }
}

/// As an operator would: all files of the folder, most of which are about something else.
#[test]
fn check_reads_all_manifests_of_a_gateway() {
    let folder = root().join("kuadrant/quickstart");
    let files: Vec<String> = files(&folder, &[".yaml"]).iter().map(|file| short(file)).collect();
    let arguments: Vec<&str> =
        std::iter::once("check").chain(files.iter().map(String::as_str)).collect();
    let (status, out, err) = outcome(&arguments);
    assert_eq!(status, 0, "{out}{err}");
    assert_eq!(out.lines().filter(|line| line.starts_with("ok    ")).count(), 4, "{out}");
    assert!(out.contains("skip  kuadrant/quickstart/gateway.yaml: "), "{out}");
}
