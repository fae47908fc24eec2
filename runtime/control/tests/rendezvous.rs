//! Nodes as threads of one process meet at a launcher: together, or not at all and with the reason.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use dstd_control::env::{NodeEnv, Options, Reach};
use dstd_control::mesh;
use dstd_control::rendezvous::{Controller, Error, Files, Hello, PROTOCOL, Peer, ServeError, Stage, serve};
use dstd_control::secret::{AuthError, Secret};

const LONG: Duration = Duration::from_secs(60);
/// In this time nodes of this process connect, also on a busy machine; somebody waits for its end.
const SHORT: Duration = Duration::from_secs(3);

struct Job {
    listener: TcpListener,
    secret: Secret,
    size: u16,
    called_off: AtomicBool,
}

impl Job {
    fn new(size: u16) -> Job {
        Job {
            listener: mesh::listen(&Reach::default()).unwrap(),
            secret: Secret::random().unwrap(),
            size,
            called_off: AtomicBool::new(false),
        }
    }

    fn serve(&self, wait: Duration) -> Result<Vec<Hello>, ServeError> {
        let deadline = Instant::now() + wait;
        serve(&self.listener, &self.secret, self.size, deadline, &self.called_off).map_err(
            |(error, farewell)| {
                farewell.tell().unwrap();
                error
            },
        )
    }

    fn env(&self, rank: u16) -> NodeEnv {
        NodeEnv {
            job_id: "test".to_owned(),
            rank,
            size: self.size,
            local_rank: rank,
            controller: self.listener.local_addr().unwrap(),
            cred_fd: 3,
            stats_fd: 4,
            link_fds: None,
            connect_timeout: LONG,
            reach: Reach::default(),
            options: Options::default(),
        }
    }

    /// A whole node: hello, mesh, start; then each pair exchanges a byte.
    fn node(&self, rank: u16, change: impl FnOnce(&mut Hello)) -> Result<(), Error> {
        let listener = mesh::listen(&Reach::default()).unwrap();
        let mut hello = hello(rank, &listener);
        change(&mut hello);
        let mut controller = Controller::connect(&self.env(rank), &self.secret)?;
        let peers = controller.hello(&hello)?;
        let mut streams = mesh::connect(rank, &listener, &addresses(&peers), &self.secret, LONG).unwrap();
        controller.ready_and_wait_start()?;
        drop(controller);
        exchange(rank, &mut streams);
        Ok(())
    }
}

fn exchange(me: u16, streams: &mut [Option<TcpStream>]) {
    for (peer, stream) in streams.iter_mut().enumerate() {
        assert_eq!(stream.is_none(), peer == usize::from(me));
        if let Some(stream) = stream {
            stream.write_all(&[me as u8, peer as u8]).unwrap();
        }
    }
    for (peer, stream) in streams.iter_mut().enumerate() {
        if let Some(stream) = stream {
            let mut said = [0; 2];
            stream.read_exact(&mut said).unwrap();
            assert_eq!(said, [peer as u8, me as u8], "the stream leads to another node");
        }
    }
}

fn addresses(peers: &[Peer]) -> Vec<SocketAddr> {
    for (rank, peer) in peers.iter().enumerate() {
        assert_eq!(peer.pid, 1000 + rank as u32, "peers come by rank");
        assert_eq!(peer.threads, 2 + rank as u32);
        assert_eq!(peer.memory.map(|files| files.heap), Some(rank as i32));
    }
    peers.iter().map(|peer| peer.listen.unwrap()).collect()
}

fn hello(rank: u16, listener: &TcpListener) -> Hello {
    Hello {
        protocol: PROTOCOL,
        rank,
        pid: 1000 + u32::from(rank),
        host: "here".to_owned(),
        build_id: vec![0xab; 20],
        layout: [1, 2, 3, 4],
        probes: [5; 8],
        cpu: 6,
        descriptors: 256,
        threads: 2 + u32::from(rank),
        listen: Some(listener.local_addr().unwrap()),
        memory: Some(Files {
            heap: i32::from(rank),
            stacks: 1,
            statics: (rank == 0).then_some(2),
            striped: None,
        }),
    }
}

