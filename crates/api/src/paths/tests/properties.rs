//! Paths made of what hides models.

use proptest::prelude::*;

use super::*;

/// Pieces that paths of operations, and of what hides them, are made of.
const PIECES: [&str; 38] = [
    "/",
    "/",
    "/",
    "//",
    "/./",
    "/../",
    "%2F",
    "%2e",
    "%",
    "%25",
    "%5C",
    "\\",
    ";a",
    "?",
    "#",
    ":",
    "%3A",
    "v1",
    "v1beta",
    "models",
    "tunedModels",
    "model",
    "openai",
    "deployments",
    "chat",
    "completions",
    "converse",
    "invoke",
    "generateContent",
    "countTokens",
    "a",
    "B",
    "%C3%A9",
    "\u{e9}",
    " ",
    "x",
    "bedrock",
    "messages",
];

fn paths() -> impl Strategy<Value = Vec<u8>> {
    let pieces = proptest::collection::vec(proptest::sample::select(&PIECES[..]), 0..12);
    let pieces = pieces.prop_map(|pieces| format!("/{}", pieces.concat()).into_bytes());
    let name = proptest::collection::vec(proptest::sample::select(&PIECES[..]), 0..4);
    let shapes = proptest::sample::select(
        &[
            ("/model/", "/converse"),
            ("/v1beta/models/", ":countTokens"),
            ("/openai/deployments/", "/chat/completions"),
            ("/openai/deployments/", "/completions"),
            ("/p/model/", "/invoke"),
        ][..],
    );
    let shaped = (shapes, name).prop_map(|((before, after), name)| {
        format!("{before}{}{after}", name.concat()).into_bytes()
    });
    prop_oneof![shaped, pieces, proptest::collection::vec(any::<u8>(), 0..40)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn a_model_is_what_every_reader_finds(path in paths()) {
        let api = Paths::new(Vec::new(), vec!["/p".to_owned()]).unwrap();
        crate::testkit::check(&api, &path);
    }
}
