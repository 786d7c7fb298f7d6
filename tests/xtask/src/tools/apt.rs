//! A private apt root: fetches Debian packages with all they need, without root and without touching the system.
//!
//! Its dpkg status is empty, so apt resolves the whole closure down to libc. apt checks signatures and sums, and
//! resumes a download which was broken off.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::mirror;
use crate::cmd;
use crate::say::Step;

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
const UPDATE_LIMIT: Duration = Duration::from_secs(600);
const FETCH_LIMIT: Duration = Duration::from_secs(3600);
const UNPACK_LIMIT: Duration = Duration::from_secs(600);
/// Nothing of the bench reads these.
const LEFT_OUT: [&str; 3] = ["./usr/share/doc/*", "./usr/share/man/*", "./usr/share/locale/*"];

/// A private apt root for the given suites.
pub(crate) struct Apt {
    dir: PathBuf,
}

impl Apt {
    /// Sets the root up in `dir` and fetches the suites' indexes.
    pub(crate) fn open(dir: &Path, suites: &[&str], step: &mut Step) -> Result<Apt> {
        refuse_strangers()?;
        let mirror = mirror::mirror()?;
        for folder in [
            "etc/apt.conf.d",
            "etc/preferences.d",
            "etc/sources.list.d",
            "etc/trusted.gpg.d",
            "state/lists/partial",
            "cache/archives/partial",
            "log",
        ] {
            fs::create_dir_all(dir.join(folder))?;
        }
        let source = |suite: &&str| format!("deb [signed-by={KEYRING}] {mirror} {suite} main\n");
        fs::write(dir.join("etc/sources.list"), suites.iter().map(source).collect::<String>())?;
        fs::write(dir.join("state/status"), "")?;
        fs::write(dir.join("apt.conf"), settings(dir, &mirror::network_settings()?))?;
        let apt = Apt { dir: dir.into() };
        step.note("package lists");
        // Without this an update which reaches no mirror is a success with warnings.
        apt.call(&["-o", "APT::Update::Error-Mode=any", "update"], UPDATE_LIMIT, step)
            .with_context(|| no_network(&mirror))?;
        Ok(apt)
    }

    /// Fetches packages and everything they depend on.
    pub(crate) fn closure(&self, packages: &[&str], suite: &str, step: &mut Step) -> Result<Vec<PathBuf>> {
        let mut words = vec!["--yes", "--no-install-recommends", "--download-only", "-t", suite, "install"];
        words.extend(packages);
        self.call(&words, FETCH_LIMIT, step)?;
        debs(&self.dir.join("cache/archives"))
    }

    /// Fetches one package alone.
    pub(crate) fn single(&self, package: &str, step: &mut Step) -> Result<PathBuf> {
        let dir = self.dir.join("cache/single").join(package);
        fs::create_dir_all(&dir)?;
        let mut command = self.command("apt-get");
        command.args(["--quiet", "-o", "APT::Status-Fd=1", "download", package]).current_dir(&dir);
        watched(&mut command, FETCH_LIMIT, step)?;
        debs(&dir)?.pop().with_context(|| format!("apt-get downloaded no file for {package}"))
    }

    /// The packages that a package needs directly, by name.
    pub(crate) fn depends(&self, package: &str) -> Result<Vec<String>> {
        let mut command = self.command("apt-cache");
        command.args(["show", "--no-all-versions", package]);
        let text = cmd::run(&mut command, UPDATE_LIMIT)?;
        let line = text.lines().find_map(|line| line.strip_prefix("Depends: "));
        let line = line.with_context(|| format!("{package} has no dependencies"))?;
        Ok(line.split(", ").filter_map(|word| word.split(' ').next()).map(String::from).collect())
    }

    fn call(&self, words: &[&str], limit: Duration, step: &mut Step) -> Result<()> {
        let mut command = self.command("apt-get");
        command.args(["--quiet", "-o", "APT::Status-Fd=1"]).args(words);
        watched(&mut command, limit, step)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("APT_CONFIG", self.dir.join("apt.conf")).env("LC_ALL", "C");
        command
    }
}

/// Runs apt, showing its progress; an error quotes what it said besides that.
fn watched(command: &mut Command, limit: Duration, step: &mut Step) -> Result<()> {
    let output = cmd::capture(command, limit, |line| show_status(line, step))?;
    if !output.ok {
        let said: Vec<&str> = output.text.lines().filter(|line| !line.starts_with("dlstatus:")).collect();
        bail!("`{}` failed:\n{}", cmd::show(command), said.join("\n"));
    }
    Ok(())
}

