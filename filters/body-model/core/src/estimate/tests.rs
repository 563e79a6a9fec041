//! Any chunking, what counts and what does not, limits, and the error against real tokenizers.

use super::*;

use proptest::prelude::*;
use serde_json::{Value, json};
use tollgate_json::{Limits, Scanner};

/// As in the filter: members that are no text, then those of the estimate.
const WANTED: &[Wanted] = &{
    let mut wanted = [Wanted { key: "model", keep: 0 }; MEMBERS.len() + 1];
    let mut n = 0;
    while n < MEMBERS.len() {
        wanted[n + 1] = MEMBERS[n];
        n += 1;
    }
    wanted
};

fn scan<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> u64 {
    let mut scanner = Scanner::with_strings(WANTED, Limits::default(), Estimator::new(1));
    for piece in pieces {
        scanner.push(piece).unwrap();
    }
    scanner.finish().unwrap();
    scanner.strings().tokens(1000)
}

fn tokens(body: &Value) -> u64 {
    scan([body.to_string().as_bytes()])
}

fn prompt(text: &str) -> u64 {
    tokens(&json!({"prompt": text}))
}

/// The same in thousandths of a token.
fn exactly(text: &str) -> u64 {
    let mut estimator = Estimator::new(1);
    estimator.begin(false, None);
    text.chars().for_each(|c| estimator.character(c.into()));
    estimator.end();
    estimator.tokens(1_000_000)
}

fn corpus(name: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../benchmarks/tokens/");
    std::fs::read_to_string(format!("{folder}{name}")).unwrap()
}

/// Texts and bodies of the corpus as requests, with what the tokenizers say of each.
fn measured() -> Vec<(String, String, Value)> {
    let counts: serde_json::Map<String, Value> =
        serde_json::from_str(&corpus("counts.json")).unwrap();
    assert!(counts.len() >= 20);
    let body = |name: &str| {
        let text = corpus(&format!("corpus/{name}"));
        if name.ends_with(".request.json") { text } else { json!({"prompt": text}).to_string() }
    };
    counts.into_iter().map(|(name, counts)| (body(&name), name, counts)).collect()
}

#[test]
fn nothing_is_nothing() {
    assert_eq!(tokens(&json!({})), 0);
    assert_eq!(tokens(&json!({"model": "llama", "prompt": ""})), 0);
    assert_eq!(tokens(&json!({"messages": []})), 0);
    assert_eq!(Estimator::new(1).tokens(u32::MAX), 0);
}

#[test]
fn a_text_is_at_least_one_token() {
    for text in ["a", " ", "\n", "é", "中", "the", "  "] {
        assert!((1..=3).contains(&prompt(text)), "{text:?}: {}", prompt(text));
    }
}

/// Whole corpus: the least and the most that the estimate may be of each tokenizer's count. They hold
/// what benchmarks/record tells, so that a change of weights that is worse somewhere is seen.
#[test]
fn the_error_is_what_was_measured() {
    let english = ["english-story.txt", "english-essay.txt", "markdown.txt", "chat.request.json"];
    let code =
        ["c.txt", "javascript.txt", "json.txt", "python.txt", "rust.txt", "tools.request.json"];
    let european = ["french.txt", "german.txt", "spanish.txt", "russian.txt"];
    let mut seen = 0;
    for (body, name, counts) in measured() {
        let estimate = scan([body.as_bytes()]) as f64;
        let error = |tokenizer: &str| estimate / counts[tokenizer].as_f64().unwrap() - 1.0;
        let within = if english.contains(&&*name) || code.contains(&&*name) {
            0.08
        } else if european.contains(&&*name) {
            0.13
        } else {
            continue;
        };
        seen += 1;
        for tokenizer in ["o200k", "llama-3"] {
            assert!(error(tokenizer).abs() <= within, "{name}: {:+.3}", error(tokenizer));
        }
        if within < 0.1 {
            for tokenizer in ["cl100k", "qwen", "mistral"] {
                assert!(
                    error(tokenizer).abs() <= 0.1,
                    "{name}: {tokenizer} {:+.3}",
                    error(tokenizer)
                );
            }
        }
    }
    assert_eq!(seen, english.len() + code.len() + european.len());
}

