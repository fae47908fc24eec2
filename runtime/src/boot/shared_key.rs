//! The key that all ranks of a program without launcher share, and nobody else: a file of the user.
//!
//! *Why not safe code*: the user's id.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use dstd_control::exit;
use dstd_control::secret::Secret;

/// Says where the key is.
const VARIABLE: &str = "DSTD_SECRET_FILE";
/// A shorter key is no key.
const KEY_BYTES_MIN: usize = 32;
/// A longer file is no key.
const KEY_BYTES_MAX: u64 = 4096;
/// How often it is looked whether rank 0 has made the file.
const TICK: Duration = Duration::from_millis(50);

type Failure = (i32, String);

/// The key: in `DSTD_SECRET_FILE`, or in the home directory, where rank 0 makes it when there is none.
pub(super) fn read(make: bool, deadline: Instant) -> Result<Vec<u8>, Failure> {
    let refuse = |path: &Path, why: &dyn std::fmt::Display| {
        (exit::AUTH, format!("the secret of this user's programs, {}: {why}", path.display()))
    };
    if let Some(path) = std::env::var_os(VARIABLE).map(PathBuf::from) {
        return read_file(&path).map_err(|error| refuse(&path, &error));
    }
    let Some(home) = std::env::var_os("HOME").filter(|home| !home.is_empty()) else {
        let words = format!(
            "all ranks need one secret: write 32 random bytes to a file that only you can read, and set {VARIABLE}"
        );
        return Err((exit::AUTH, words));
    };
    let path = Path::new(&home).join(".dstd").join("secret");
    if make {
        make_file(&path).map_err(|error| refuse(&path, &error))?;
    }
    loop {
        match read_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && Instant::now() < deadline => {
                thread::sleep(TICK);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let words = format!(
                    "rank 0 has not made it where this host sees it: put it where all hosts do, and set {VARIABLE}"
                );
                return Err(refuse(&path, &words));
            }
            done => return done.map_err(|error| refuse(&path, &error)),
        }
    }
}

fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let denied = |why: &str| io::Error::new(io::ErrorKind::PermissionDenied, why.to_owned());
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    // SAFETY: asks only.
    let me = unsafe { libc::geteuid() };
    if !metadata.is_file() || metadata.uid() != me {
        return Err(denied("it must be a file of your own"));
    }
    if metadata.mode() & 0o077 != 0 {
        return Err(denied("others can read it: chmod 600"));
    }
    let mut key = Vec::new();
    file.take(KEY_BYTES_MAX + 1).read_to_end(&mut key)?;
    if key.len() < KEY_BYTES_MIN || key.len() as u64 > KEY_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it must have 32 to 4096 bytes"));
    }
    Ok(key)
}

/// Makes the file unless it is there, whole or not at all.
fn make_file(path: &Path) -> io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    if let Some(directory) = path.parent().filter(|directory| !directory.exists()) {
        match DirBuilder::new().mode(0o700).create(directory) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
    }
    let new = path.with_extension(format!("new-{}", std::process::id()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    let written = file.write_all(Secret::random()?.expose()).and_then(|()| file.sync_all());
    // Unlike a rename, a link leaves what another program has made meanwhile.
    let linked = written.and_then(|()| fs::hard_link(&new, path));
    fs::remove_file(&new)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}
