//! `tollgate init`: a first scenario.
//!
//! Without more it is a commented example. For a filter or module of the user's the scenario is run
//! once, and what came of it is what it expects: a start that passes, to be read and changed.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use host_tests::checks;
use host_tests::config_file::ConfigFile;
use host_tests::judge::Failure;
use host_tests::plan::Plan;
use host_tests::report::Observed;
use host_tests::scenario::HostName;
use host_tests::source::{MOST_BYTES, bounded};

use crate::Outcome;

/// Arguments of `tollgate init`.
#[derive(Args)]
pub(crate) struct Init {
    /// The folder to write to; it is made if need be
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Any proxy-wasm module to test
    #[arg(long, value_name = "FILE")]
    wasm: Option<PathBuf>,
    /// A filter of Tollgate to test
    #[arg(long, value_name = "NAME", conflicts_with = "wasm")]
    filter: Option<String>,
    /// Its configuration: YAML, JSON, or the manifest that holds it. The scenario names the file
    /// where it is; nothing is copied
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Which of the manifest's plugins it is, if there are several
    #[arg(long, value_name = "NAME", requires = "config")]
    plugin: Option<String>,
}

const SCENARIO: &str = include_str!("init/scenario.yaml");
const CONFIG: &str = include_str!("init/config.yaml");

pub(crate) fn init(out: &mut impl Write, arguments: &Init) -> Result<Outcome> {
    let folder = &arguments.folder;
    let scenario = folder.join("scenario.yaml");
    let example =
        arguments.wasm.is_none() && arguments.filter.is_none() && arguments.config.is_none();
    if example {
        let config = folder.join("config.yaml");
        absent(&[&scenario, &config])?;
        fs::create_dir_all(folder).with_context(|| cannot_write(folder))?;
        new_file(&config, CONFIG)?;
        new_file(&scenario, SCENARIO)?;
        writeln!(out, "wrote {}\nwrote {}", scenario.display(), config.display())?;
    } else {
        absent(&[&scenario])?;
        fs::create_dir_all(folder).with_context(|| cannot_write(folder))?;
        let link = link(arguments)?;
        new_file(&scenario, &recorded(&link, " {}"))?;
        // It takes the place of a sketch that must not stay behind.
        let (found, unchecked) = observed(&scenario).inspect_err(|_| {
            let _ = fs::remove_file(&scenario);
        })?;
        fs::write(&scenario, unchecked.clone() + &recorded(&link, &found))
            .with_context(|| cannot_write(&scenario))?;
        writeln!(
            out,
            "wrote {}\n\nIts expectations are what came of a first run: read whether they are what you \
             want.",
            scenario.display()
        )?;
        if !unchecked.is_empty() {
            writeln!(
                out,
                "A check that every scenario is put to does not hold; it says so at its top."
            )?;
        }
    }
    let (folder, scenario) = (folder.display(), scenario.display());
    writeln!(
        out,
        "
Next:
  tollgate test {folder}
      runs it; change a value below `expect` and run it again to see a failure
  tollgate run {scenario}
      shows all that came of it, to write expectations from; with --trace what the filters did
  tollgate test {folder} --host envoy
      the same on a real Envoy"
    )?;
    Ok(Outcome::Fine)
}

/// Nothing is ever written over.
fn absent(files: &[&PathBuf]) -> Result<()> {
    match files.iter().find(|file| file.exists()) {
        Some(file) => bail!("`{}` is there already, so nothing was written", file.display()),
        None => Ok(()),
    }
}

fn new_file(file: &Path, text: &str) -> Result<()> {
    let open = OpenOptions::new().write(true).create_new(true).open(file);
    let written = open.and_then(|mut open| open.write_all(text.as_bytes()));
    written.with_context(|| cannot_write(file))
}

fn cannot_write(path: &Path) -> String {
    format!("cannot write `{}`", path.display())
}

/// The link of the chain, as YAML.
fn link(arguments: &Init) -> Result<Link> {
    let mut lines = Vec::new();
    let mut env = String::new();
    match (&arguments.wasm, &arguments.filter) {
        (Some(wasm), _) => lines.push(format!("wasm: {}", seen_from(&arguments.folder, wasm)?)),
        (None, Some(filter)) => {
            host_tests::modules::path(filter)?;
            lines.push(format!("filter: {filter}"));
        }
        (None, None) => bail!("`--config` of what? Give `--wasm FILE` or `--filter NAME` too"),
    }
    if let Some(file) = &arguments.config {
        let bytes = bounded(file, MOST_BYTES)
            .map_err(|why| anyhow::anyhow!("`{}`: {why}", file.display()))?;
        let read = ConfigFile::new(file, bytes)?;
        let of = arguments.plugin.as_ref().or(arguments.filter.as_ref());
        let found = match of {
            Some(name) => read.named(name),
            None => read.only(),
        };
        let config = found.map_err(|why| anyhow::anyhow!("{}: {why}", file.display()))?;
        let variables = config.settings.iter().flat_map(|settings| &settings.env);
        for (name, _) in variables.filter(|(_, value)| value.is_none()) {
            env.push_str(&format!("  {}: test\n", quoted(name)));
        }
        lines.push(format!("configFile: {}", seen_from(&arguments.folder, file)?));
    }
    if let Some(plugin) = &arguments.plugin {
        lines.push(format!("plugin: {}", quoted(plugin)));
    }
    if !env.is_empty() {
        env = format!("# What the plugin gets from the environment of its proxy.\nenv:\n{env}\n");
    }
    Ok(Link { yaml: lines.join("\n    "), env })
}

