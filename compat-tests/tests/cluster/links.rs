//! Shared memory between nodes: who talks through it, and how a start without it ends.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::harness::{LAUNCH, SCENARIOS, alone, direct, everywhere, launch, over};

const REFUSED: i32 = 72;
/// What the launcher returns for a node that a filter has killed.
const BAD_SYSTEM_CALL: i32 = 128 + libc::SIGSYS;

#[test]
fn nodes_of_one_host_share_memory_unless_told_otherwise() {
    for nodes in [2, 3] {
        let (tcp, shm) = (format!("{}+0", nodes - 1), format!("0+{}", nodes - 1));
        for (run, each) in [
            (direct(nodes, "connections"), &shm),
            (launch(["-n", &nodes.to_string(), "--no-direct"], [SCENARIOS, "connections"]), &shm),
            (over("shm", nodes, "connections"), &shm),
            (over("tcp", nodes, "connections"), &tcp),
            (direct(nodes, "connections").variable("DSTD_TRANSPORT", "tcp"), &tcp),
        ] {
            let ended = run.finish().ok("connections");
            let expected = format!("ok connections {}", vec![each.as_str(); nodes].join(" "));
            assert_eq!(ended.stdout.lines().last(), Some(expected.as_str()));
        }
    }
}

#[test]
fn many_nodes_share_memory() {
    let each = ["0+11"; 12].join(" ");
    let ended = over("shm", 12, "connections").finish().ok("connections");
    assert_eq!(ended.stdout.lines().last(), Some(format!("ok connections {each}").as_str()));
}

/// One node starts and never comes to its links.
#[test]
fn a_node_that_never_comes_gives_69() {
    let script = "if [ \"$DSTD_RANK\" = 1 ]; then exec sleep 600; fi; exec \"$0\" reads_dyn";
    let options = ["-n", "3", "--transport", "shm", "--no-direct", "--connect-timeout", "2s"];
    let ended = launch(options, ["/bin/sh", "-c", script, SCENARIOS]).finish().with_code(69);
    assert_eq!(ended.says(&["node 1"]).stdout, "");
}

/// A node told to use TCP waits for nobody, and the others do not wait for it beyond the time that starts have.
#[test]
fn nodes_that_were_told_different_transports_do_not_start() {
    let script = "if [ \"$DSTD_RANK\" = 1 ]; then export DSTD_TRANSPORT=tcp; fi; exec \"$0\" reads_dyn";
    let options = ["-n", "2", "--transport", "shm", "--no-direct", "--connect-timeout", "60s"];
    let ended = launch(options, ["/bin/sh", "-c", script, SCENARIOS]).finish().with_code(64);
    assert_eq!(ended.says(&["another transport"]).stdout, "");
}

/// Each node that offers a link dies on it; those that accept hear of it.
#[test]
fn a_node_that_dies_at_its_offer_ends_the_start() {
    for nodes in ["2", "3"] {
        let run = launch(["-n", nodes, "--transport", "shm"], [SCENARIOS, "reads_dyn"]);
        let run = run.change(|command| filter(command, libc::SYS_sendmsg, None, Answer::Kill));
        assert_eq!(run.finish().with_code(BAD_SYSTEM_CALL).stdout, "");
    }
}

/// Each node that accepts a link dies on it, with offers to it and from it under way.
#[test]
fn a_node_that_dies_between_offer_and_accept_ends_the_start() {
    for nodes in ["2", "3"] {
        let run = launch(["-n", nodes, "--transport", "shm"], [SCENARIOS, "reads_dyn"]);
        let run = run.change(|command| filter(command, libc::SYS_recvmsg, None, Answer::Kill));
        assert_eq!(run.finish().with_code(BAD_SYSTEM_CALL).stdout, "");
    }
}

