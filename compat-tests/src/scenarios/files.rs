//! System calls whose buffers and paths lie on other nodes.

use dstd::{place, thread};
use std::fs::{self, File};
use std::io::{IoSlice, Read, Seek, SeekFrom, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;

use crate::cluster;

const BYTES: usize = (1 << 20) + 13;

fn pattern(from: u8) -> Vec<u8> {
    (0..BYTES).map(|k| (k as u8).wrapping_mul(31) ^ from ^ (k >> 12) as u8).collect()
}

/// Files are written from and read into memory that another node has.
pub(crate) fn file_buffers() -> String {
    for round in 0..cluster::size() {
        let pid = std::process::id();
        // Path and contents come from one node, the calls happen on the next one.
        let (path, data) = place::call(cluster::nth(round), move || {
            let name = format!("dstd-scenario-{pid}-{round}");
            (std::env::temp_dir().join(name), pattern(round as u8))
        });
        let mut read_back = vec![1_u8; BYTES];
        let (first, second) = read_back.split_at_mut(BYTES / 2);
        thread::scope(|scope| {
            cluster::scoped(scope, round + 1, || {
                let mut file = File::create_new(&path).unwrap();
                let (head, tail) = data.split_at(5_000);
                let written = file.write_vectored(&[IoSlice::new(head), IoSlice::new(tail)]).unwrap();
                file.write_all(&data[written..]).unwrap();
            })
            .join()
            .unwrap();
            assert_eq!(fs::metadata(&path).unwrap().len(), BYTES as u64);
            cluster::scoped(scope, round + 1, || File::open(&path).unwrap().read_exact(first).unwrap());
            cluster::scoped(scope, round + 2, || {
                let mut file = File::open(&path).unwrap();
                file.seek(SeekFrom::Start(BYTES as u64 / 2)).unwrap();
                file.read_exact(second).unwrap();
            });
        });
        assert!(read_back == data);
        cluster::spawn(round + 1, move || fs::remove_file(path).unwrap()).join().unwrap();
    }
    format!("{BYTES} bytes")
}

/// A stream between two nodes sends from and receives into memory of others.
pub(crate) fn socket_buffers() -> String {
    for round in 0..cluster::size() {
        let request = place::call(cluster::nth(round + 2), move || pattern(round as u8));
        let mut heard = vec![0; BYTES];
        let mut answer = vec![0; BYTES];
        let (tell, address) = dstd::sync::mpsc::channel();
        thread::scope(|scope| {
            cluster::scoped(scope, round, || {
                let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
                tell.send(listener.local_addr().unwrap()).unwrap();
                let (mut stream, _) = listener.accept().unwrap();
                stream.read_exact(&mut heard).unwrap();
                stream.write_all(&heard).unwrap();
            });
            let (request, answer) = (&request, &mut answer);
            cluster::scoped(scope, round + 1, move || {
                let mut stream = TcpStream::connect(address.recv().unwrap()).unwrap();
                stream.write_all(request).unwrap();
                stream.read_exact(answer).unwrap();
            });
        });
        assert!(heard == request && answer == request);
    }
    format!("{BYTES} bytes")
}

/// `Command` with a user id forks instead of `posix_spawn`: the child runs a closure of the program
/// that borrows the spawning thread's stack, on every node.
#[expect(unsafe_code, reason = "only a child's code between fork and exec needs it")]
pub(crate) fn command_forked() -> String {
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::process::CommandExt;

    let me = std::fs::metadata("/proc/self").unwrap();
    let threads: Vec<_> = (0..cluster::size())
        .map(|node| {
            let (uid, gid) = (me.uid(), me.gid());
            cluster::spawn(node, move || {
                let local = [node; 1_000];
                for round in 0..10 {
                    let mut command = Command::new("/bin/echo");
                    command.arg(format!("{node} {round}")).uid(uid).gid(gid);
                    let expected = local;
                    // SAFETY: compares numbers, nothing else.
                    unsafe {
                        command.pre_exec(move || {
                            let right = expected.iter().all(|&number| number == node);
                            if right { Ok(()) } else { Err(std::io::ErrorKind::InvalidData.into()) }
                        });
                    }
                    let output = command.output().unwrap();
                    assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{node} {round}\n"));
                    assert!(local.iter().all(|&number| number == node));
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    format!("{} nodes", cluster::size())
}

/// A child process gets its program, arguments and environment from memory of another node.
pub(crate) fn command() -> String {
    for node in 0..cluster::size() {
        let (program, arguments, value) = place::call(cluster::nth(node + 1), move || {
            let arguments: Vec<String> = (0..2_000).map(|n| format!("argument-{n}-for-{node}")).collect();
            (String::from("/bin/echo"), arguments, format!("value for {node}"))
        });
        thread::scope(|scope| {
            cluster::scoped(scope, node, || {
                let output = Command::new(&program).args(&arguments).output().unwrap();
                assert!(output.status.success());
                assert_eq!(String::from_utf8(output.stdout).unwrap(), arguments.join(" ") + "\n");
                let script = ["-c", "printf %s \"$WORD\"; exit 9"];
                let output = Command::new("/bin/sh").args(script).env("WORD", &value).output().unwrap();
                assert_eq!(output.status.code(), Some(9));
                assert_eq!(String::from_utf8(output.stdout).unwrap(), value);
            });
        });
    }
    format!("{} nodes", cluster::size())
}