#[test]
fn all_nodes_start_together_and_are_connected_to_the_right_peers() {
    for size in [1, 2, 3, 7] {
        let job = &Job::new(size);
        let hellos = thread::scope(|scope| {
            for rank in 0..size {
                scope.spawn(move || job.node(rank, |_| {}).unwrap());
            }
            job.serve(LONG).unwrap()
        });
        let pids: Vec<u32> = hellos.iter().map(|hello| hello.pid).collect();
        assert_eq!(pids, (0..u32::from(size)).map(|rank| 1000 + rank).collect::<Vec<_>>());
    }
}

#[test]
fn strangers_at_both_doors_change_nothing() {
    let job = &Job::new(2);
    let knock = |addr| {
        let silent = TcpStream::connect(addr).unwrap();
        let mut loud = TcpStream::connect(addr).unwrap();
        loud.write_all(b"GET / HTTP/1.1\r\nHost: me and a long name that fills a challenge\r\n\r\n").unwrap();
        (silent, loud)
    };
    thread::scope(|scope| {
        let (door_0, door_1) =
            (mesh::listen(&Reach::default()).unwrap(), mesh::listen(&Reach::default()).unwrap());
        let _strangers = (
            knock(job.listener.local_addr().unwrap()),
            knock(door_0.local_addr().unwrap()),
            knock(door_1.local_addr().unwrap()),
        );
        for (rank, door) in [door_0, door_1].into_iter().enumerate() {
            scope.spawn(move || {
                let rank = rank as u16;
                let mut controller = Controller::connect(&job.env(rank), &job.secret).unwrap();
                let peers = controller.hello(&hello(rank, &door)).unwrap();
                let mut streams = mesh::connect(rank, &door, &addresses(&peers), &job.secret, LONG).unwrap();
                controller.ready_and_wait_start().unwrap();
                exchange(rank, &mut streams);
            });
        }
        job.serve(LONG).unwrap();
    });
}

#[test]
fn a_difference_in_any_field_is_refused_with_66_and_named() {
    type Change = fn(&mut Hello);
    let cases: [(&str, Change); 6] = [
        ("the protocol", |hello| hello.protocol += 1),
        ("the build-id", |hello| hello.build_id[19] = 0),
        ("the address layout, number 3", |hello| hello.layout[3] = 0),
        ("the address of probe 7", |hello| hello.probes[7] = 0),
        ("the CPU's features", |hello| hello.cpu = 0),
        ("how many descriptors", |hello| hello.descriptors = 512),
    ];
    for (field, change) in cases {
        let job = &Job::new(3);
        thread::scope(|scope| {
            let nodes = [0, 1, 2].map(|rank| {
                scope.spawn(move || if rank == 2 { job.node(rank, change) } else { job.node(rank, |_| {}) })
            });
            let error = job.serve(LONG).unwrap_err();
            assert_eq!(error.exit_code(), 66);
            let text = error.to_string();
            assert!(text.contains("nodes 0 and 2") && text.contains(field), "{text}");
            for node in nodes {
                let error = node.join().unwrap().unwrap_err();
                assert_eq!((error.exit_code(), error.to_string()), (66, text.clone()));
            }
        });
    }
}

#[test]
fn a_missing_node_is_named_and_the_others_are_told() {
    let job = &Job::new(3);
    thread::scope(|scope| {
        let nodes = [0, 2].map(|rank| scope.spawn(move || job.node(rank, |_| {})));
        let error = job.serve(SHORT).unwrap_err();
        assert_eq!(error.exit_code(), 69);
        let ServeError::Missing(missing) = &error else { panic!("{error:?}") };
        assert_eq!(missing.stages, [Stage::Connecting, Stage::Absent, Stage::Connecting]);
        for node in nodes {
            assert_eq!(node.join().unwrap().unwrap_err().exit_code(), 69);
        }
    });
}