/// Where the two tokenizers of the weights are far apart, the estimate is between them.
#[test]
fn other_scripts_are_between_the_tokenizers() {
    for (body, name, counts) in measured() {
        let estimate = scan([body.as_bytes()]) as f64;
        let [a, b] = ["o200k", "llama-3"].map(|t| counts[t].as_f64().unwrap());
        let slack = if name == "image.request.json" { 1.3 } else { 1.16 };
        assert!(estimate <= a.max(b) * slack && estimate * slack >= a.min(b), "{name}: {estimate}");
    }
}

#[test]
fn any_cut_is_the_same() {
    let bodies = measured().into_iter().map(|(body, ..)| body).chain([
        r#"{"prompt":"a\u00e9\ud83d\ude00b \\ \" \n\u0041中文 Ünï"}"#.to_owned(),
        json!({"input": ["data:image/png;base64,iVBORw0KGgo=", "data: none", "data:,x y"]})
            .to_string(),
        json!({"input": [format!("{} and more", "Zm9v".repeat(140)), "Zm9v".repeat(140)]})
            .to_string(),
        json!({"prompt": [[1, 22, 333], [4]], "tools": [{"a": {"b": [null, true, 1.5e3]}}]})
            .to_string(),
    ]);
    for body in bodies {
        let body = body.as_bytes();
        let whole = scan([body]);
        assert_eq!(scan(body.chunks(1)), whole);
        for at in 0..body.len().min(300) {
            let (before, behind) = body.split_at(at);
            assert_eq!(scan([before, behind]), whole, "cut at {at}");
        }
        for size in [2, 3, 7, 63, 64, 65, 511, 512, 513, 4096] {
            assert_eq!(scan(body.chunks(size)), whole, "pieces of {size}");
        }
    }
}

#[test]
fn long_strings_of_base64_alone_count_nothing() {
    let base64 = "QUJD/+9f".repeat(64);
    assert_eq!(base64.len(), BASE64 as usize);
    assert_eq!(prompt(&base64), 0);
    assert_eq!(prompt(&format!("{base64}==")), 0);
    assert_eq!(prompt(&base64.replace('/', "_").replace('+', "-")), 0, "base64url");
    assert_eq!(prompt(&base64.repeat(100)), 0);
    // One less, or anything else in it, and it is text.
    let text = prompt(&base64[1..]);
    assert!((250..450).contains(&text), "{text}");
    for other in [" ", ".", "\n", "é", ":"] {
        assert!(prompt(&format!("{base64}{other}")) >= text, "{other:?} behind");
        assert!(prompt(&format!("{other}{base64}")) >= text, "{other:?} before");
    }
    // What is long counts as such once it is known to be text.
    let long = prompt(&format!("{}!", base64.repeat(100)));
    assert!((30_000..45_000).contains(&long), "{long}");
    // Escaped as PHP does.
    let escaped = format!(r#"{{"prompt":"{}"}}"#, base64.replace('/', "\\/"));
    assert_eq!(scan([escaped.as_bytes()]), 0);
}

#[test]
fn data_urls_count_nothing_of_any_length() {
    for url in [
        "data:image/png;base64,iVBORw0KGgo=",
        "data:audio/wav;name=a b.wav;base64,UklGRg==",
        "data:;base64,",
    ] {
        assert_eq!(prompt(url), 0, "{url}");
    }
    // What only begins so is text.
    let header = format!("data:{};base64,AAAA", "x/".repeat(70));
    for text in [
        "data:image/png;base64,iVBORw0KGgo= and what is this?",
        "data:text/plain,hello",
        "data: everything that is in this sentence, and more",
        "datas:image/png;base64,iVBORw0KGgo=",
        " data:image/png;base64,iVBORw0KGgo=",
        "data:image/png;base64",
        &header,
    ] {
        assert!(prompt(text) >= text.len() as u64 / 7, "{text}: {}", prompt(text));
    }
}

#[test]
fn providers_bodies_count_their_text_only() {
    let image = "iVBORw0K".repeat(200);
    let bodies = [
        json!({"messages": [{"role": "user", "content": [
            {"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{image}")}},
            {"type": "input_audio", "input_audio": {"data": image, "format": "wav"}},
            {"type": "file", "file": {"file_data": format!("data:application/pdf;base64,{image}")}}]}]}),
        json!({"messages": [{"role": "user", "content": [{"type": "image", "source":
            {"type": "base64", "media_type": "image/jpeg", "data": image}}]}]}),
        json!({"contents": [{"role": "user", "parts": [{"inlineData":
            {"mimeType": "image/png", "data": image}}]}]}),
        json!({"messages": [{"role": "user", "content": [{"image": {"format": "png", "source":
            {"bytes": image}}}]}]}),
        json!({"input": [{"role": "user", "content": [{"type": "input_image",
            "image_url": format!("data:image/png;base64,{image}")}]}]}),
    ];
    for body in bodies {
        // Overhead, the role and the words around the picture.
        assert!((7..=25).contains(&tokens(&body)), "{}", tokens(&body));
    }
}