/// What a scenario says of the plugin, as YAML.
struct Link {
    /// In the chain.
    yaml: String,
    /// In front of it.
    env: String,
}

/// A request with an LLM's answer, and `expect` for it.
fn recorded(Link { yaml, env }: &Link, expect: &str) -> String {
    format!(
        "# Written by `tollgate init`. What a scenario can say is in host-tests/README.md of Tollgate's repository.

# The behaviour, as a sentence: it is printed when the scenario fails.
description: what the plugin makes of a chat request with a key

{env}# The filters, in the order of requests.
chain:
  - {yaml}

# What clients send, what upstreams answer, and what must come of it.
exchanges:
  - request:
      path: /v1/chat/completions
      headers: {{authorization: Bearer sk-test}}
      json: {{model: gpt-4o-mini, messages: [{{role: user, content: Hello}}]}}
    upstream:
      - status: 200
        json: {{choices: [{{message: {{role: assistant, content: Hi!}}}}], usage: {{total_tokens: 9}}}}
    # Taken from a first run. What is not named is not judged; `upstream: []` means that nothing got there.
    expect:{expect}
"
    )
}

/// What came of the scenario, as YAML that expects it, and behind it what must not be checked of it.
fn observed(scenario: &Path) -> Result<(String, String)> {
    let plan = Plan::load(scenario)?;
    let report = host_tests::run(&plan, HostName::Wasmtime)
        .context("the module does not run with this configuration, so nothing was written")?;
    let Some(Observed { upstream, response, .. }) = report.exchanges.first() else {
        bail!("the scenario came to nothing");
    };
    let requests: Vec<String> = upstream
        .iter()
        .map(|request| {
            format!("{{method: {}, path: {}}}", quoted(&request.method), quoted(&request.path))
        })
        .collect();
    let expect = format!(
        "\n      upstream: [{}]\n      response: {{status: {}, localReply: {}}}",
        requests.join(", "),
        response.status,
        response.local_reply
    );
    let failures = checks::check(&plan, &report)?;
    Ok((expect, unchecked(&failures)))
}

/// The `unchecked` of a scenario of which `failures` were found by the runner's checks; empty for none.
fn unchecked(failures: &[Failure]) -> String {
    let (memory, cuts): (Vec<&Failure>, Vec<&Failure>) =
        failures.iter().partition(|failure| failure.path.starts_with("memory"));
    let reason = |name: &str, failures: &[&Failure]| {
        let found = failures.first()?.found.split("; if that is meant").next()?.to_owned();
        Some(format!("  {name}: {}\n", serde_json::Value::from(format!("found {found}"))))
    };
    let reasons: String =
        [reason("cuts", &cuts), reason("memory", &memory)].into_iter().flatten().collect();
    match reasons.as_str() {
        "" => String::new(),
        reasons => format!(
            "# Checks of every scenario that do not hold of this one. If that is not meant, it is a mistake in the\n\
             # module: take the line out once it is mended.\nunchecked:\n{reasons}\n"
        ),
    }
}

/// A text as a value of YAML, in quotes where it needs any.
fn quoted(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/._-".contains(&b);
    let is_word = text.starts_with(|c: char| c.is_ascii_alphabetic() || "/.".contains(c));
    let meant = ["true", "false", "null", "yes", "no", "on", "off", "y", "n", "~"];
    if is_word && text.bytes().all(plain) && !meant.contains(&text.to_ascii_lowercase().as_str()) {
        return text.to_owned();
    }
    serde_json::Value::from(text).to_string()
}

/// `file` as the scenario in `folder` names it.
fn seen_from(folder: &Path, file: &Path) -> Result<String> {
    let whole = |path: &Path| {
        path.canonicalize().with_context(|| format!("cannot find `{}`", path.display()))
    };
    let (folder, file) = (whole(folder)?, whole(file)?);
    let common = folder.components().zip(file.components()).take_while(|(a, b)| a == b).count();
    let up = folder.components().skip(common).map(|_| Component::ParentDir);
    let path: PathBuf = up.chain(file.components().skip(common)).collect();
    let Some(path) = path.to_str() else {
        bail!("`{}`: a scenario cannot name a path that is not UTF-8", file.display());
    };
    // So that it is seen to be a file.
    Ok(quoted(&if path.starts_with("..") { path.to_owned() } else { format!("./{path}") }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_yaml_are_quoted_where_they_need_it() {
        for (text, expected) in [
            ("POST", "POST"),
            ("../a b.wasm", "\"../a b.wasm\""),
            ("./x_1.wasm", "./x_1.wasm"),
            ("/v1?a=b", "\"/v1?a=b\""),
            ("no", "\"no\""),
            ("12", "\"12\""),
            ("", "\"\""),
            ("a: b", "\"a: b\""),
        ] {
            assert_eq!(quoted(text), expected);
            let read: String = serde_yaml_ng::from_str(&quoted(text)).unwrap();
            assert_eq!(read, text);
        }
    }
}