#[test]
fn another_secret_is_refused_with_67_on_the_node_and_counted_by_the_launcher() {
    let job = &Job::new(1);
    thread::scope(|scope| {
        let node = scope.spawn(|| {
            let error = Controller::connect(&job.env(0), &Secret::from_bytes([0; 32])).unwrap_err();
            assert!(matches!(error, Error::Secret(AuthError::Refused)), "{error:?}");
            assert_eq!(error.exit_code(), 67);
        });
        let error = job.serve(SHORT).unwrap_err();
        let ServeError::Missing(missing) = &error else { panic!("{error:?}") };
        assert_eq!((&*missing.stages, missing.strangers), (&[Stage::Absent][..], 1));
        node.join().unwrap();
    });
}

#[test]
fn no_launcher_is_69() {
    let job = Job::new(1);
    let env = job.env(0);
    drop(job.listener);
    let error = Controller::connect(&env, &job.secret).unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    assert_eq!(error.exit_code(), 69);
}

#[test]
fn a_node_that_gives_up_stops_all_with_its_reason() {
    let job = &Job::new(2);
    thread::scope(|scope| {
        // The launcher tells those who have come: node 1 gives up after node 0 is known there.
        let (come, is_here) = std::sync::mpsc::channel();
        let node = scope.spawn(move || {
            let listener = mesh::listen(&Reach::default()).unwrap();
            let mut controller = Controller::connect(&job.env(0), &job.secret).unwrap();
            come.send(()).unwrap();
            controller.hello(&hello(0, &listener)).map(|_| ())
        });
        scope.spawn(move || {
            is_here.recv().unwrap();
            let mut controller = Controller::connect(&job.env(1), &job.secret).unwrap();
            controller.stop(72, "userfaultfd is not permitted").unwrap();
        });
        let error = job.serve(LONG).unwrap_err();
        assert_eq!(error.exit_code(), 72);
        assert!(error.to_string().contains("userfaultfd"), "{error}");
        assert_eq!(node.join().unwrap().unwrap_err().exit_code(), 72);
    });
}

#[test]
fn a_rank_that_joins_twice_or_does_not_exist_is_refused() {
    for ranks in [[0, 0], [0, 2]] {
        let job = &Job::new(2);
        thread::scope(|scope| {
            let nodes = ranks.map(|rank| scope.spawn(move || job.node(rank, |_| {})));
            assert_eq!(job.serve(LONG).unwrap_err().exit_code(), 70);
            for node in nodes {
                assert!(node.join().unwrap().is_err());
            }
        });
    }
}

#[test]
fn called_off_ends_the_wait_and_tells_the_nodes() {
    let job = &Job::new(2);
    thread::scope(|scope| {
        let node = scope.spawn(|| {
            let listener = mesh::listen(&Reach::default()).unwrap();
            let mut controller = Controller::connect(&job.env(0), &job.secret).unwrap();
            job.called_off.store(true, Ordering::Relaxed);
            controller.hello(&hello(0, &listener)).unwrap_err()
        });
        assert!(matches!(job.serve(LONG).unwrap_err(), ServeError::CalledOff));
        assert!(node.join().unwrap().exit_code() >= 69);
    });
}

#[test]
fn a_mesh_waits_for_its_peers_in_bounded_time_and_names_them() {
    let (door, secret) = (mesh::listen(&Reach::default()).unwrap(), Secret::random().unwrap());
    let peers = vec![door.local_addr().unwrap(); 3];
    let error = mesh::connect(0, &door, &peers, &secret, SHORT).unwrap_err();
    let mesh::Error::Missing { peers } = &error else { panic!("{error:?}") };
    assert_eq!((&**peers, error.exit_code()), (&[1, 2][..], 69));
}

#[test]
fn a_mesh_peer_with_another_secret_is_not_let_in() {
    let door = mesh::listen(&Reach::default()).unwrap();
    let peers = vec![door.local_addr().unwrap(); 2];
    let (ours, theirs) = (Secret::random().unwrap(), Secret::random().unwrap());
    thread::scope(|scope| {
        scope.spawn(|| {
            let own = mesh::listen(&Reach::default()).unwrap();
            let error = mesh::connect(1, &own, &peers, &theirs, LONG).unwrap_err();
            assert_eq!(error.exit_code(), 67, "{error}");
        });
        let error = mesh::connect(0, &door, &peers, &ours, SHORT).unwrap_err();
        assert!(matches!(error, mesh::Error::Missing { .. }), "{error:?}");
    });
}
