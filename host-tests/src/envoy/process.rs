//! One Envoy process: started on a configuration, watched while it comes up, killed when dropped.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Once, OnceLock};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::admin;
use super::log::{FORMAT, Prefixes, Records};
use crate::plan::Plan;
use crate::report::LogLine;

/// How long Envoy may take to load the filters. Compiling them is most of it.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// Between two looks at something that Envoy will do soon.
pub(crate) const POLL: Duration = Duration::from_millis(2);

/// How the names of folders begin; the process and a number follow.
const FOLDER: &str = "tollgate-";

/// A directory that is removed when dropped, or by a later run if this process is killed.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        static SWEPT: Once = Once::new();
        SWEPT.call_once(|| sweep(&std::env::temp_dir()));
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("{FOLDER}{}-{id}", std::process::id()));
        fs::create_dir_all(&path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// `binary`, killed by the kernel if this process ends without doing it, even by SIGKILL. `setpriv`
/// becomes the binary, so the child's id is Envoy's. Where there is none, a killed tool leaves its
/// Envoy behind.
fn that_dies_with_us(binary: &Path) -> Command {
    static SETPRIV: OnceLock<bool> = OnceLock::new();
    let works = || {
        let mut probe = Command::new("setpriv");
        probe.args(["--pdeathsig", "KILL", "true"]);
        probe.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        probe.status().is_ok_and(|status| status.success())
    };
    if !*SETPRIV.get_or_init(works) {
        return Command::new(binary);
    }
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]).arg(binary);
    command
}

/// Removes the folders of processes that were killed.
fn sweep(all: &Path) {
    // Without it no process is known to be gone.
    if !Path::new("/proc/self").exists() {
        return;
    }
    let Ok(entries) = fs::read_dir(all) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| {
            let (pid, id) = name.strip_prefix(FOLDER)?.split_once('-')?;
            id.parse::<u32>().ok()?;
            pid.parse::<u32>().ok()
        });
        if owner.is_some_and(|pid| !Path::new("/proc").join(pid.to_string()).exists()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// What `binary` says its version is, such as `1.40.0`.
///
/// # Errors
/// It cannot be run, or says none.
pub(crate) fn version(binary: &Path) -> Result<String> {
    let name = binary.display();
    let output = Command::new(binary)
        .arg("--version")
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {name}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    parse_version(&text).with_context(|| format!("{name} --version: found `{}`", text.trim()))
}

/// Of `envoy  version: <commit>/1.40.0/Clean/RELEASE/BoringSSL`.
fn parse_version(text: &str) -> Option<String> {
    let (_, build) = text.split_once("version:")?;
    let version = build.split('/').nth(1)?.trim();
    version.starts_with(|c: char| c.is_ascii_digit()).then(|| version.to_owned())
}

/// A running Envoy.
pub(crate) struct Envoy {
    child: Child,
    log: Records,
    admin: SocketAddr,
}

impl Envoy {
    /// Starts `binary` and waits until it serves.
    ///
    /// # Errors
    /// It refuses the configuration (the message has what it and the filters said), or it does not
    /// come up in time.
    pub(crate) fn start(
        binary: &Path,
        config: &Value,
        plan: &Plan,
        scratch: &Scratch,
    ) -> Result<Self> {
        let workers = plan.scenario.workers.unwrap_or(1).max(1);
        let plugins = Prefixes::of(&plan.chain);
        let (config_path, log_path) = (scratch.path("envoy.json"), scratch.path("envoy.log"));
        let admin_path = scratch.path("admin-address");
        fs::write(&config_path, serde_json::to_vec_pretty(config)?)?;
        let log = File::create(&log_path)?;
        let child = that_dies_with_us(binary)
            .arg("--config-path")
            .arg(&config_path)
            .args(["--concurrency", &workers.to_string()])
            // Many may run at once, and none restarts.
            .args(["--use-dynamic-base-id", "--disable-hot-restart"])
            .arg("--admin-address-path")
            .arg(&admin_path)
            .args(["--file-flush-interval-msec", "20"])
            .args(["--log-level", "warn", "--component-log-level", "wasm:debug"])
            .args(["--log-format", FORMAT])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        let unset = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut envoy = Self { child, log: Records::new(log_path, plugins), admin: unset };
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            if let Some(status) = envoy.child.try_wait()? {
                bail!("envoy refused the configuration ({status}):\n{}", envoy.complaints());
            }
            if envoy.is_ready(&admin_path, deadline) {
                envoy.log.started()?;
                return Ok(envoy);
            }
            if Instant::now() > deadline {
                let seconds = START_TIMEOUT.as_secs();
                bail!("envoy is not up after {seconds} s:\n{}", envoy.complaints());
            }
            sleep(POLL);
        }
    }

    /// Where the admin interface listens.
    pub(crate) fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// Counts what filters logged since it came up as part of the start: answers to what they called
    /// then.
    ///
    /// # Errors
    /// The log cannot be read.
    pub(crate) fn started(&mut self) -> Result<()> {
        self.log.started()
    }

    /// What filters logged while they were configured, each line once.
    pub(crate) fn start_lines(&self) -> &[LogLine] {
        self.log.start_lines()
    }

    /// What filters logged since the last call.
    pub(crate) fn new_lines(&mut self) -> Result<Vec<LogLine>> {
        self.log.new_lines()
    }

    /// Lets it end its plugins and exit, and says what they logged about it.
    ///
    /// # Errors
    /// It does not exit by `deadline`, or the log cannot be read.
    pub(crate) fn end(&mut self, deadline: Instant) -> Result<Vec<LogLine>> {
        admin::quit(self.admin, deadline)?;
        while self.child.try_wait()?.is_none() {
            if Instant::now() > deadline {
                bail!("envoy does not exit:\n{}", self.complaints());
            }
            sleep(POLL);
        }
        self.new_lines()
    }

    /// Whether it has exited, and then what it said.
    pub(crate) fn exit_message(&mut self) -> Option<String> {
        let status = self.child.try_wait().ok().flatten()?;
        Some(format!("envoy exited ({status}):\n{}", self.complaints()))
    }

    /// Everything of weight in the log, for an error.
    pub(crate) fn complaints(&self) -> String {
        self.log.complaints()
    }

    fn is_ready(&mut self, admin_path: &Path, deadline: Instant) -> bool {
        let Ok(text) = fs::read_to_string(admin_path) else { return false };
        let Ok(address) = text.trim().parse() else { return false };
        self.admin = address;
        admin::get(address, "/ready", deadline).is_ok()
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_processes_that_are_gone_are_removed_and_no_others() {
        let all = Scratch::new().unwrap();
        let gone = format!("{FOLDER}4194999-0");
        let ours = format!("{FOLDER}{}-0", std::process::id());
        for name in [&gone, &ours, "tollgate-other", "else"] {
            fs::create_dir(all.path(name)).unwrap();
        }
        sweep(&all.path(""));
        assert_eq!(all.path(&gone).exists(), !Path::new("/proc/self").exists());
        for name in [&ours, "tollgate-other", "else"] {
            assert!(all.path(name).exists(), "{name}");
        }
    }

    #[test]
    fn a_version_is_read() {
        let said = "\n./envoy  version: bad8280de8/1.36.4/Clean/RELEASE/BoringSSL\n\n";
        assert_eq!(parse_version(said).as_deref(), Some("1.36.4"));
        assert_eq!(parse_version("version: x/dev/y"), None);
        assert_eq!(parse_version(""), None);
    }
}