fn debs(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(dir)?.collect::<Result<Vec<_>, _>>()?;
    let paths = entries.into_iter().map(|entry| entry.path());
    let mut debs: Vec<_> = paths.filter(|path| path.extension().is_some_and(|ext| ext == "deb")).collect();
    debs.sort();
    Ok(debs)
}

/// Shows apt's machine-readable progress (`dlstatus:ITEM:PERCENT:TEXT`).
fn show_status(line: &str, step: &mut Step) {
    let mut fields = line.strip_prefix("dlstatus:").unwrap_or_default().splitn(3, ':').skip(1);
    if let (Some(percent), Some(text)) = (fields.next(), fields.next()) {
        let percent: f64 = percent.parse().unwrap_or(0.0);
        step.note(&format!("{percent:.0} % {text}"));
    }
}

fn settings(dir: &Path, network: &str) -> String {
    let dir = dir.display();
    format!(
        "Dir \"{dir}\";\nDir::Etc \"{dir}/etc\";\nDir::State \"{dir}/state\";\n\
         Dir::State::status \"{dir}/state/status\";\nDir::Cache \"{dir}/cache\";\nDir::Log \"{dir}/log\";\n\
         APT::Architecture \"amd64\";\nAPT::Architectures {{ \"amd64\"; }};\nAPT::Sandbox::User \"root\";\n\
         Acquire::Languages \"none\";\nAPT::Install-Recommends \"false\";\n{network}"
    )
}

fn no_network(mirror: &str) -> String {
    format!(
        "no package lists from {mirror}. Is there a network? After one complete run none is needed any more; \
         another mirror may be named by {}",
        mirror::MIRROR_VARIABLE
    )
}

/// Says clearly what this way of fetching needs of a machine.
fn refuse_strangers() -> Result<()> {
    for program in ["apt-get", "apt-cache", "apt-config", "dpkg-deb", "tar"] {
        if !cmd::in_path(program) {
            bail!(
                "`{program}` is missing: the guest and QEMU are fetched as Debian packages, which needs a Debian \
                 (or a system with its apt, dpkg and tar). Elsewhere install QEMU >= 10.1 yourself and copy \
                 target/guest from a Debian machine."
            );
        }
    }
    if !Path::new(KEYRING).exists() {
        bail!("{KEYRING} is missing: install the package debian-archive-keyring");
    }
    if std::env::consts::ARCH != "x86_64" {
        bail!("the fetched tools are for amd64; this machine is {}", std::env::consts::ARCH);
    }
    Ok(())
}

/// Unpacks a package below `into`. With `only`, nothing but paths matching these patterns.
pub(crate) fn unpack(deb: &Path, into: &Path, only: &[&str]) -> Result<()> {
    merge_usr(into)?;
    let mut tar = vec![
        "tar".to_string(),
        "-x".into(),
        "--keep-directory-symlink".into(),
        "-C".into(),
        into.display().to_string(),
    ];
    tar.extend(LEFT_OUT.map(|pattern| format!("--exclude={pattern}")));
    if !only.is_empty() {
        tar.push("--wildcards".into());
        tar.extend(only.iter().map(|pattern| pattern.to_string()));
    }
    // One shell, so that the archive streams; `"$@"` keeps every word as it is.
    let mut command = Command::new("bash");
    command.args([
        "-o",
        "pipefail",
        "-c",
        "deb=$1; shift; dpkg-deb --fsys-tarfile \"$deb\" | \"$@\"",
        "unpack",
    ]);
    command.arg(deb).args(tar);
    cmd::run(&mut command, UNPACK_LIMIT)?;
    Ok(())
}

/// Lets `/lib` and its like be links into `/usr` as on an installed system: older releases' packages use both.
fn merge_usr(root: &Path) -> Result<()> {
    for dir in ["bin", "sbin", "lib", "lib64"] {
        let merged = Path::new("usr").join(dir);
        fs::create_dir_all(root.join(&merged))?;
        if root.join(dir).symlink_metadata().is_err() {
            std::os::unix::fs::symlink(merged, root.join(dir))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_settings_come_last_so_that_they_win() {
        let text = settings(Path::new("/x"), "Acquire::Retries \"5\";\n");
        assert!(text.starts_with("Dir \"/x\";") && text.ends_with("Acquire::Retries \"5\";\n"));
    }
}