#[test]
fn text_counts_wherever_it_is() {
    let text = "Answer in French, and in no more than two sentences.";
    let alone = prompt(text);
    assert!((10..=14).contains(&alone), "{alone}");
    for member in ["system", "instructions", "query", "texts", "documents", "text", "unheard_of"] {
        assert_eq!(
            tokens(&json!({ member: text })).saturating_sub(alone),
            u64::from(member == "text") * 2
        );
        assert!(tokens(&json!({ member: [{"deep": [text]}] })) >= alone, "{member}");
    }
    assert!(tokens(&json!({"systemInstruction": {"parts": [{"text": text}]}})) >= alone);
    assert_eq!(tokens(&json!({ "model": text })), 0, "wanted for something else");
    assert_eq!(tokens(&json!({ text: 1 })), 0, "a key");
    assert_eq!(tokens(&json!({"messages": {text: 1}})), 1, "a key, and a number");
}

#[test]
fn keys_and_numbers_of_schemas_count() {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    // `{"type": "object", "properties": {"city": {"type": "string"}}}`: 18 by o200k.
    for member in ["tools", "functions", "toolConfig", "response_format", "text"] {
        let tokens = tokens(&json!({ member: schema }));
        assert!((18..=24).contains(&tokens), "{tokens}");
    }
    assert_eq!(tokens(&json!({"tools": {"": [1, -2.5e3]}})), 2);
}

#[test]
fn tokens_given_as_numbers_count_each() {
    assert_eq!(tokens(&json!({"prompt": [1, 2, 30000]})), 3);
    assert_eq!(tokens(&json!({"input": [[1, 2], [3], [4, 5, 6]]})), 6);
    assert_eq!(tokens(&json!({"max_tokens": 100, "logit_bias": {"50256": -100}})), 0);
}

#[test]
fn messages_cost_more_than_their_text() {
    let request = |content: &[&str]| {
        let messages: Vec<Value> =
            content.iter().map(|c| json!({"role": "user", "content": c})).collect();
        tokens(&json!({ "messages": messages }))
    };
    assert_eq!(request(&[]), 0);
    // 3 for the request, 3 and a role for each.
    assert_eq!(request(&["the"]) - request(&[""]), 1);
    assert!((7..=8).contains(&request(&[""])));
    assert_eq!(request(&["the"; 10]) - request(&["the"; 5]), 25);
    assert_eq!(
        tokens(&json!({"contents": [{"parts": []}, {"parts": []}]})),
        tokens(&json!({"messages": [{}, {}]})),
    );
}

#[test]
fn the_factor_is_in_thousandths() {
    let mut estimator = Estimator::new(1);
    for _ in 0..1000 {
        estimator.number(4, 1);
    }
    let estimates = [0, 1, 500, 1000, 1155, 3000, u32::MAX].map(|factor| estimator.tokens(factor));
    assert_eq!(estimates, [0, 1, 500, 1000, 1155, 3000, 4_294_967_295]);
}

