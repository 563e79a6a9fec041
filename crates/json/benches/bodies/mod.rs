//! Requests to measure with, the same at every run: words and lengths are drawn from a fixed sequence,
//! so that no processor learns them by heart.

/// Where the model is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Model {
    First,
    Last,
}

/// A kind of body, and how it is made in about a size.
pub(crate) type Body = (&'static str, fn(usize) -> String);

/// The kinds. All ask for a stream of `gpt-4o`.
pub(crate) const BODIES: [Body; 6] = [
    ("chat, model first", |size| chat(size, Model::First)),
    ("chat, model last", |size| chat(size, Model::Last)),
    ("model after an image", image),
    ("tools", tools),
    ("not ASCII", not_ascii),
    ("tokens", tokens),
];

/// Numbers in a fixed sequence (Numerical Recipes' linear congruential generator).
struct Numbers(u32);

impl Numbers {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) % bound
    }
}

fn whole(messages: &str, model: Model) -> String {
    match model {
        Model::First => format!(r#"{{"model":"gpt-4o","stream":true,{messages}}}"#),
        Model::Last => format!(r#"{{{messages},"stream":true,"model":"gpt-4o"}}"#),
    }
}

fn fill(size: usize, mut item: impl FnMut() -> String) -> String {
    let mut items = item();
    while items.len() < size {
        items.push(',');
        items.push_str(&item());
    }
    items
}

fn words(numbers: &mut Numbers, count: u32) -> String {
    const WORDS: [&str; 16] = [
        "the", "of", "which", "model", "a", "gateway", "is", "nearer", "to", "reads", "and", "in",
        "request", "it", "says", "answer",
    ];
    let mut text = String::new();
    for _ in 0..count {
        text.push_str(WORDS.get(numbers.below(16) as usize).unwrap_or(&""));
        text.push_str(match numbers.below(24) {
            0 => "\\n",
            1 => " \\\"",
            2 => ". ",
            _ => " ",
        });
    }
    text
}

/// A conversation: messages of one word to some lines, with escapes as writers make them.
fn chat(size: usize, model: Model) -> String {
    let mut numbers = Numbers(1);
    let messages = fill(size, || {
        let role = if numbers.below(2) == 0 { "user" } else { "assistant" };
        let count = 1 + numbers.below(60);
        format!(r#"{{"role":"{role}","content":"{}"}}"#, words(&mut numbers, count))
    });
    whole(&format!(r#""messages":[{messages}]"#), model)
}

/// A picture as base64, and the model behind it.
fn image(size: usize) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut numbers = Numbers(2);
    let picture: String = (0..size)
        .map(|_| char::from(*ALPHABET.get(numbers.below(64) as usize).unwrap_or(&b'A')))
        .collect();
    whole(
        &format!(
            r#""messages":[{{"role":"user","content":[{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{picture}"}}}}]}}]"#
        ),
        Model::Last,
    )
}

/// Descriptions of tools: short strings, deep, and most of them keys.
fn tools(size: usize) -> String {
    let mut numbers = Numbers(3);
    let tools = fill(size, || {
        let (name, text) = (numbers.below(1000), words(&mut numbers, 6));
        format!(
            r#"{{"type":"function","function":{{"name":"f{name}","description":"{text}","parameters":{{"type":"object","properties":{{"a":{{"type":"string","enum":["x","y"]}},"b":{{"type":"integer","minimum":0,"maximum":{name}}}}},"required":["a"],"additionalProperties":false}}}}}}"#
        )
    });
    whole(&format!(r#""messages":[],"tools":[{tools}]"#), Model::Last)
}

fn not_ascii(size: usize) -> String {
    let mut numbers = Numbers(4);
    let text = fill(size, || {
        let count = numbers.below(4) as usize;
        format!("哪一个更接近真相？请解释{}Größe ", "。".repeat(count))
    });
    whole(&format!(r#""messages":[{{"role":"user","content":"{text}"}}]"#), Model::Last)
}

/// A prompt that is tokenized already.
fn tokens(size: usize) -> String {
    let mut numbers = Numbers(5);
    let tokens = fill(size, || numbers.below(100_000).to_string());
    whole(&format!(r#""prompt":[{tokens}]"#), Model::Last)
}