/// The host refuses memory for links, and nothing else.
#[test]
fn a_host_without_shared_memory_is_refused_with_a_way_out() {
    let sealing = Some((1, libc::MFD_ALLOW_SEALING));
    for (_, run) in everywhere("reads_dyn") {
        let no_memory = move |command: &mut Command| {
            filter(command, libc::SYS_memfd_create, sealing, Answer::Error(libc::ENOMEM));
        };
        let tcp = run.has_option("tcp");
        let ended = run.change(no_memory).finish();
        if tcp {
            ended.ok("reads_dyn");
        } else {
            let ended = ended.with_code(REFUSED).says(&["share memory with node", "--transport tcp"]);
            assert_eq!(ended.stdout, "");
        }
    }
}

/// Node 0 inherits so much that no descriptor is left for its links.
#[test]
fn a_node_without_descriptors_is_refused_with_a_way_out() {
    let open = "i=0; while [ $i -lt 290 ]; do eval \"exec {fd}<&0\" 2>/dev/null || break; i=$((i+1)); done";
    let script = format!("if [ \"$DSTD_RANK\" = 0 ]; then {open}; fi; ulimit -Sn 512; exec \"$0\" reads_dyn");
    let options = ["-n", "2", "--transport", "shm"];
    let run = launch(options, ["/bin/bash", "-c", &script, SCENARIOS]);
    let run = run.change(|command| limit_descriptors(command, 512));
    let ended = run.finish().with_code(REFUSED).says(&["ulimit -Hn", "--transport tcp"]);
    assert_eq!(ended.stdout, "");
}

#[test]
fn a_launcher_without_descriptors_says_how_many_it_needs() {
    let script = "ulimit -n 90; exec \"$0\" -n 8 --transport shm -- \"$1\" reads_dyn";
    let ended = alone("/bin/sh", ["-c", script, LAUNCH, SCENARIOS]).finish().with_code(REFUSED);
    assert_eq!(ended.says(&["8 nodes", "ulimit -Hn", "--transport tcp"]).stdout, "");
}

#[expect(unsafe_code, reason = "a limit is set between fork and exec")]
fn limit_descriptors(command: &mut Command, most: u64) {
    let limit = libc::rlimit { rlim_cur: most, rlim_max: most };
    let set = move || {
        // SAFETY: the limit is valid for the call.
        match unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    };
    // SAFETY: the closure makes one system call, with what it owns.
    unsafe { command.pre_exec(set) };
}

/// What a filtered call gets.
#[derive(Clone, Copy)]
enum Answer {
    Error(i32),
    Kill,
}

/// What is started gets `answer` from the system call `number`; where an argument and bits are named, if that argument
/// has one of them.
#[expect(unsafe_code, reason = "a filter is installed between fork and exec")]
fn filter(command: &mut Command, number: libc::c_long, bits: Option<(u32, libc::c_uint)>, answer: Answer) {
    // SAFETY: the function makes two system calls and touches its own stack only.
    unsafe { command.pre_exec(move || install_filter(number as u32, bits, answer)) };
}

#[expect(unsafe_code, reason = "std filters no system calls")]
fn install_filter(number: u32, bits: Option<(u32, libc::c_uint)>, answer: Answer) -> io::Result<()> {
    const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const ANY: u16 = (libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    let instruction = |code, jf, k| libc::sock_filter { code, jt: 0, jf, k };
    // Without bits the second test is the first one again. An argument's low half lies at offset 16 + 8 * argument.
    let (at, test, operand) =
        bits.map_or((0, EQUAL, number), |(argument, mask)| (16 + 8 * argument, ANY, mask));
    let answer = match answer {
        Answer::Error(errno) => libc::SECCOMP_RET_ERRNO | errno as u32,
        Answer::Kill => libc::SECCOMP_RET_KILL_PROCESS,
    };
    let mut program = [
        instruction(LOAD, 0, 0),
        instruction(EQUAL, 3, number),
        instruction(LOAD, 0, at),
        instruction(test, 1, operand),
        instruction(RETURN, 0, answer),
        instruction(RETURN, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: no memory is involved.
    if unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel copies the program, which is valid for the call.
    if unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