#[test]
fn sums_stay_at_their_limit() {
    let full = Estimator { total: u64::MAX - 1, ..Estimator::new(1) };
    assert_eq!(full.tokens(u32::MAX), u64::MAX / (UNIT * 1000));
    let mut estimator = full;
    estimator.open(1, Kind::Object, 2);
    estimator.number(4, 1);
    assert_eq!(estimator.total, u64::MAX);
    estimator.begin(false, None);
    estimator.text = u64::MAX;
    estimator.ascii(b"words beyond");
    "é中😀".chars().for_each(|c| estimator.character(c.into()));
    estimator.end();
    assert_eq!(estimator.total, u64::MAX);
    estimator.begin(false, None);
    estimator.base64 = Base64::Only { len: u64::MAX - 1, first: 0 };
    estimator.ascii(b"QUJD.");
    assert_eq!(estimator.text, u64::MAX);
}

#[test]
fn a_string_without_end_counts_nothing_yet() {
    let mut estimator = Estimator::new(1);
    estimator.begin(false, None);
    estimator.ascii(b"the end never comes");
    assert_eq!(estimator.tokens(1000), 0);
    // Nor does what is told beside strings or of members that are none.
    estimator.end();
    let told = estimator.tokens(1000);
    estimator.ascii(b"nowhere");
    estimator.end();
    estimator.open(99, Kind::Object, 2);
    estimator.number(99, 1);
    assert_eq!(estimator.tokens(1000), told);
}

#[test]
fn scripts_are_told_apart() {
    // Of code points at both ends of a range, and beyond the last.
    for (character, name) in [
        ('\u{80}', 1),
        ('\u{bf}', 1),
        ('α', 2),
        ('я', 3),
        ('א', 4),
        ('ش', 5),
        ('अ', 6),
        ('ไ', 7),
        ('한', 8),
        ('ᄀ', 8),
        ('あ', 9),
        ('ー', 9),
        ('中', 10),
        ('𠀀', 10),
        ('、', 11),
        ('！', 11),
        ('😀', 12),
        ('☀', 12),
        ('Ա', 13),
        ('\u{10ffff}', 13),
        ('\u{ffff}', 13),
    ] {
        let (range, script) = range(character.into());
        assert!(range.contains(&character.into()), "{character}: {range:?}");
        assert_eq!(script, name, "{character}");
    }
    assert_eq!(range('é'.into()).1, LATIN_1);
    assert_eq!(range('ł'.into()).1, LATIN_EXTENDED);
    assert_eq!(range('ạ'.into()).1, LATIN_EXTENDED);
    assert!(RANGES.is_sorted_by(|a, b| a.0 < b.0));
    for (_, script) in RANGES {
        assert!(usize::from(script) < SCRIPTS.len() || [LATIN_1, LATIN_EXTENDED].contains(&script));
    }
    assert!(OF_ASCII.iter().all(|class| usize::from(*class) < CLASSES));
}

proptest! {
    /// Nothing that is added to a text makes it smaller, and no character costs more than its bytes by
    /// much.
    #[test]
    fn more_text_is_more_tokens(text in "\\PC{0,40}", more in "[ -~\\n]{1,40}|\\PC{1,20}") {
        let both = format!("{text}{more}");
        // The edge of a text has a cost of its own; base64 is too short here to be one.
        prop_assert!(exactly(&both) + 2000 >= exactly(&text));
        prop_assert!(exactly(&both) <= 5000 * (both.len() as u64 + 1));
    }

    #[test]
    fn any_two_cuts_are_the_same(text in "[a-zA-Z0-9+/=]{0,20}([ -~]|\\PC){0,60}", a in 0.0..1.0, b in 0.0..1.0) {
        let body = json!({"messages": [{"content": text}]}).to_string();
        let at = |part: f64| (part * body.len() as f64) as usize;
        let (from, to) = (at(a).min(at(b)), at(a).max(at(b)));
        let body = body.as_bytes();
        prop_assert_eq!(scan([&body[..from], &body[from..to], &body[to..]]), scan([body]));
    }
}
